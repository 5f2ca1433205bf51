// The word for how an exchange ended, for every kind of end.

import { expect, test } from 'vitest'
import { ERROR_CODES, type ErrorCodeName } from '../errors/codes.ts'
import { lifecycleOf } from './lifecycle.ts'

test.each([
  // A worker's answer, passed on.
  [200, 'complete', null, 'completed'],
  [204, 'complete', null, 'completed'],
  [400, 'complete', null, 'completed'],
  [429, 'complete', null, 'completed'],
  // The worker's own status, whatever others use it for.
  [499, 'complete', null, 'completed'],
  [500, 'complete', null, 'failed'],
  [503, 'complete', null, 'failed'],
  // A body that did not end as it should, whatever the status said before.
  [200, 'truncated', null, 'failed'],
  [200, 'upstream_error', null, 'failed'],
  [200, 'timeout', null, 'failed'],
  [200, 'client_aborted', null, 'aborted'],
  [500, 'client_aborted', null, 'aborted'],
  [400, 'truncated', null, 'failed'],
  // The router's own answers.
  [200, null, null, 'completed'],
  [404, null, 'model_not_found', 'completed'],
  [403, null, 'hook_rejected', 'completed'],
  [408, null, 'request_timeout', 'completed'],
  [502, null, 'upstream_truncated', 'failed'],
  [503, null, 'no_worker', 'failed'],
  [504, 'timeout', 'upstream_timeout', 'failed'],
  [499, 'client_aborted', 'client_closed_request', 'aborted'],
  [499, null, 'client_closed_request', 'aborted'],
] as const)('%i, %s, %s: %s', (status, streamEnd, errorCode, expected) => {
  expect(lifecycleOf({ status, streamEnd, errorCode })).toBe(expected)
})

test.each(Object.entries(ERROR_CODES))('every error code of the router has its word: %s', (errorCode, { status }) => {
  const expected = status >= 500 ? 'failed' : 'completed'
  const isGone = errorCode === ('client_closed_request' satisfies ErrorCodeName)
  expect(lifecycleOf({ status, streamEnd: null, errorCode })).toBe(isGone ? 'aborted' : expected)
})

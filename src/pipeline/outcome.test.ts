// What the end of an attempt says about its worker: fault, pressure, or the caller's own doing.

import { describe, expect, test } from 'vitest'
import { RouterError } from '../errors/router-error.ts'
import type { Lease } from '../store/fleet-lease.ts'
import type { Outcome } from '../store/outcome-ledger.ts'
import type { StreamEnd } from '../upstream/relay.ts'
import type { Answer, AttemptOutcome, Interruption } from '../upstream/send.ts'
import type { AttemptFailure } from './attempt-result.ts'
import { noteBody, outcomeOfAttempt } from './outcome.ts'

function answerOf(status: number, headers: Record<string, string> = {}, cause: Interruption | null = null): Answer {
  const response = new Response(null, { headers, status: status === 204 ? 204 : 200 })
  return {
    kind: 'answer',
    response: Object.defineProperty(response, 'status', { value: status }),
    touch() {},
    setWaiting() {},
    finish() {},
    abort() {},
    interruption: () => cause,
    onInterrupt() {},
  }
}

function failureOf(failureClass: AttemptFailure['class']): AttemptFailure {
  const error = new RouterError('upstream_invalid', 'made up')
  return { class: failureClass, error, outcome: 'invalid', reason: null, answered: null }
}

const wordOf = (outcome: AttemptOutcome, failure: AttemptFailure | null = null, status: number | null = null) =>
  outcomeOfAttempt({ outcome, failure, status }, 1_000)

describe('answers', () => {
  test.each([200, 201, 204])('%i: its body decides', (status) => {
    expect(wordOf(answerOf(status))).toBeNull()
  })

  test.each([400, 401, 403, 404, 408, 409, 413, 422, 499, 501, 505])('%i is the caller’s own', (status) => {
    expect(wordOf(answerOf(status))).toEqual({ kind: 'caller' })
  })

  test.each([500, 502, 504, 507, 520, 529, 530])('%i is a fault of a worker that was reached', (status) => {
    expect(wordOf(answerOf(status))).toEqual({ kind: 'fault', reach: 'sent' })
  })

  test.each<[number, Record<string, string>, number]>([
    [429, {}, 0],
    [429, { 'retry-after': '3' }, 3_000],
    [429, { 'retry-after': '3600' }, 60_000],
    [429, { 'retry-after': 'soon' }, 0],
    [503, { 'retry-after': '3' }, 3_000],
    [503, { 'retry-after': new Date(8_000).toUTCString() }, 7_000],
    [503, {}, 1_000],
  ])('%i with %o is pressure, for %i ms', (status, headers, waitMs) => {
    expect(wordOf(answerOf(status, headers))).toEqual({ kind: 'busy', waitMs })
  })

  test('a stream that began with an error counts as the status it stands for', () => {
    expect(wordOf(answerOf(200), failureOf('declined'), 503)).toEqual({ kind: 'busy', waitMs: 1_000 })
    expect(wordOf(answerOf(200), failureOf('failed'), 500)).toEqual({ kind: 'fault', reach: 'sent' })
    expect(wordOf(answerOf(200), null, 400)).toEqual({ kind: 'caller' })
  })

  test('an answer that can’t be passed on is a fault; one cut short may be a broken connection', () => {
    expect(wordOf(answerOf(200), failureOf('failed'))).toEqual({ kind: 'fault', reach: 'sent' })
    expect(wordOf(answerOf(302), failureOf('failed'))).toEqual({ kind: 'fault', reach: 'sent' })
    expect(wordOf(answerOf(200), failureOf('maybe_sent'))).toEqual({ kind: 'fault', reach: 'maybe_sent' })
  })
})

describe('no answer', () => {
  test.each(['not_sent', 'maybe_sent'] as const)('%s is a fault', (phase) => {
    const outcome = { kind: 'unreachable', phase, reason: 'refused' } as const
    expect(wordOf(outcome, failureOf(phase))).toEqual({ kind: 'fault', reach: phase })
  })

  test('a timeout is one, unless the time for everything was up', () => {
    const late = (limit: 'first_byte' | 'idle' | 'total') => ({ kind: 'timeout', limit }) as const
    expect(wordOf(late('first_byte'), failureOf('maybe_sent'))).toEqual({ kind: 'fault', reach: 'sent' })
    expect(wordOf(late('total'), failureOf('final'))).toBeNull()
  })

  test('a caller that left, or whose body broke off, and a worker that lost a race, say nothing', () => {
    expect(wordOf({ kind: 'aborted' }, failureOf('final'))).toBeNull()
    expect(wordOf({ kind: 'superseded' }, failureOf('final'))).toBeNull()
    const cut = { kind: 'unreachable', phase: 'maybe_sent', reason: 'reset' } as const
    expect(wordOf(cut, failureOf('final'))).toBeNull()
  })
})

describe('the end of a body', () => {
  function notedAt(end: StreamEnd, cause: Interruption | null = null): Outcome | null {
    let noted: Outcome | null = null
    const activity = { lastByteAtMs: null, isWaiting: true }
    const lease: Lease = { activity, note: (outcome) => (noted = outcome), release() {}, renew() {} }
    noteBody(lease, end, answerOf(200, {}, cause))
    return noted
  }
  const timeout = (limit: 'idle' | 'total') => ({ kind: 'timeout', limit }) as const

  test.each<[StreamEnd, Interruption | null, Outcome | null]>([
    ['complete', null, { kind: 'ok' }],
    ['truncated', null, { kind: 'fault', reach: 'maybe_sent' }],
    ['timeout', timeout('idle'), { kind: 'fault', reach: 'sent' }],
    ['timeout', timeout('total'), null],
    ['upstream_error', null, { kind: 'caller' }],
    ['client_aborted', { kind: 'client_gone' }, null],
  ])('%s', (end, cause, outcome) => {
    expect(notedAt(end, cause)).toEqual(outcome)
  })
})

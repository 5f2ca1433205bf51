// The names of spans are a contract.

import { expect, test } from 'vitest'
import * as entry from '../index.ts'
import * as names from './span-names.ts'

test('are these, and all are listed', () => {
  expect(names.ALL_SPAN_NAMES).toEqual([
    'hooks.pipeline',
    'hook.execute',
    'cache.exact_lookup',
    'cache.semantic_lookup',
    'embedding.fetch',
    'routing.cluster',
    'routing.decide',
    'signals.evaluate',
    'lmcache.tokenize',
    'lmcache.lookup',
    'store.call',
    'worker.forward',
    'worker.attempt',
  ])
  const { ALL_SPAN_NAMES, ...constants } = names
  expect(new Set(Object.values(constants))).toEqual(new Set(ALL_SPAN_NAMES))
})

test('are exported by the package, each under its constant', () => {
  expect(entry).toMatchObject(names)
})

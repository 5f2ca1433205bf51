// The registry: what is built in, what may be added, and what is refused.

import { expect, test } from 'vitest'
import * as z from 'zod'
import { PolicyError } from '../policy-error.ts'
import { definePolicy, type PolicyDefinition } from '../policy.ts'
import { BUILT_IN_POLICIES, policyRegistry } from './index.ts'

function named(name: string): PolicyDefinition {
  return definePolicy({
    name,
    options: z.strictObject({}),
    create: () => ({ name, needs: {}, score: ({ candidates }) => candidates.map(() => ({ score: 0 })) }),
  })
}

test('the built-in policies', () => {
  const names = [
    'round_robin',
    'random',
    'least_load',
    'power_of_two',
    'consistent_hash',
    'cache_aware',
    'lmcache_aware',
  ]
  expect([...BUILT_IN_POLICIES.keys()]).toEqual(names)
  expect([...policyRegistry(undefined).keys()]).toEqual(names)
})

test('a custom policy is added, and the built-in ones stay as they are', () => {
  const mine = named('mine')
  expect(policyRegistry({ mine }).get('mine')).toBe(mine)
  expect(BUILT_IN_POLICIES.has('mine')).toBe(false)
})

test.each([
  ['random', named('random'), 'Policy `random` has the name of a built-in policy'],
  ['Mine', named('Mine'), 'Policy `Mine` has an unusable name'],
  ['my-policy', named('my-policy'), 'has an unusable name'],
  ['', named(''), 'has an unusable name'],
  ['x'.repeat(65), named('x'.repeat(65)), 'has an unusable name'],
  ['mine', named('other'), 'Policy `mine` is registered as `mine` but its definition is named `other`'],
  // What a plug-in in plain JavaScript could export.
  ['mine', {} as PolicyDefinition, 'Policy `mine` is no policy definition'],
  ['mine', null as unknown as PolicyDefinition, 'Policy `mine` is no policy definition'],
])('%s is refused: %o', (name, definition, message) => {
  expect(() => policyRegistry({ [name]: definition })).toThrow(PolicyError)
  expect(() => policyRegistry({ [name]: definition })).toThrow(message)
})

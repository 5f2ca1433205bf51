// The memory of stored responses: bounded by time and by number.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createResponseOwners } from './response-owners.ts'

const owner = { workerId: 'a', tenant: 'team' }

test('an entry is found until it expires, and gone from then on', () => {
  const owners = createResponseOwners()
  owners.remember('r', owner, { nowMs: 0, expiresAtMs: 100 })
  expect(owners.find('r', 99)).toEqual(owner)
  expect(owners.find('r', 100)).toBeNull()
  expect(owners.find('r', 50)).toBeNull()
})

test('the last word of a tenant on an id counts', () => {
  const owners = createResponseOwners()
  owners.remember('r', owner, { nowMs: 0, expiresAtMs: 100 })
  owners.remember('r', { workerId: 'b', tenant: 'team' }, { nowMs: 0, expiresAtMs: 200 })
  expect(owners.find('r', 150)).toEqual({ workerId: 'b', tenant: 'team' })
})

test.each(['other', null])('nobody takes an id over from another tenant while it is known: %s', (tenant) => {
  const owners = createResponseOwners()
  owners.remember('r', owner, { nowMs: 0, expiresAtMs: 100 })
  owners.remember('r', { workerId: 'b', tenant }, { nowMs: 99, expiresAtMs: 200 })
  expect(owners.find('r', 99)).toEqual(owner)
  owners.remember('r', { workerId: 'b', tenant }, { nowMs: 100, expiresAtMs: 200 })
  expect(owners.find('r', 100)).toEqual({ workerId: 'b', tenant })
})

test('forgetting is immediate, and harmless for an id that is not there', () => {
  const owners = createResponseOwners()
  owners.remember('r', owner, { nowMs: 0, expiresAtMs: 100 })
  owners.forget('r')
  owners.forget('r')
  expect(owners.find('r', 0)).toBeNull()
})

test('property: it holds at most its number of entries, and the newest of them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat(12), { maxLength: 60 }), (limit, ids) => {
      const owners = createResponseOwners(limit)
      for (const id of ids) owners.remember(`r${id}`, owner, { nowMs: 0, expiresAtMs: 1 })
      const newestFirst = [...new Set(ids.toReversed())]
      for (const [at, id] of newestFirst.entries()) expect(owners.find(`r${id}`, 0) !== null).toBe(at < limit)
    }),
  )
})

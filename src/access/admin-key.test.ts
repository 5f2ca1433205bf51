import { describe, expect, test } from 'vitest'
import { type AdminKeyEntry, findAdminKey, offeredAdminKeys } from './admin-key.ts'
import { ADMIN_SCOPES } from './admin-scopes.ts'
import { digestOfKey } from './key-digest.ts'

const keyed = (label: string, key: string, scopes: AdminKeyEntry['scopes'] = ADMIN_SCOPES): AdminKeyEntry => {
  return { label, keyDigest: digestOfKey(key), scopes }
}

const offer = (headers: Readonly<Record<string, string>>) => {
  const given = new Headers(headers)
  return offeredAdminKeys((name) => given.get(name))
}

describe('keys that a request offers', () => {
  test.each([
    [{}, []],
    [{ authorization: 'Bearer k' }, ['k']],
    [{ authorization: 'bearer   k ' }, ['k']],
    [{ 'x-admin-key': 'k' }, ['k']],
    [{ authorization: 'Bearer j', 'x-admin-key': 'k' }, ['j', 'k']],
    [{ authorization: 'Bearer k', 'x-admin-key': 'k' }, ['k']],
    [{ authorization: 'Basic k', 'x-api-key': 'k', 'x-router-key': 'k' }, []],
    [{ authorization: 'Bearer undefined', 'x-admin-key': 'null' }, []],
    [{ authorization: 'Bearer', 'x-admin-key': '' }, []],
    [{ 'x-admin-key': 'k k' }, []],
    [{ 'x-admin-key': 'k'.repeat(9_000) }, []],
  ])('%o', (headers, keys) => expect(offer(headers as Record<string, string>)).toEqual(keys))
})

describe('the key among them', () => {
  const known = [keyed('all', 'a'), keyed('look', 'l', ['read']), keyed('move', 'm', ['drain', 'workers'])]

  test('is found in any place, and none where there is none', () => {
    expect(findAdminKey(['x', 'l'], known, ['read'])?.label).toBe('look')
    expect(findAdminKey(['x', 'y'], known, ['read'])).toBeNull()
    expect(findAdminKey([], known, ['read'])).toBeNull()
    expect(findAdminKey(['a'], [], ['read'])).toBeNull()
  })

  test('is one with a wanted scope before one without', () => {
    expect(findAdminKey(['l', 'm'], known, ['drain'])?.label).toBe('move')
    expect(findAdminKey(['l'], known, ['drain'])?.label).toBe('look')
  })
})

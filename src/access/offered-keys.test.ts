import { describe, expect, test } from 'vitest'
import { canBeKey, MAX_KEY_LENGTH, offeredKeys } from './offered-keys.ts'

const offered = (headers: Readonly<Record<string, string>>) => offeredKeys((name) => headers[name] ?? null)

describe('offered keys', () => {
  test.each([
    [{ authorization: 'Bearer k-1' }, ['k-1']],
    [{ authorization: 'bearer k-1' }, ['k-1']],
    [{ authorization: 'BEARER   k-1 ' }, ['k-1']],
    [{ 'x-router-key': 'k-1' }, ['k-1']],
    [{ 'x-api-key': 'k-1' }, ['k-1']],
    [{ authorization: 'Bearer a', 'x-router-key': 'b', 'x-api-key': 'c' }, ['a', 'b', 'c']],
    [{ authorization: 'Bearer a', 'x-router-key': 'a' }, ['a']],
    [{ authorization: 'Basic a', 'x-api-key': 'c' }, ['c']],
  ])('of %j are %j', (headers, keys) => {
    expect(offered(headers)).toEqual(keys)
  })

  test.each([
    {},
    { authorization: 'k-1' },
    { authorization: 'Basic k-1' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer ' },
    { authorization: 'Bearer a b' },
    { authorization: 'Bearer\ta' },
    { authorization: 'Bearer undefined' },
    { authorization: 'Bearer null' },
    { authorization: 'Bearer None' },
    { 'x-api-key': '' },
    { 'x-api-key': ' ' },
    { 'x-api-key': 'undefined' },
    { 'x-api-key': 'sésame' },
    { 'x-api-key': 'a\u0000b' },
    { 'x-api-key': 'a'.repeat(MAX_KEY_LENGTH + 1) },
    { authorization: `Bearer ${'a'.repeat(1024 * 1024)}` },
    { authorization: `Bearer ${' '.repeat(1024 * 1024)}a` },
    { 'x-admin-key': 'k-1' },
    { cookie: 'x-api-key=k-1' },
  ])('are none in %j', (headers) => {
    expect(offered(headers)).toEqual([])
  })

  test('a key is as long as headers carry, and no longer', () => {
    expect(canBeKey('a'.repeat(MAX_KEY_LENGTH))).toBe(true)
    expect(canBeKey('a'.repeat(MAX_KEY_LENGTH + 1))).toBe(false)
  })
})

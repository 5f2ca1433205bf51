import { expect, test } from 'vitest'
import { couldComeFrom, isSameKey, keyHeadersOf } from './session-key.ts'

const key = (source: string) => ({ source, hash: '0123456789abcdef' })

test.each([
  ['the list stays', key('header:b'), ['a', 'b'], ['a', 'b'], true],
  ['one that had nothing goes', key('header:b'), ['a', 'b'], ['b'], true],
  ['one that was never looked at comes behind', key('header:b'), ['a', 'b'], ['b', 'c'], true],
  ['one that was never looked at comes before', key('header:b'), ['a', 'b'], ['c', 'b'], false],
  ['the one that had it goes', key('header:b'), ['a', 'b'], ['a'], false],
  ['the body had it, and fewer headers are asked', key('body:user'), ['a', 'b'], ['b'], true],
  ['the body had it, and another header is asked', key('body:user'), ['a'], ['a', 'b'], false],
  ['there was none, and fewer headers are asked', null, ['a', 'b'], ['a'], true],
  ['there was none, and another header is asked', null, ['a'], ['b'], false],
])('%s', (_, recorded, before, after, expected) => {
  expect(isSameKey(recorded, { before, after })).toBe(expected)
})

test('a key from a header that is not in the list came from another list', () => {
  expect(couldComeFrom(key('header:x-team'), ['x-session-id'])).toBe(false)
  expect(couldComeFrom(key('header:x-session-id'), ['x-session-id'])).toBe(true)
  expect(couldComeFrom(key('prompt'), [])).toBe(true)
  expect(couldComeFrom(null, [])).toBe(true)
})

test('a policy that does not say where gets the usual headers', () => {
  expect(keyHeadersOf({})).toContain('x-session-id')
  expect(keyHeadersOf({ affinity: { headers: ['x-team'] } })).toEqual(['x-team'])
})

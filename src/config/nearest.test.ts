// Which typo leads to which name.
// And which one leads to none, since a wrong suggestion is worse than silence.

import { expect, test } from 'vitest'
import { editDistance, nearest } from './nearest.ts'

const NAMES = ['workers', 'weight', 'port', 'host', 'worker_api_keys', 'round_robin', 'first_byte']

test.each([
  ['wokers', 'workers'],
  ['wieght', 'weight'],
  ['prot', 'port'],
  ['workerApiKeys', 'worker_api_keys'],
  ['roundrobin', 'round_robin'],
  ['first-byte', 'first_byte'],
  ['zzz', null],
  ['x', null],
  ['', null],
  ['p'.repeat(500), null],
])('%s suggests %s', (word, name) => {
  expect(nearest(word, NAMES)).toBe(name)
})

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['abc', 'abc', 0],
  ['abc', 'acb', 1],
  ['kitten', 'sitting', 3],
])('%s and %s are %i edits apart', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance)
  expect(editDistance(b, a)).toBe(distance)
})

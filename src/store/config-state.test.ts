import { expect, test } from 'vitest'
import { ConfigHistory } from './config-state.ts'

const change = (hash: string) => ({ hash, origin: 'api', by: 'ops', atMs: 5 }) as const

function after(history: ConfigHistory, ...hashes: string[]): ConfigHistory {
  return hashes.reduce((at, hash) => at.after(at.sequence(), change(hash)) ?? at, history)
}

test('counts changes, newest first', () => {
  const history = after(new ConfigHistory([]), 'a', 'b', 'a')
  expect(history.versions.map(({ hash, sequence }) => [hash, sequence])).toEqual([
    ['a', 3],
    ['b', 2],
    ['a', 1],
  ])
  expect(history.newest()).toEqual({ hash: 'a', sequence: 3, origin: 'api', by: 'ops', atMs: 5 })
})

test('a change made from anything but the current one is refused', () => {
  const history = after(new ConfigHistory([]), 'a', 'b')
  expect([0, 1, 3].map((sequence) => history.after(sequence, change('c')))).toEqual([null, null, null])
})

test('the current document again is no change, an earlier one is', () => {
  const history = after(new ConfigHistory([]), 'a', 'b')
  expect(history.after(2, change('b'))).toBe(history)
  expect(history.after(2, change('a'))?.sequence()).toBe(3)
})

test('keeps fifty versions and counts on', () => {
  const history = after(new ConfigHistory([]), ...Array.from({ length: 60 }, (_, index) => `h${index}`))
  expect(history.versions).toHaveLength(50)
  expect(history.sequence()).toBe(60)
  expect([history.has('h9'), history.has('h10')]).toEqual([false, true])
})

import { expect, test } from 'vitest'
import { RecentIds } from './recent-ids.ts'

test('knows the last ids, and says from which time on it knows all', () => {
  const recent = new RecentIds(1_000, 10)
  expect(recent.mayHaveForgotten(1_000)).toBe(true)
  expect(recent.mayHaveForgotten(1_001)).toBe(false)
  for (let n = 0; n < 20; n += 1) recent.add([`id${n}`], 2_000 + n)
  expect(Array.from({ length: 20 }, (_, n) => recent.has(`id${n}`))).not.toContain(false)
  expect(recent.mayHaveForgotten(1_001)).toBe(false)
  recent.add(['id20'], 2_020)
  expect(recent.has('id9')).toBe(false)
  expect(recent.has('id10')).toBe(true)
  expect(recent.has('id20')).toBe(true)
  expect(recent.mayHaveForgotten(2_009)).toBe(true)
  expect(recent.mayHaveForgotten(2_010)).toBe(false)
})

import { expect, test } from 'vitest'
import { createRandomIds } from './random-ids.ts'

test('no two ids are alike, within what is drawn at a time and beyond it', () => {
  const randomId = createRandomIds()
  const ids = Array.from({ length: 1_000 }, () => randomId())
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/)
})

test('every digit of an id is drawn', () => {
  const randomId = createRandomIds()
  const ids = Array.from({ length: 500 }, () => randomId())
  for (let at = 0; at < 32; at += 1) expect(new Set(ids.map((id) => id[at])).size).toBe(16)
})

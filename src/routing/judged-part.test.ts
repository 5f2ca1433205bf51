// A long text is judged by its ends.

import { expect, test } from 'vitest'
import { judgedPart } from './judged-part.ts'

test('a long text is judged by its beginning and its end, and no character is cut', () => {
  const long = `${'😀'.repeat(2_000)}end`
  const part = judgedPart(long)
  expect(part.length).toBeLessThan(2_100)
  expect(part.endsWith('end')).toBe(true)
  expect(part.isWellFormed()).toBe(true)
  expect(judgedPart(`a${long}`).isWellFormed()).toBe(true)
  expect(judgedPart('short')).toBe('short')
})

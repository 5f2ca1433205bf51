import { expect, test } from 'vitest'
import { causeText, reasonText } from './cause-text.ts'

const failed = (task: () => unknown): unknown => {
  try {
    return task()
  } catch (error) {
    return error
  }
}

test('a cause is told with where it happened, and with what caused it', () => {
  const text = causeText(new Error('outer', { cause: new TypeError('inner') }))
  expect(text).toMatch(/^Error: outer\n\s+at .*\n[^]*caused by TypeError: inner\n\s+at /)
})

test('no parser quotes what it was given', () => {
  const error = failed(() => JSON.parse('{"messages": secret-prompt'))
  for (const text of [causeText(error), reasonText(error)]) {
    expect(text).toContain('text that is not valid JSON')
    expect(text).not.toContain('secret-prompt')
  }
})

test.each([
  'fetch failed: https://user:secret-1@10.0.0.7/x?token=secret-2#secret-3',
  'Invalid URL redis://:secret-1@cache:6379/0?auth=secret-2',
  'refused: Authorization: Bearer secret-1',
  "can't reach 'postgres://me:secret-1@db/x'",
])('addresses and headers lose their secrets: %s', (message) => {
  for (const text of [causeText(new Error(message)), reasonText(new Error(message)), causeText(message)]) {
    expect(text).not.toMatch(/secret-/)
    expect(text).toContain('***')
  }
})

test('what is thrown and no error is told, too, and never at length', () => {
  expect(causeText('plain words')).toBe('plain words')
  expect(causeText(new Error('x'.repeat(100_000))).length).toBeLessThanOrEqual(4_000)
})

// Every string must become a value that Headers takes unchanged on all runtimes, and that can be decoded again.
// Node is checked here; the same properties hold on Bun, Deno and workerd because the output is visible ASCII.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeHeaderValue } from './header-value.ts'

// What TextEncoder makes of it: lone surrogates become U+FFFD.
const wellFormed = (value: string) =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(value))

describe('encodeHeaderValue', () => {
  test.each([
    ['', ''],
    ['   ', ''],
    ['gpt-4o', 'gpt-4o'],
    ['org/model:v1.2 (chat), "x"', 'org/model:v1.2 (chat), "x"'],
    ['  padded\t', 'padded'],
    ['a\r\nset-cookie: x=1', 'a%0D%0Aset-cookie: x=1'],
    ['a\0b', 'a%00b'],
    ['tab\there', 'tab%09here'],
    ['del\u007f.', 'del%7F.'],
    ['100%', '100%25'],
    ['a%0Ab', 'a%250Ab'],
    ['é', '%C3%A9'],
    ['模型', '%E6%A8%A1%E5%9E%8B'],
    ['😀', '%F0%9F%98%80'],
    ['\ud83d', '%EF%BF%BD'],
    ['x\udc00y', 'x%EF%BF%BDy'],
    ['\u0085\u009f', '%C2%85%C2%9F'],
    ['a\u2028b', 'a%E2%80%A8b'],
  ])('%j becomes %j', (value, encoded) => {
    expect(encodeHeaderValue(value)).toBe(encoded)
  })

  test('is cut at 1,024 characters, never inside a character and never at a space', () => {
    expect(encodeHeaderValue('a'.repeat(2000))).toBe('a'.repeat(1024))
    expect(encodeHeaderValue(`${'a'.repeat(1020)}漢字`)).toBe('a'.repeat(1020))
    expect(encodeHeaderValue(`${'a'.repeat(1015)}漢字`)).toBe(`${'a'.repeat(1015)}%E6%BC%A2`)
    expect(encodeHeaderValue(`${'a'.repeat(1023)} ${'b'.repeat(100)}`)).toBe('a'.repeat(1023))
    expect(encodeHeaderValue('😀'.repeat(1_000_000))).toBe('%F0%9F%98%80'.repeat(85))
  })

  test('never throws, always fits Headers, is its own trimmed form and decodes to what was given', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2000 }),
      fc.string({ unit: 'grapheme' }),
      fc.uint16Array({ max: 65535 }).map((units) => String.fromCharCode(...units)),
    )
    fc.assert(
      fc.property(anything, (value) => {
        const encoded = encodeHeaderValue(value)
        expect(encoded).toMatch(/^[\x20-\x7e]{0,1024}$/)
        expect(new Headers({ 'x-value': encoded }).get('x-value')).toBe(encoded)
        expect(wellFormed(value.trim()).startsWith(decodeURIComponent(encoded))).toBe(true)
        if (encoded.length < 1000) expect(decodeURIComponent(encoded)).toBe(wellFormed(value.trim()))
      }),
      { numRuns: 3000 },
    )
  })
})

// Expressions match as the language's own do, and take no longer than the text is long.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileRegex } from './linear-regex.ts'
import { RegexError } from './regex-parse.ts'

describe('what matches', () => {
  test.each([
    ['AKIA[0-9A-Z]{16}', 'key AKIAABCDEFGHIJKLMNOP.', true],
    ['AKIA[0-9A-Z]{16}', 'key AKIAABCDEFGHIJK', false],
    ['\\b\\d{3}-\\d{2}-\\d{4}\\b', 'my number is 123-45-6789.', true],
    ['\\b\\d{3}-\\d{2}-\\d{4}\\b', '0123-45-67890', false],
    ['^urgent', 'urgent: it burns', true],
    ['^urgent', 'not urgent', false],
    ['done$', 'all done', true],
    ['done$', 'done it', false],
    ['colou?r', 'COLOR', true],
    ['(?:foo|ba[rz])+!', 'foobarbaz!', true],
    ['a.c', 'a\nc', false],
    ['\\p{Han}{2}', 'x 漢字', true],
    ['\\bмир\\b', 'привет, мир!', true],
    ['\\bмир\\b', 'мираж', false],
    ['[^a-z]', 'abc', false],
    ['(?P<year>20\\d\\d)', 'in 2031', true],
    ['x{2,3}y', 'xy xxy', true],
    ['\\u00e9', 'CAFÉ', true],
    ['😀+', 'hm 😀😀', true],
  ])('%s in %j: %s', (pattern, text, expected) => {
    expect(compileRegex(pattern, false).test(text)).toBe(expected)
  })

  test('case counts where it is said to', () => {
    expect(compileRegex('abc', true).test('ABC')).toBe(false)
  })

  test.each([
    ['\\?', 'why? how?? when', 3],
    ['\\d+', '1 22 333', 3],
    ['\\bif\\b', 'if this, if that, iffy', 2],
    ['ab', 'abababx', 3],
  ])('%s is in %j %i times', (pattern, text, count) => {
    expect(compileRegex(pattern, false).count(text)).toBe(count)
  })

  test('the same as the engine of the language, for what both have', () => {
    const atom = fc.constantFrom('a', 'b', 'c', '[ab]', '[^a]', '.', '\\b', '^', '$', '\\w')
    const pattern = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        atom,
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => `${a}${b}`),
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(?:${a}|${b})`),
        fc.tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}')).map(([a, count]) => `(?:${a})${count}`),
      ),
    })).node
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', 'd'), maxLength: 12 })
    fc.assert(
      fc.property(pattern, text, (source, input) => {
        let regex
        try {
          regex = compileRegex(source, true)
        } catch (error) {
          // Too large, or matching nothing: both are refused on purpose.
          if (error instanceof RegexError) return
          throw error
        }
        expect(regex.test(input)).toBe(new RegExp(source).test(input))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('what is refused', () => {
  test.each([
    ['(a', 'without its )'],
    ['a)', 'without its ('],
    ['[a', 'without its ]'],
    ['*a', 'nothing before it'],
    ['(?=a)b', 'looks ahead or back'],
    ['(?<!a)b', 'looks ahead or back'],
    ['(a)\\1', 'refers back'],
    ['a**', 'repeats a repeat'],
    ['a*', 'every text'],
    ['a{1000}', 'more than 128'],
    ['(((a{30}){30}){30})', 'more than 128'],
    ['(\\b{900}){900}a', 'too large'],
    ['\\p{Nonsense}', 'no property'],
    ['a\\', 'ends in a'],
    ['[z-a]', 'end comes first'],
    ['\\q', 'means nothing'],
    [`${'('.repeat(40)}a${')'.repeat(40)}`, 'inside one another'],
    ['a'.repeat(1_001), 'longer than'],
  ])('%s', (pattern, words) => {
    expect(() => compileRegex(pattern, false)).toThrow(words)
  })
})

/** Time on the processor, the least of several: a busy machine makes any one of them slow. */
function fastestMs(work: () => void): number {
  return Math.min(
    ...Array.from({ length: 5 }, () => {
      const before = process.threadCpuUsage()
      work()
      const { user, system } = process.threadCpuUsage(before)
      return (user + system) / 1_000
    }),
  )
}

describe('time', () => {
  const BYTES = 100_000
  const EVIL = [
    '(a+)+$',
    '(a|a)*b',
    '(.*)(.*)(.*)x',
    '(a|b)*a(a|b){30}c',
    '(\\w+\\s?)*!',
    '([ab]{1,60})*c',
    '(x+x+)+y',
    '[^z]{1,127}z',
    '(\\w{1,60}\\b){2}z',
  ]
  const TEXTS = ['a', 'ab', 'x', 'aab ', 'aé', '漢'].map((unit) => {
    return unit.repeat(BYTES / new TextEncoder().encode(unit).length)
  })
  // More characters than anybody would remember one by one.
  TEXTS.push(
    Array.from({ length: BYTES / 3 }, (_, at) => String.fromCodePoint(0x3400 + ((at * 7_919) % 27_000))).join(''),
  )

  // 10 ms on a machine that does nothing else; this one may be slower and busy.
  test.each(EVIL)('%s takes 100 KB in no time, whatever they hold', (pattern) => {
    const regex = compileRegex(pattern, false)
    for (const text of TEXTS) {
      expect(fastestMs(() => regex.test(text))).toBeLessThan(40)
      expect(fastestMs(() => regex.count(text))).toBeLessThan(40)
    }
  })

  test('nothing that can be written takes longer', () => {
    const piece = fc.constantFrom('a', 'b', '.', '\\w', '[ab]', 'a*', '(a|b)*', '(a+)+', '(.*)*', '.{0,20}', '\\b')
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), fc.nat({ max: TEXTS.length - 1 }), (pieces, at) => {
        const text = TEXTS[at] ?? ''
        let regex
        try {
          regex = compileRegex(`${pieces.join('')}z`, false)
        } catch (error) {
          if (error instanceof RegexError) return
          throw error
        }
        expect(fastestMs(() => regex.test(text))).toBeLessThan(40)
      }),
      { numRuns: 60 },
    )
  })
})

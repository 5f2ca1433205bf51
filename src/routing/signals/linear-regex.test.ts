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

describe('characters beyond ASCII', () => {
  const LETTERS = ['a', 'K', 's', 'ſ', 'ß', 'ẞ', 'é', 'Ω', 'σ', 'ς', 'д', 'Д', 'ǅ', 'ı', 'İ', '漢', '😀', '𝒳', '𐐀', '𐐨']

  test('match as the engine of the language has them, in either case', () => {
    const piece = fc.constantFrom(
      ...LETTERS,
      '[а-я]',
      '[À-þ]',
      '[^k]',
      '[^σa]',
      '\\p{Lu}',
      '[\\p{Ll}\\p{Greek}]',
      '\\d',
      '.',
    )
    const pattern = fc.array(fc.tuple(piece, fc.constantFrom('', '+', '?', '{2}')), { minLength: 1, maxLength: 4 })
    const text = fc.string({ unit: fc.constantFrom(...LETTERS, '\u212a', 'k', 'S', 'Σ', '1', '\n'), maxLength: 10 })
    fc.assert(
      fc.property(pattern, text, fc.boolean(), (pieces, input, isCaseSensitive) => {
        const source = `${pieces.map((parts) => parts.join('')).join('')}a`
        const native = new RegExp(source.replaceAll('\\p{Greek}', '\\p{sc=Greek}'), isCaseSensitive ? 'u' : 'iu')
        expect(compileRegex(source, isCaseSensitive).test(input)).toBe(native.test(input))
      }),
      { numRuns: 3_000 },
    )
  })

  test('every letter has the cases that the engine of the language gives it', () => {
    const cased = Array.from({ length: 0x1_e944 }, (_, code) => String.fromCodePoint(code)).filter((letter) => {
      return /^\p{Changes_When_Casemapped}$/u.test(letter)
    })
    const all = cased.join('')
    const wrong = cased.filter((letter) => {
      const native = new Set(all.match(new RegExp(letter, 'giu')))
      const own = compileRegex(letter, false)
      return [letter, letter.toLowerCase(), letter.toUpperCase(), ...native].some((other) => {
        return [...other].length === 1 && own.test(other) !== native.has(other) && /\p{CWCM}/u.test(other)
      })
    })
    // Pairs that engines fold since Unicode 15.1 only.
    expect(wrong.filter((letter) => !'\u0390\u03b0\u1fd3\u1fe3ﬅﬆ'.includes(letter))).toEqual([])
  })

  test('many properties are one question', () => {
    const regex = compileRegex(
      '[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}\\p{Thai}\\p{Arabic}\\p{Hebrew}\\p{Greek}\\p{Cyrillic}]!',
      false,
    )
    expect(['漢!', 'д!', 'a!'].map((text) => regex.test(text))).toEqual([true, true, false])
  })
})

test('letters that every match has are looked for in every case they may have', () => {
  const matches: [pattern: string, text: string][] = [
    ['key\\tname', 'KEY\tNAME'],
    ['STRASSE', 'straſſe'],
    ['kelvin', '\u212aELVIN'],
    ['ΟΔΟΣ', 'οδος'],
    ['(?i)Secret', 'SECRET'],
    ['x(ab)+y|zz', 'ZZ'],
    ['[a]b{2}c?', 'ABB'],
  ]
  for (const [pattern, text] of matches)
    expect([pattern, compileRegex(pattern, false).test(text)]).toEqual([pattern, true])
  expect(compileRegex('(?i)Secret', true).test('SECRET')).toBe(true)
  expect(compileRegex('Secret', true).test('SECRET')).toBe(false)
})

test('a hundred expressions cost a text with none of their letters little', () => {
  const text = shuffled(['some', ' ', 'words', 'é'], BYTES)
  const expressions = Array.from({ length: 100 }, (_, at) => compileRegex(`\\bq${at}[0-9A-Z]{16}`, false))
  expectInTime(text, FIRST_MS, () => (input) => void expressions.filter((regex) => regex.test(input)))
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
    [
      ['Lu', 'Ll', 'Lt', 'Lm', 'Lo', 'Mn', 'Mc', 'Me', 'Nd', 'Nl', 'No', 'Pc', 'Pd', 'Ps', 'Pe', 'Pi', 'Pf']
        .map((name) => `\\p{${name}}`)
        .join(''),
      'different things',
    ],
  ])('%s', (pattern, words) => {
    expect(() => compileRegex(pattern, false)).toThrow(words)
  })
})

const BYTES = 100_000

/** Pieces in no order, always the same. */
function shuffled(pieces: readonly string[], bytes = BYTES): string {
  let seed = 1
  let text = ''
  for (let size = 0; size < bytes;) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff
    const piece = pieces[(seed >> 12) % pieces.length] ?? ''
    text += piece
    size += new TextEncoder().encode(piece).length
  }
  return text
}

const EVIL = [
  '(a+)+$',
  '(a|a)*b',
  '(.*)(.*)(.*)x',
  '(a|b)*a(a|b){30}c',
  '[ab]*a[ab]{125}c',
  '([ab]*a){2}([ab]{2}|[ab]{3}){20}c',
  '(\\w+\\s?)*!',
  '([ab]{1,60})*c',
  '(x+x+)+y',
  '[^z]{1,127}z',
  '(\\w{1,60}\\b){2}z',
  '(\\w|a)(\\w\\b|.){1,50}\\p{Lu}{2}\\p{Greek}q',
]
const TEXTS = [
  ...['a', 'ab', 'x', 'aab ', 'aé', '漢'].map((unit) => unit.repeat(BYTES / new TextEncoder().encode(unit).length)),
  shuffled(['a', 'b']),
  shuffled(['a', 'b', ' ', 'é', '漢', 'Α', '😀', 'K']),
  // More characters than anybody would remember one by one.
  Array.from({ length: BYTES / 3 }, (_, at) => String.fromCodePoint(0x3400 + ((at * 7_919) % 27_000))).join(''),
  Array.from({ length: BYTES / 4 }, (_, at) => String.fromCodePoint(0x10000 + ((at * 7_919) % 200_000))).join(''),
]

test.each(EVIL)('%s finds the same after texts that fill its memory', (pattern) => {
  const short = TEXTS.map((text) => `${text.slice(0, 2_000)}aabb c`)
  const regex = compileRegex(pattern, false)
  const before = short.map((text) => [regex.test(text), regex.count(text)])
  for (const text of TEXTS) regex.count(text)
  expect(short.map((text) => [regex.test(text), regex.count(text)])).toEqual(before)
  expect(short.map((text) => compileRegex(pattern, false).test(text))).toEqual(before.map(([isMatch]) => isMatch))
})

/** How long a plain loop over the text takes: what a machine is worth at the moment. */
function plainLoopMs(text: string): number {
  const before = performance.now()
  let sum = 0
  for (let at = 0; at < text.length; at += 1) sum = (sum + (text.codePointAt(at) ?? 0)) % 65_521
  return sum < 0 ? 0 : performance.now() - before
}

/** So much of a text is gone through before a busy machine takes up something else, which a whole one may not be. */
const PIECE = 10_000
/** A piece's share of 10 ms for 100 KB, three times over: a busy machine has less of its cache for each. */
const KNOWN_MS = 3
/** With all that an expression works out when it meets its first text. */
const FIRST_MS = 10

/**
 * That one of many tries takes no longer, on this machine or on one whose plain loops are as much slower. The first ones
 * run before they are compiled, and a busy machine is late with that.
 */
function expectInTime(text: string, mostMs: number, prepare: () => (text: string) => void): void {
  const piece = text.slice(0, PIECE)
  let least = Number.POSITIVE_INFINITY
  let loop = Number.POSITIVE_INFINITY
  const limit = () => Math.max(1, loop / USUAL_LOOP_MS) * mostMs
  for (let tries = 0; tries === 0 || (tries < 600 && least > limit()); tries += 1) {
    const work = prepare()
    loop = Math.min(loop, plainLoopMs(piece))
    const before = performance.now()
    work(piece)
    least = Math.min(least, performance.now() - before)
  }
  expect(least).toBeLessThanOrEqual(limit())
}

/** What a plain loop over a piece takes on a machine of today. */
const USUAL_LOOP_MS = 0.05

describe('time', () => {
  test.each(EVIL)('%s takes no longer than 10 ms for 100 KB, when it sees them first and later', (pattern) => {
    const known = compileRegex(pattern, false)
    for (const text of TEXTS) {
      expectInTime(text, FIRST_MS, () => (input) => void compileRegex(pattern, false).test(input))
      expectInTime(text, KNOWN_MS, () => (input) => void known.test(input))
      expectInTime(text, KNOWN_MS, () => (input) => void known.count(input))
    }
  })

  test('nothing that can be written takes longer', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '.',
      '\\w',
      '[ab]',
      'a*',
      '(a|b)*',
      '(a+)+',
      '(.*)*',
      '.{0,20}',
      '\\b',
      '\\p{L}',
      '[^é]',
      '漢?',
      '[a-я]+',
    )
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), fc.nat({ max: TEXTS.length - 1 }), (pieces, at) => {
        const pattern = `${pieces.join('')}z`
        try {
          compileRegex(pattern, false)
        } catch (error) {
          if (error instanceof RegexError) return
          throw error
        }
        expectInTime(TEXTS[at] ?? '', FIRST_MS, () => (input) => void compileRegex(pattern, false).test(input))
      }),
      { numRuns: 100 },
    )
  })
})

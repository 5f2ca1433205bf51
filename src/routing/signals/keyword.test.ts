// Words are found as words, in every script, and nothing fires inside another word.

import { describe, expect, test } from 'vitest'
import { keywordSignal, type KeywordRule } from './keyword.ts'
import { compileRegex } from './linear-regex.ts'
import { requestView } from '../../../test/support/request-view.ts'

const RULE: KeywordRule = {
  name: 'k',
  operator: 'OR',
  keywords: [],
  isCaseSensitive: false,
  method: 'words',
  fuzzy: null,
  bm25Threshold: null,
}

function read(rule: Partial<KeywordRule>, text: string) {
  const signal = keywordSignal({ ...RULE, ...rule }, (pattern) => compileRegex(pattern, rule.isCaseSensitive ?? false))
  return signal.read(requestView({ text }))
}

const matches = (rule: Partial<KeywordRule>, text: string) => read(rule, text).kind === 'matched'

describe('words', () => {
  test.each<[string, string, boolean]>([
    // Latin
    ['cat', 'the category', false],
    ['cat', 'a cat.', true],
    ['CAT', 'a cat', true],
    ['café', 'au CAFÉ!', true],
    ['café', 'cafe\u0301 noir', true],
    ['cafe', 'café', false],
    ['naïve', 'naïveté', false],
    ['c++', 'I write C++ daily', true],
    ['.net', 'on .NET, please', true],
    ['user.name@domain.com', 'mail userxname@domain.com', false],
    ['user.name@domain.com', 'mail user.name@domain.com', true],
    ['credit card', 'my credit card number', true],
    ['snake_case', 'in snake_cases', false],
    // Cyrillic
    ['мир', 'Привет, Мир!', true],
    ['мир', 'мираж', false],
    ['срочно', 'СРОЧНО ответьте', true],
    // Greek
    ['οδός', 'Η ΟΔΌΣ', true],
    ['λόγος', 'λόγοςς', false],
    // Han and kana, which put no spaces
    ['数学', '这道数学题', true],
    ['エラー', 'エラーが出ます', true],
    ['error', '中文error信息', true],
    // Thai
    ['ด่วน', 'นี่เป็นเรื่องด่วนมาก', true],
    ['ดวน', 'ด่วน', false],
    // Arabic
    ['عاجل', 'هذا عاجل جدا', true],
    ['عاجل', 'معاجلة', false],
    // Hangul, where particles follow
    ['오류', '오류가 있어요', true],
    ['오류', '무오류', false],
    // Devanagari
    ['मदद', 'मुझे मदद चाहिए', true],
    ['मदद', 'मददगार', false],
  ])('%s in %j: %s', (keyword, text, expected) => {
    expect(matches({ keywords: [keyword] }, text)).toBe(expected)
  })

  test('case counts where it is said to', () => {
    expect(matches({ keywords: ['US'], isCaseSensitive: true }, 'tell us')).toBe(false)
    expect(matches({ keywords: ['US'], isCaseSensitive: true }, 'the US tax')).toBe(true)
  })
})

describe('operators', () => {
  const keywords = ['SSN', 'credit card']

  test.each([
    ['AND', 'my SSN', false],
    ['AND', 'my SSN and credit card', true],
    ['OR', 'my SSN', true],
    ['OR', 'hello', false],
    ['NOR', 'hello', true],
    ['NOR', 'my SSN', false],
  ] as const)('%s on %j: %s', (operator, text, expected) => {
    expect(matches({ operator, keywords }, text)).toBe(expected)
  })

  test('what was found is told by the words of the configuration', () => {
    expect(read({ keywords }, 'MY ssn')).toEqual({ kind: 'matched', confidence: 1, because: '"SSN"' })
    expect(read({ operator: 'AND', keywords }, 'my ssn').because).toBe('only "SSN" of 2 keywords')
  })
})

describe('fuzzy', () => {
  test.each<[string, number | null, string, boolean]>([
    ['urgent', null, 'this is urgnet', true],
    ['urgent', null, 'my agent is a client, recently', false],
    ['asap', null, 'as soon as possible', false],
    ['SSN', null, 'is it in an on', false],
    ['SSN', 1, 'my SNN', true],
    ['credit card', null, 'my credt card', true],
    ['credit card', null, 'give credit to the cart', false],
    ['数学', 1, '我要学数', false],
  ])('%s within %s in %j: %s', (keyword, distance, text, expected) => {
    expect(matches({ keywords: [keyword], fuzzy: { distance } }, text)).toBe(expected)
  })

  test('is told apart', () => {
    expect(read({ keywords: ['urgent'], fuzzy: { distance: null } }, 'urgnet').because).toBe('"urgent (fuzzy)"')
    expect(read({ keywords: ['urgent'], fuzzy: { distance: null } }, 'urgent').because).toBe('"urgent"')
  })
})

/** A word for each number. */
function toLetters(number: number): string {
  return [...(number + 100_000).toString(26)]
    .map((digit) => String.fromCharCode(97 + Number.parseInt(digit, 26)))
    .join('')
}

describe('no message holds an isolate up', () => {
  const MARKS = '\u0301\u0323'.repeat(500_000)
  const LONG = 'ab'.repeat(500)
  const THOUSAND = Array.from({ length: 1_000 }, (_, at) => `${toLetters(at * 7_919)}zzz ${toLetters(at)}`)
  const VARIED = Array.from({ length: 140_000 }, (_, at) => toLetters(at * 104_729)).join(' ')

  // Each took seconds to minutes; what is asked is that none does, on whatever machine.
  test.each<[string, Partial<KeywordRule>, string]>([
    ['marks that would have to be put in order', { keywords: ['urgent'] }, `urgen${MARKS}t`],
    ['the same, where words are counted', { method: 'bm25', keywords: ['urgent'] }, `urgen${MARKS}t`],
    ['a long keyword that nearly stands at every letter', { keywords: [LONG] }, 'ab'.repeat(200_000)],
    [
      'words that are all near to a long one',
      { keywords: [LONG], fuzzy: { distance: 8 } },
      Array.from({ length: 100 }, (_, index) => `${LONG.slice(9)}${index}`).join(' '),
    ],
    ['a thousand keywords', { keywords: THOUSAND }, VARIED],
    ['the same, misspelt', { keywords: THOUSAND, fuzzy: { distance: null } }, VARIED.slice(0, 100_000)],
    ['the same, by their pieces', { keywords: THOUSAND, method: 'ngram' }, VARIED.slice(0, 100_000)],
    ['a phrase of many words', { keywords: ['ab '.repeat(300)], fuzzy: { distance: 8 } }, 'cd ef '.repeat(16_000)],
  ])('%s', (_what, rule, text) => {
    const before = performance.now()
    expect(matches(rule, text)).toBe(false)
    expect(performance.now() - before).toBeLessThan(1_500)
  })

  test('marks are still read as far as any language writes them', () => {
    expect(matches({ keywords: ['ệ'] }, 'e\u0302\u0323')).toBe(true)
    expect(matches({ keywords: ['cafe'] }, `cafe${'\u0301'.repeat(40)}`)).toBe(false)
  })
})

describe('bm25', () => {
  const rule = { method: 'bm25', keywords: ['credit card', 'refund'] } as const

  test.each<[string, boolean]>([
    ['give credit', false],
    ['cards of credit', true],
    ['Refunds please', true],
    ['prefunding', false],
    ['', false],
  ])('%j: %s', (text, expected) => {
    expect(matches(rule, text)).toBe(expected)
  })

  test('with a threshold a part of a keyword may be enough', () => {
    expect(matches({ ...rule, bm25Threshold: 0.1 }, 'give credit')).toBe(true)
    expect(matches({ ...rule, bm25Threshold: 50 }, 'give credit card refund')).toBe(false)
  })
})

describe('ngram', () => {
  const rule = { method: 'ngram', keywords: ['urgent', 'credit card', '紧急情况', 'banana'] } as const

  test.each<[string, boolean]>([
    ['it is urgent', true],
    ['URGENTLY', true],
    ['several urgents', true],
    ['the agent of a client, recently', false],
    ['my credit cards', true],
    ['give credit to the cart', false],
    ['这是紧急情况', true],
    ['ananananana', false],
    ['', false],
  ])('%j: %s', (text, expected) => {
    expect(matches(rule, text)).toBe(expected)
  })

  test('as similar as it is said to', () => {
    expect(matches({ ...rule, ngrams: { threshold: 0.59, arity: 3 } }, 'an agent')).toBe(true)
    expect(matches({ ...rule, ngrams: { threshold: 0.6, arity: 3 } }, 'an agent')).toBe(false)
    expect(matches({ ...rule, ngrams: { threshold: 1, arity: 2 } }, 'urgently')).toBe(false)
    expect(matches({ ...rule, ngrams: { threshold: 1, arity: 2 } }, 'urgent')).toBe(true)
  })
})

test('expressions are taken raw', () => {
  expect(matches({ method: 'regex', keywords: ['AKIA[0-9A-Z]{16}'] }, 'xAKIAABCDEFGHIJKLMNOPx')).toBe(true)
  expect(matches({ method: 'regex', keywords: ['a\\.b'] }, 'a.b')).toBe(true)
})

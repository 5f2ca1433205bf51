// Which rule decides: the tables of what combines to what, what comes first, and what is left open.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideByRules, type DecisionRule, type DecisionStrategy, type RuleNode, signalsOf } from './decision-rules.ts'
import type { SignalOutcome } from './signals/signal.ts'

const signal = (name: string, family: 'keyword' | 'domain' = 'keyword'): RuleNode => ({ kind: 'signal', family, name })
const and = (...parts: RuleNode[]): RuleNode => ({ kind: 'and', parts })
const or = (...parts: RuleNode[]): RuleNode => ({ kind: 'or', parts })
const not = (part: RuleNode): RuleNode => ({ kind: 'not', part })

/** Confidences of what matched, `null` for what is unknown; all else did not match. */
type Readings = Readonly<Record<string, number | null>>

function reader(readings: Readings) {
  return (_family: string, name: string): SignalOutcome => {
    const confidence = readings[name]
    if (confidence === undefined) return { kind: 'not_matched', because: 'it was not there' }
    return confidence === null
      ? { kind: 'unknown', because: 'timeout' }
      : { kind: 'matched', confidence, because: 'it was there' }
  }
}

function evaluate(when: RuleNode | null, readings: Readings) {
  const [trace] = decideByRules([{ name: 'only', priority: 0, when }], 'priority', reader(readings)).traces
  return trace
}

function winner(rules: readonly DecisionRule[], strategy: DecisionStrategy, readings: Readings) {
  return decideByRules(rules, strategy, reader(readings)).chosen?.name ?? null
}

describe('what a rule comes to', () => {
  test.each<[string, RuleNode | null, Readings, string, number, readonly string[]]>([
    ['a signal that matches', signal('a'), { a: 0.8 }, 'yes', 0.8, ['keyword:a']],
    ['one that does not', signal('a'), {}, 'no', 0, []],
    [
      'AND of two: their mean',
      and(signal('a'), signal('b')),
      { a: 0.6, b: 0.8 },
      'yes',
      0.7,
      ['keyword:a', 'keyword:b'],
    ],
    ['AND with one missing', and(signal('a'), signal('b')), { a: 0.6 }, 'no', 0, []],
    ['OR of two: the surer, alone', or(signal('a'), signal('b')), { a: 0.6, b: 0.9 }, 'yes', 0.9, ['keyword:b']],
    ['OR of equals: the first', or(signal('a'), signal('b')), { a: 0.9, b: 0.9 }, 'yes', 0.9, ['keyword:a']],
    ['OR of none', or(signal('a'), signal('b')), {}, 'no', 0, []],
    ['NOT of what is absent', not(signal('a')), {}, 'yes', 1, ['not keyword:a']],
    ['NOT of what is there', not(signal('a')), { a: 0.5 }, 'no', 0, []],
    ['NOT of NOT', not(not(signal('a'))), { a: 0.5 }, 'yes', 1, ['keyword:a']],
    [
      'nested',
      and(or(signal('a'), signal('b')), not(signal('c'))),
      { b: 0.5 },
      'yes',
      0.75,
      ['keyword:b', 'not keyword:c'],
    ],
    ['no rules: every request, with no confidence', null, {}, 'yes', 0, []],
    ['AND of nothing: the same', and(), {}, 'yes', 0, []],
    ['OR of nothing: none', or(), { a: 1 }, 'no', 0, []],
    ['NOT of an AND that is not complete', not(and(signal('a'), signal('b'))), { a: 1 }, 'yes', 1, ['not keyword:b']],
  ])('%s', (_what, when, readings, ...expected) => {
    const [is, confidence, matched] = expected
    const trace = evaluate(when, readings)
    expect(trace).toMatchObject({ is, matched })
    expect(trace?.confidence).toBeCloseTo(confidence, 12)
  })

  test.each<[string, RuleNode, Readings, string]>([
    ['a signal that could not be had', signal('a'), { a: null }, 'unknown'],
    ['its opposite', not(signal('a')), { a: null }, 'unknown'],
    ['AND, all else there', and(signal('a'), signal('b')), { a: 1, b: null }, 'unknown'],
    ['AND, when something is missing anyway', and(signal('a'), signal('b')), { b: null }, 'no'],
    ['OR, nothing else there', or(signal('a'), signal('b')), { a: null }, 'unknown'],
    ['OR, when something is there anyway', or(signal('a'), signal('b')), { a: null, b: 0.4 }, 'yes'],
  ])('unknown: %s', (_what, when, readings, is) => {
    expect(evaluate(when, readings)?.is).toBe(is)
  })
})

describe('which rule comes first', () => {
  const rule = (name: string, priority: number, when: RuleNode | null = signal(name)): DecisionRule => ({
    name,
    priority,
    when,
  })

  test.each<[string, readonly DecisionRule[], DecisionStrategy, Readings, string | null]>([
    ['the higher priority, however unsure', [rule('a', 10), rule('b', 20)], 'priority', { a: 1, b: 0.2 }, 'b'],
    ['of equal ones the surer', [rule('a', 5), rule('b', 5)], 'priority', { a: 0.7, b: 0.9 }, 'b'],
    ['of those the first by name', [rule('b', 5), rule('a', 5)], 'priority', { a: 1, b: 1 }, 'a'],
    ['names are compared by their bytes', [rule('a', 5), rule('B', 5)], 'priority', { a: 1, B: 1 }, 'B'],
    [
      'by confidence a match beats what takes everything',
      [rule('all', 999, null), rule('a', 1)],
      'confidence',
      { a: 0.72 },
      'a',
    ],
    ['by confidence, of equal ones the priority', [rule('a', 1), rule('b', 2)], 'confidence', { a: 0.5, b: 0.5 }, 'b'],
    ['by confidence, of those the name', [rule('b', 2), rule('a', 2)], 'confidence', { a: 0.5, b: 0.5 }, 'a'],
    ['what takes everything, when nothing else does', [rule('all', 0, null), rule('a', 1)], 'priority', {}, 'all'],
    ['none that is unknown', [rule('a', 9), rule('b', 1)], 'priority', { a: null, b: 0.1 }, 'b'],
    ['nobody', [rule('a', 1)], 'priority', {}, null],
  ])('%s', (_what, rules, strategy, readings, expected) => {
    expect(winner(rules, strategy, readings)).toBe(expected)
    expect(winner(rules.toReversed(), strategy, readings)).toBe(expected)
  })

  test('the category is the first domain that made it match', () => {
    const rules = [
      { name: 'x', priority: 0, when: and(signal('a'), signal('math', 'domain'), signal('law', 'domain')) },
    ]
    expect(decideByRules(rules, 'priority', reader({ a: 1, math: 0.8, law: 0.9 })).category).toBe('math')
    expect(decideByRules(rules, 'priority', reader({ a: 1 })).category).toBeNull()
  })
})

test('each signal is asked for once', () => {
  const rules = [
    { name: 'x', priority: 0, when: and(signal('a'), not(or(signal('b'), signal('a')))) },
    { name: 'y', priority: 0, when: signal('a', 'domain') },
    { name: 'z', priority: 0, when: null },
  ]
  expect(signalsOf(rules)).toEqual([
    { family: 'keyword', name: 'a' },
    { family: 'keyword', name: 'b' },
    { family: 'domain', name: 'a' },
  ])
})

test('what is unknown never changes what is sure', () => {
  const names = ['a', 'b', 'c'] as const
  const node = fc.letrec<{ node: RuleNode }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(...names).map((name) => signal(name)),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((parts) => and(...parts)),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((parts) => or(...parts)),
      tie('node').map(not),
    ),
  })).node
  fc.assert(
    fc.property(node, fc.subarray([...names]), fc.subarray([...names]), (when, present, open) => {
      const sure = Object.fromEntries(present.map((name) => [name, 1]))
      const partly = { ...sure, ...Object.fromEntries(open.map((name) => [name, null])) }
      const before = evaluate(when, partly)?.is
      // Whatever the open ones turn out to be, a definite answer stays.
      if (before !== 'unknown') expect(evaluate(when, sure)?.is).toBe(before)
    }),
  )
})

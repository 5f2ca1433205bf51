// Which model a name leads to: order, patterns, conditions, chains and splits; and what holds for any rules at all.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  applyModelRules,
  drawSplit,
  findRule,
  leadingModel,
  matchCovers,
  type ModelRule,
  ruleCovers,
  type RuleContext,
  type RuleScope,
} from './model-rules.ts'

function rule(match: string, action: ModelRule['action'], more: Partial<ModelRule> = {}): ModelRule {
  return { match, action, when: null, triesNextOnFailure: false, ...more }
}
const rewrite = (match: string, model: string, more: Partial<ModelRule> = {}) =>
  rule(match, { kind: 'rewrite', model }, more)
const fallback = (match: string, models: readonly string[], more: Partial<ModelRule> = {}) =>
  rule(match, { kind: 'fallback', models }, more)
const weights = (match: string, shares: Readonly<Record<string, number>>, more: Partial<ModelRule> = {}) =>
  rule(match, { kind: 'weights', shares: Object.entries(shares).map(([model, weight]) => ({ model, weight })) }, more)
const header = (headers: Readonly<Record<string, string>>) => ({ when: { headers, tenant: null } })

interface Given extends Partial<Omit<RuleContext, 'isAvailable' | 'header'>> {
  readonly up?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

function context({ up = ['large', 'small', 'tiny'], headers = {}, ...given }: Given = {}): RuleContext {
  return {
    tenant: null,
    session: null,
    seed: 1,
    ...given,
    isAvailable: (model) => up.includes(model),
    header: (name) => headers[name] ?? null,
  }
}

const sessionGiven = (index: number): Given => ({
  session: { source: 'header:x-session-id', hash: `session-${index}` },
})

const none = { rule: null, ruleIndex: null, nextModels: [] }

describe('a name', () => {
  test.each<[string, readonly ModelRule[], Given, object]>([
    ['gpt', [], {}, { model: 'gpt', ...none }],
    ['gpt', [rewrite('gpt-4', 'large')], {}, { model: 'gpt', ...none }],
    ['gpt', [rewrite('gpt', 'large')], {}, { model: 'large', rule: 'gpt', ruleIndex: 0 }],
    ['GPT', [rewrite('gpt', 'large')], {}, { model: 'GPT', ...none }],
    ['gpt', [rewrite('gpt', 'large')], { up: [] }, { model: 'large', rule: 'gpt' }],
    ['openai/gpt', [rewrite('openai/*', 'large')], {}, { model: 'large', rule: 'openai/*' }],
    ['openai/', [rewrite('openai/*', 'large')], {}, { model: 'large' }],
    ['openai', [rewrite('openai/*', 'large')], {}, { model: 'openai', ...none }],
    ['', [rewrite('*', 'large')], {}, { model: 'large', rule: '*' }],
    [
      'gpt',
      [rewrite('a', 'tiny'), rewrite('g*', 'large'), rewrite('gpt', 'small')],
      {},
      { model: 'large', ruleIndex: 1 },
    ],
    ['a', [rewrite('a', 'b'), rewrite('b', 'c')], {}, { model: 'b', ruleIndex: 0 }],
    ['gpt', [fallback('gpt', ['large', 'small'])], {}, { model: 'large', nextModels: [] }],
    ['gpt', [fallback('gpt', ['large', 'small'])], { up: ['small'] }, { model: 'small' }],
    [
      'gpt',
      [fallback('gpt', ['x', 'y']), rewrite('*', 'tiny')],
      {},
      { model: 'gpt', rule: 'gpt', ruleIndex: 0, nextModels: [] },
    ],
    [
      'gpt',
      [fallback('gpt', ['large', 'x', 'small', 'tiny'], { triesNextOnFailure: true })],
      {},
      { model: 'large', nextModels: ['small', 'tiny'] },
    ],
    [
      'gpt',
      [fallback('gpt', ['x', 'small', 'tiny'], { triesNextOnFailure: true })],
      {},
      { model: 'small', nextModels: ['tiny'] },
    ],
    ['gpt', [weights('gpt', { x: 1, y: 1 })], {}, { model: 'gpt', rule: 'gpt', nextModels: [] }],
    ['gpt', [weights('gpt', { x: 99, tiny: 1 })], {}, { model: 'tiny' }],
    [
      'gpt',
      [rewrite('gpt', 'large', header({ 'x-tier': 'gold' })), rewrite('gpt', 'tiny')],
      {},
      { model: 'tiny', ruleIndex: 1 },
    ],
    [
      'gpt',
      [rewrite('gpt', 'large', header({ 'x-tier': 'gold' }))],
      { headers: { 'x-tier': 'gold' } },
      { model: 'large' },
    ],
    ['gpt', [rewrite('gpt', 'large', header({ 'x-tier': 'gold' }))], { headers: { 'x-tier': 'Gold' } }, none],
    ['gpt', [rewrite('gpt', 'large', header({ 'x-a': '1', 'x-b': '2' }))], { headers: { 'x-a': '1' } }, none],
    ['gpt', [rewrite('gpt', 'large', { when: { headers: {}, tenant: 'acme' } })], {}, none],
    [
      'gpt',
      [rewrite('gpt', 'large', { when: { headers: {}, tenant: 'acme' } })],
      { tenant: 'acme' },
      { model: 'large' },
    ],
  ])('%j under %j, given %j', (requested, rules, given, expected) => {
    expect(applyModelRules(requested, rules, context(given))).toMatchObject(expected)
  })
})

describe('a split by weights', () => {
  const split = [weights('*', { large: 90, small: 10 })]
  const share = (of: string, keys: readonly Given[]) =>
    keys.filter((given) => applyModelRules('m', split, context(given)).model === of).length / keys.length

  test('holds to its weights over sessions, and over requests without one', () => {
    const sessions = Array.from({ length: 5_000 }, (_, index) => sessionGiven(index))
    expect(share('small', sessions)).toBeCloseTo(0.1, 1)
    expect(share('small', sessions)).toBeGreaterThan(0.08)
    const seeds = Array.from({ length: 5_000 }, (_, seed) => ({ seed }))
    expect(share('small', seeds)).toBeGreaterThan(0.08)
    expect(share('small', seeds)).toBeLessThan(0.12)
  })

  test('keeps a session whatever the seed, and moves it only when its model goes', () => {
    for (let index = 0; index < 500; index += 1) {
      const given = sessionGiven(index)
      const before = applyModelRules('m', split, context(given))
      expect(applyModelRules('m', split, context({ ...given, seed: index })).model).toBe(before.model)
      const without = before.model === 'large' ? 'small' : 'large'
      expect(applyModelRules('m', split, context({ ...given, up: [before.model] })).model).toBe(before.model)
      expect(applyModelRules('m', split, context({ ...given, up: [without] })).model).toBe(without)
    }
  })

  test('does not give two rules the same sessions', () => {
    const half = (match: string) => [weights(match, { large: 1, small: 1 })]
    const same = Array.from({ length: 1_000 }, (_, index) => {
      const given = context(sessionGiven(index))
      return applyModelRules('ab', half('a*'), given).model === applyModelRules('ab', half('ab'), given).model
    }).filter(Boolean)
    expect(same.length).toBeGreaterThan(400)
    expect(same.length).toBeLessThan(600)
  })

  test('says what it was drawn from, and is drawn again from that', () => {
    const rules = [weights('s*', { large: 2, gone: 9, small: 1 }, { triesNextOnFailure: true })]
    for (const given of [sessionGiven(1), sessionGiven(2), { seed: 7 }, { seed: 8 }]) {
      const { model, nextModels, split: drawn } = applyModelRules('s', rules, context(given))
      const shares = [
        { model: 'large', weight: 2 },
        { model: 'small', weight: 1 },
      ]
      expect(drawn).toEqual({ shares, session: given.session ?? null })
      expect(drawn && drawSplit('s*', drawn, given.seed ?? 1)).toEqual([model, ...nextModels])
    }
  })

  test('says nothing where nothing was drawn, and does not ask for the session', () => {
    const asked = (rules: readonly ModelRule[], up: readonly string[]) => {
      let isAsked = false
      const given: RuleContext = {
        ...context({ up }),
        get session() {
          isAsked = true
          return null
        },
      }
      expect(applyModelRules('m', rules, given).split).toBeNull()
      return isAsked
    }
    expect(asked([weights('m', { x: 1 })], [])).toBe(false)
    expect(asked([fallback('m', ['x'])], ['x'])).toBe(false)
    expect(asked([rewrite('m', 'x')], ['x'])).toBe(false)
    expect(asked([rewrite('other', 'x')], ['x'])).toBe(false)
  })

  test('has the others to fall back on when the rule says so', () => {
    const rules = [weights('*', { large: 1, small: 1, tiny: 1, gone: 9 }, { triesNextOnFailure: true })]
    const { model, nextModels } = applyModelRules('m', rules, context())
    expect([model, ...nextModels].sort()).toEqual(['large', 'small', 'tiny'])
  })
})

test.each([
  ['*', 'a', true],
  ['*', '*', true],
  ['a*', 'a', true],
  ['a*', 'ab*', true],
  ['ab*', 'a*', false],
  ['a', 'a*', false],
  ['a', 'a', true],
  ['a', 'A', false],
])('%s covers %s: %s', (pattern, inner, expected) => {
  expect(matchCovers(pattern, inner)).toBe(expected)
})

test.each<[ModelRule, readonly string[], string | null]>([
  [rewrite('a', 'x'), [], 'x'],
  [fallback('a', ['x', 'y']), ['y'], 'y'],
  [fallback('a', ['x', 'y']), [], 'x'],
  [weights('a', { x: 1, y: 3 }), ['x', 'y'], 'y'],
  [weights('a', { x: 1, y: 3 }), ['x'], 'x'],
])('what stands behind %j with %j up is %s', (given, up, expected) => {
  expect(leadingModel(given, (model) => up.includes(model))).toBe(expected)
})

const scope: fc.Arbitrary<RuleScope> = fc.record({
  match: fc.constantFrom('*', 'a*', 'ab*', 'a', 'ab', 'b'),
  when: fc.option(
    fc.record({
      headers: fc.dictionary(fc.constantFrom('x-a', 'x-b', 'x-c'), fc.constantFrom('1', '2'), { maxKeys: 3 }),
      tenant: fc.constantFrom(null, 'acme', 'other'),
    }),
  ),
})

test('property: a rule takes no request exactly when one before it covers it', () => {
  const takes = ({ match, when }: RuleScope) => rewrite(match, 'm', { when })
  fc.assert(
    fc.property(scope, scope, fc.constantFrom('a', 'ab', 'abc', 'b'), scope, (first, second, requested, other) => {
      const callerOf = ({ when }: RuleScope) => context({ headers: when?.headers ?? {}, tenant: when?.tenant ?? null })
      const taker = (name: string, caller: RuleScope) => findRule(name, [takes(first), takes(second)], callerOf(caller))
      // The request that asks for least: the rule's own name, or an odd one of its pattern, with its conditions alone.
      const least = taker(second.match.replace('*', '~'), second)
      expect(ruleCovers(first, second)).toBe(least === 0)
      if (ruleCovers(first, second)) expect(taker(requested, other)).not.toBe(1)
    }),
    { numRuns: 5_000 },
  )
})

const NAMES = ['a', 'ab', 'abc', 'b', 'x']
const name = fc.constantFrom(...NAMES)
const anyRule: fc.Arbitrary<ModelRule> = fc.record({
  match: fc.oneof(name, fc.constantFrom('*', 'a*', 'ab*', 'x*')),
  action: fc.oneof(
    name.map((model) => ({ kind: 'rewrite' as const, model })),
    fc.uniqueArray(name, { minLength: 1 }).map((models) => ({ kind: 'fallback' as const, models })),
    fc.uniqueArray(name, { minLength: 1 }).map((models) => ({
      kind: 'weights' as const,
      shares: models.map((model, index) => ({ model, weight: index + 0.5 })),
    })),
  ),
  when: fc.constantFrom(null, { headers: { 'x-a': '1' }, tenant: null }),
  triesNextOnFailure: fc.boolean(),
})

test('property: the first rule that takes a request decides, alone, and leads to what it lists', () => {
  fc.assert(
    fc.property(
      fc.array(anyRule, { maxLength: 5 }),
      name,
      fc.subarray(NAMES),
      fc.record({ seed: fc.nat(), headers: fc.constantFrom({}, { 'x-a': '1' }) }),
      (rules, requested, up, given) => {
        const result = applyModelRules(requested, rules, context({ up, ...given }))
        expect(applyModelRules(requested, rules, context({ up, ...given }))).toEqual(result)
        const taker = rules.findIndex(
          ({ match, when }) => matchCovers(match, requested) && (when === null || 'x-a' in given.headers),
        )
        expect(result.ruleIndex).toBe(taker === -1 ? null : taker)
        const taking = rules[taker]
        expect(result.rule).toBe(taking?.match ?? null)
        // What comes after the rule that takes a request changes nothing.
        if (taking !== undefined) {
          expect(applyModelRules(requested, rules.slice(0, taker + 1), context({ up, ...given }))).toEqual(result)
        }
        if (result.model !== requested && taking?.action.kind !== 'rewrite') expect(up).toContain(result.model)
        for (const model of result.nextModels) expect(up).toContain(model)
        const tried = [result.model, ...result.nextModels]
        expect(new Set(tried).size).toBe(tried.length)
        if (!taking?.triesNextOnFailure) expect(result.nextModels).toEqual([])
      },
    ),
    { numRuns: 2_000 },
  )
})

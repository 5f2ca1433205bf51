// The acceptance examples of the semantic router's contract that rules and signals decide, by their numbers, from YAML to
// the decision. Those from 16 on are about records: test/conformance/http-replay-examples.ts.

import { expect, test } from 'vitest'
import { requestView } from '../../test/support/request-view.ts'
import { decideByRules } from '../routing/decision-rules.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import type { RequestView, SignalOutcome } from '../routing/signals/signal.ts'
import { loadConfig } from './load.ts'

interface Example {
  /** Confidences of the `embedding` rules a to d that matched. */
  readonly found?: Readonly<Record<string, number>>
  readonly request?: Partial<RequestView>
  readonly decision: string | null
  readonly confidence?: number
  readonly matched?: readonly string[]
}

const SERVERS = `workers: [{url: "http://a", models: [m]}]
default_model: m
signal_servers: {embedding: {url: "http://vectors.example", model: e}}
`
const RULES = ['a', 'b', 'c', 'd'].map((name) => `{name: ${name}, threshold: 0.5, candidates: [x]}`)

const signal = (name: string) => `{type: embedding, name: ${name}}`
const group = (operator: string, ...conditions: string[]) =>
  `{operator: ${operator}, conditions: [${conditions.join(', ')}]}`
const decision = (name: string, rules: string | null, priority = 0) =>
  `{name: ${name}, priority: ${priority}${rules === null ? '' : `, rules: ${rules}`}}`

async function decide(yaml: string, { found = {}, request = {} }: Example) {
  const loaded = await loadConfig(SERVERS + yaml, { env: () => undefined, policies: BUILT_IN_POLICIES })
  expect(loaded.findings.filter(({ severity }) => severity === 'error')).toEqual([])
  if (!loaded.ok || loaded.config.decisions === null) throw new Error('the example has no decisions')
  const { decisions, signals } = loaded.config
  const read = (family: string, name: string): SignalOutcome => {
    const edge = signals.edge.find((one) => one.family === family && one.name === name)
    if (edge !== undefined) return edge.read(requestView(request))
    const confidence = found[name]
    return confidence === undefined
      ? { kind: 'not_matched', because: 'far' }
      : { kind: 'matched', confidence, because: 'near' }
  }
  return decideByRules(decisions.rules, decisions.strategy, read).chosen
}

/** Decisions over the rules a to d. */
const combined = (...entries: string[]) =>
  `signals: {embeddings: [${RULES.join(', ')}]}\ndecisions: [${entries.join(', ')}]\n`
/** One decision over one keyword rule. */
const keyword = (rule: string) =>
  `signals: {keywords: [{name: k, ${rule}}]}\ndecisions: [${decision('hit', '{type: keyword, name: k}')}]\n`
const text = (words: string): Pick<Example, 'request'> => ({ request: { text: words } })
const CONTEXT = `signals: {context: [{name: long, min_tokens: 16K, max_tokens: 1M}]}
decisions: [${decision('hit', '{type: context, name: long}')}]
`

test.each<[number: number, what: string, yaml: string, expected: Example]>([
  [
    1,
    'priority 20 beats 10, however unsure',
    combined(decision('ten', signal('a'), 10), decision('twenty', signal('b'), 20)),
    { found: { a: 0.9, b: 0.5 }, decision: 'twenty' },
  ],
  [
    2,
    'of equal priority the surer',
    combined(decision('x', signal('a')), decision('y', signal('b'))),
    { found: { a: 0.7, b: 0.9 }, decision: 'y' },
  ],
  [
    3,
    'of equals the first by name',
    combined(decision('y', signal('a')), decision('x', signal('b'))),
    { found: { a: 0.7, b: 0.7 }, decision: 'x' },
  ],
  [
    4,
    'by confidence what takes everything comes last',
    `strategy: confidence\n${combined(decision('all', null, 999), decision('x', signal('a'), 1))}`,
    { found: { a: 0.72 }, decision: 'x', confidence: 0.72 },
  ],
  [
    5,
    'AND is the mean',
    combined(decision('x', group('AND', signal('a'), signal('b')))),
    { found: { a: 0.6, b: 0.8 }, decision: 'x', confidence: 0.7 },
  ],
  [
    6,
    'OR is the surest, and it alone is told',
    combined(decision('x', group('OR', signal('a'), signal('b')))),
    { found: { a: 0.6, b: 0.9 }, decision: 'x', confidence: 0.9, matched: ['embedding:b'] },
  ],
  // There no rule is told, and so not why; here the one that was absent is.
  [
    7,
    'NOT of what is absent',
    combined(decision('x', group('NOT', signal('a')))),
    { decision: 'x', confidence: 1, matched: ['not embedding:a'] },
  ],
  [8, 'AND of nothing', combined(decision('x', group('AND'))), { decision: 'x', confidence: 0, matched: [] }],
  [8, 'no rules', combined(decision('x', null)), { decision: 'x', confidence: 0, matched: [] }],
  [9, 'cat in category', keyword('keywords: [cat]'), { ...text('category'), decision: null }],
  [9, 'cat.', keyword('keywords: [cat]'), { ...text('a cat.'), decision: 'hit' }],
  [
    10,
    'a dot is a dot',
    keyword('keywords: [user.name@domain.com]'),
    { ...text('userxname@domain.com'), decision: null },
  ],
  [10, 'itself', keyword('keywords: [user.name@domain.com]'), { ...text('to User.Name@domain.com'), decision: 'hit' }],
  [
    11,
    'an expression is raw',
    keyword("method: regex, keywords: ['AKIA[0-9A-Z]{16}']"),
    { ...text('xAKIA0123456789ABCDEFx'), decision: 'hit' },
  ],
  [12, 'AND wants all', keyword('operator: AND, keywords: [SSN, credit card]'), { ...text('my SSN'), decision: null }],
  [13, 'NOR wants none', keyword('operator: NOR, keywords: [spam]'), { ...text('hello'), decision: 'hit' }],
  [
    14,
    'a letter off',
    keyword('keywords: [SSN], fuzzy_match: true, fuzzy_threshold: 1'),
    { ...text('my SNN'), decision: 'hit' },
  ],
  [15, '64,000 bytes are 16K tokens', CONTEXT, { request: { textBytes: 64_000 }, decision: 'hit' }],
  [15, 'four bytes less are not', CONTEXT, { request: { textBytes: 63_996 }, decision: null }],
])('example %i: %s', async (_number, _what, yaml, expected) => {
  const chosen = await decide(yaml, expected)
  expect(chosen?.name ?? null).toBe(expected.decision)
  if (expected.confidence !== undefined) expect(chosen?.confidence).toBeCloseTo(expected.confidence, 12)
  if (expected.matched !== undefined) expect(chosen?.matched).toEqual(expected.matched)
})

// `signals` and `decisions`: what loads, and what each mistake is answered with.

import { describe, expect, test } from 'vitest'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

const WORKERS = 'workers: [{url: "http://a", models: [large, small]}]\ndefault_model: small\n'
const SIGNALS = 'signals: {keywords: [{name: maths, keywords: [equation]}, {name: code, keywords: [function]}]}\n'
const RULES = '{operator: OR, conditions: [{type: keyword, name: maths}]}'
const decisions = (...entries: string[]) => `decisions: [${entries.join(', ')}]\n`

async function load(text: string) {
  const result = await loadConfig(text, { env: () => undefined, policies: BUILT_IN_POLICIES })
  const findings = result.findings.map(({ severity, line, path, message }) => `${line} ${severity} ${path}: ${message}`)
  return { findings, config: result.ok ? result.config : null }
}

describe('what loads', () => {
  test('a decision, with all there is', async () => {
    const { findings, config } = await load(
      WORKERS +
        SIGNALS +
        decisions(
          `{name: route, description: d, priority: 5, rules: {operator: and, conditions: [{type: keyword, name: maths}, {operator: NOT, conditions: [{type: keyword, name: code}]}]},
           modelRefs: [{model: large, use_reasoning: true, reasoning_effort: high, weight: 3}, {model: small, weight: 1}],
           plugins: [{type: semantic_cache, configuration: {similarity_threshold: 0.9}}, {type: header_mutation, configuration: {add: [{name: X-A, value: "1"}]}}]}`,
        ),
    )
    expect(findings).toEqual([expect.stringMatching(/has no effect without the section semantic_cache/)])
    expect(config?.decisions).toMatchObject({
      strategy: 'priority',
      autoModels: ['auto'],
      decideOn: 'all',
      rules: [
        {
          name: 'route',
          priority: 5,
          when: {
            kind: 'and',
            parts: [
              { kind: 'signal', family: 'keyword', name: 'maths' },
              { kind: 'not', part: { kind: 'signal', family: 'keyword', name: 'code' } },
            ],
          },
          models: [
            { model: 'large', usesReasoning: true, reasoningEffort: 'high', weight: 3 },
            { model: 'small', usesReasoning: false },
          ],
          plugins: {
            semanticCache: { isEnabled: true, similarityThreshold: 0.9 },
            headerMutation: { add: { 'x-a': '1' }, update: {}, delete: [] },
          },
        },
      ],
    })
  })

  test('the same under routing, with a strategy', async () => {
    const { findings, config } = await load(
      `${WORKERS}routing: {strategy: confidence, ${SIGNALS.trim()}, ${decisions(`{name: r, rules: ${RULES}}`).trim()}}`,
    )
    expect(findings).toEqual([])
    expect(config?.decisions).toMatchObject({ strategy: 'confidence', rules: [{ name: 'r' }] })
  })

  test.each([
    ['', 'all', ['auto']],
    ['auto_models: [mom]\n', 'auto', ['mom']],
    ['auto_models: [mom]\ndecide_on: all\n', 'all', ['mom']],
    ['decide_on: auto\n', 'auto', ['auto']],
  ])('%j: decided on %s', async (text, decideOn, autoModels) => {
    const { config } = await load(WORKERS + text + decisions('{name: all}'))
    expect(config?.decisions).toMatchObject({ decideOn, autoModels })
  })

  test('without decisions there are none', async () => {
    expect((await load(WORKERS + SIGNALS)).config?.decisions).toBeNull()
  })

  test('only what decisions ask about is asked', async () => {
    const { config } = await load(WORKERS + SIGNALS + decisions(`{name: r, rules: ${RULES}}`))
    expect(config?.signals.asked).toEqual([{ family: 'keyword', name: 'maths' }])
  })

  test('a rule that changes has another digest, and another configuration another hash', async () => {
    const [one, other] = await Promise.all([
      load(WORKERS + SIGNALS),
      load(WORKERS + SIGNALS.replace('equation', 'sum')),
    ])
    const [before, after] = [one.config?.signals.digests ?? {}, other.config?.signals.digests ?? {}]
    expect(before['keyword:maths']).not.toBe(after['keyword:maths'])
    expect(before['keyword:code']).toBe(after['keyword:code'])
    expect(one.config?.hash).not.toBe(other.config?.hash)
  })
})

const ERRORS: readonly (readonly [what: string, text: string, finding: RegExp])[] = [
  ['a family there is not', 'signals: {keyword: []}\n', /^3 error signals\.keyword: .*did you mean keywords\?/],
  [
    'a type there is not',
    SIGNALS + decisions('{name: r, rules: {type: keywords, name: maths}}'),
    /^4 error decisions\[0\]\.rules\.type: must be one of .*did you mean keyword\?/,
  ],
  [
    'a signal there is not',
    SIGNALS + decisions('{name: r, rules: {type: keyword, name: math}}'),
    /^4 error decisions\[0\]\.rules\.name: names no signal of type keyword \("math"\); did you mean maths\?/,
  ],
  [
    'a signal of another type',
    SIGNALS + decisions('{name: r, rules: {type: context, name: maths}}'),
    /there is one of this name of type keyword; there are no signals\.context/,
  ],
  [
    'one deep in a rule',
    SIGNALS +
      decisions(
        '{name: r, rules: {operator: AND, conditions: [{operator: NOT, conditions: [{type: keyword, name: x}]}]}}',
      ),
    /^4 error decisions\[0\]\.rules\.conditions\[0\]\.conditions\[0\]\.name: names no signal/,
  ],
  [
    'NOT of two',
    SIGNALS +
      decisions(
        '{name: r, rules: {operator: NOT, conditions: [{type: keyword, name: maths}, {type: keyword, name: code}]}}',
      ),
    /is NOT, which takes exactly one condition/,
  ],
  [
    'an operator there is not',
    decisions('{name: r, rules: {operator: XOR, conditions: []}}'),
    /must be one of AND, OR, NOT/,
  ],
  [
    'a condition that is both',
    decisions('{name: r, rules: {type: keyword, name: a, operator: OR, conditions: []}}'),
    /must be \{type, name\}/,
  ],
  ['half a condition', decisions('{name: r, rules: {type: keyword}}'), /must be \{type, name\}/],
  [
    'a plugin there is not',
    decisions('{name: r, plugins: [{type: router_repley}]}'),
    /^3 error decisions\[0\]\.plugins\[0\]\.type: must be one of .*did you mean router_replay\?/,
  ],
  [
    'a field of another plugin',
    decisions('{name: r, plugins: [{type: system_prompt, configuration: {system_prompt: x, max_records: 3}}]}'),
    /configuration\.max_records: is no field of system_prompt/,
  ],
  [
    'a plugin without what it needs',
    decisions('{name: r, plugins: [{type: system_prompt}]}'),
    /needs system_prompt: the text/,
  ],
  [
    'no record at all',
    decisions('{name: r, plugins: [{type: router_replay, configuration: {max_records: 0}}]}'),
    /configuration\.max_records: must be a whole number from 1/,
  ],
  [
    'a plugin twice',
    decisions('{name: r, plugins: [{type: router_replay}, {type: router_replay}]}'),
    /is a second router_replay/,
  ],
  [
    'a header with a key',
    decisions(
      '{name: r, plugins: [{type: header_mutation, configuration: {update: [{name: Authorization, value: x}]}}]}',
    ),
    /update\[0\]\.name: can't be changed/,
  ],
  ['a name twice', decisions('{name: r}', '{name: r}'), /decisions\[1\]\.name: is the name of decisions\[0\] as well/],
  ['a model twice', decisions('{name: r, modelRefs: [{model: small}, {model: small}]}'), /a model is tried once/],
  [
    'an expression that can not be had',
    'signals: {keywords: [{name: r, method: regex, keywords: ["(?=a)b"]}]}\n',
    /^3 error signals\.keywords\[0\]\.keywords\[0\]: has a group that looks ahead/,
  ],
  [
    'a method there is not',
    'signals: {keywords: [{name: r, method: fuzzy, keywords: [a]}]}\n',
    /fuzzy is no method; write fuzzy_match: true/,
  ],
  [
    'a count of nothing',
    'signals: {conversation: [{name: r, feature: {type: count, source: {type: message}}}]}\n',
    /it would always match/,
  ],
  [
    'bounds the wrong way',
    'signals: {context: [{name: r, min_tokens: 2K, max_tokens: 1K}]}\n',
    /nothing is ever within/,
  ],
  ['a language nobody can tell', 'signals: {language: [{name: xx}]}\n', /code of a language it can tell/],
  [
    'a header that holds a key',
    'signals: {metadata: [{name: r, source: header, key: Authorization, predicate: {exists: true}}]}\n',
    /is the caller's key/,
  ],
  ['a family of reasoning there is not', 'models: [{name: small, reasoning_family: qwen}]\n', /did you mean qwen3\?/],
  ['two places', `${SIGNALS}routing: {signals: {}}\n`, /^4 error routing\.signals: stands at the top level too/],
]

describe('what is refused', () => {
  test.each(ERRORS)('%s', async (_what, text, finding) => {
    const { findings, config } = await load(WORKERS + text)
    expect(config).toBeNull()
    expect(findings.join('\n')).toMatch(new RegExp(finding.source, 'm'))
  })

  test('a decision that leads nowhere', async () => {
    const { findings } = await load('workers: [{url: "http://a"}]\ndecisions: [{name: r}]\n')
    expect(findings).toEqual([expect.stringMatching(/^2 error decisions\[0\]: leads to no model/)])
  })
})

describe('what is remarked', () => {
  test.each([
    ['a short word', '{name: a, keywords: [SSN], fuzzy_match: true}', /too short for fuzzy_match/],
    [
      'too many letters',
      '{name: a, keywords: [asap], fuzzy_match: true, fuzzy_threshold: 2}',
      /found in many other words; 1 is usual/,
    ],
    ['a hidden expression', '{name: a, keywords: ["\\\\bfoo\\\\b"]}', /write method: regex/],
    ['a word twice', '{name: a, keywords: [tax, tax]}', /stands in the list before/],
    ['a word in two cases', '{name: a, keywords: [Tax, TAX]}', /keywords\[1\]: stands in the list before/],
    ['an expression twice', '{name: a, keywords: [a+b, a+b], method: regex}', /stands in the list before/],
    ['two words in one', '{name: a, keywords: ["foo|bar"]}', /write method: regex/],
    ['a letter that may be missing', '{name: a, keywords: ["colou?r"]}', /write method: regex/],
    ['any ending', '{name: a, keywords: ["refund*"]}', /write method: regex/],
    ['a beginning', '{name: a, keywords: ["^translate"]}', /write method: regex/],
    ['an end', '{name: a, keywords: ["please$"]}', /write method: regex/],
    ['a little word', '{name: a, keywords: [the]}', /keywords\[0\]: is a word that stands in most texts/],
    ['one that only looks like a name', '{name: a, keywords: [IT]}', /is a word that stands in most texts/],
    ['a letter', '{name: a, keywords: [r]}', /is a single character/],
    ['a character', '{name: a, keywords: [数]}', /is a single character/],
    ['an expression without bounds', '{name: a, keywords: [cat], method: regex}', /is found inside other words/],
    [
      'pieces that are everywhere',
      '{name: a, keywords: [urgent], method: ngram, ngram_threshold: 0.4}',
      /0.7 is usual/,
    ],
    ['a threshold of nothing', '{name: a, keywords: [tax], bm25_threshold: 1}', /only with method: bm25/],
    ['the same for pieces', '{name: a, keywords: [tax], ngram_arity: 4}', /only with method: ngram/],
    ['misspelt expressions', '{name: a, keywords: [a+b], method: regex, fuzzy_match: true}', /only with method: words/],
    ['a space at the end', '{name: a, keywords: ["tax "]}', /spaces at its ends/],
  ])('%s', async (_what, rule, finding) => {
    const { findings, config } = await load(`${WORKERS}signals: {keywords: [${rule}]}\n`)
    expect(findings).toEqual([expect.stringMatching(finding)])
    expect(config).not.toBeNull()
  })

  test('keywords that do as they seem to are not remarked upon', async () => {
    const words = `"c++", ".net", "c#", US$, "24/7", "q&a", "node.js", "a/b", "2 * 3", "[draft", "why?", 数学, "the end", "#1"`
    const rules = `{name: a, keywords: [${words}]}, {name: b, case_sensitive: true, keywords: [IT, SQL, sql]}`
    const patterns = `{name: c, method: regex, keywords: ['\\bcat\\b', 'AKIA[0-9A-Z]{16}', '数学', '\\S', '\\s']}`
    expect((await load(`${WORKERS}signals: {keywords: [${rules}, ${patterns}]}\n`)).findings).toEqual([])
  })

  test.each([
    ['embeddings: [{name: a, candidates: [b], query_modality: image}]', 'query_modality: images are not embedded here'],
    [
      'domains: [{name: a, model_scores: [{model: m, score: 0.5, use_reasoning: true}]}]',
      'model_scores: has no effect',
    ],
    ['preferences: [{name: a, threshold: 0.5}]', 'threshold: has no effect'],
  ])('a field of the semantic router that changes nothing: %s', async (signals, remark) => {
    const servers = '{embedding: {url: "http://e"}, domain: {url: "http://e"}, preference: {url: "http://e"}}'
    const { findings, config } = await load(`${WORKERS}signal_servers: ${servers}\nsignals: {${signals}}\n`)
    expect(findings).toEqual([expect.stringMatching(`^4 warning signals\\..*${remark}`)])
    expect(config).not.toBeNull()
  })

  test.each([
    [
      'signals: {conversation: [{name: a, feature: {type: exists, source: {type: message}}, predicate: {gte: 3}}]}\n',
      /^3 warning signals\.conversation\[0\]\.predicate: .*write type: count/,
    ],
    [
      'signals: {conversation: [{name: a, feature: {type: exists, source: {type: tool_definition, role: user}}}]}\n',
      /source\.role: has an effect only with type: message/,
    ],
    [
      'signals: {structure: [{name: a, feature: {type: exists, source: {type: text_bytes}}, predicate: {gte: 3}}]}\n',
      /^3 warning signals\.structure\[0\]\.predicate: /,
    ],
    [
      decisions('{name: a, modelRefs: [{model: small, use_reasoning: false, reasoning_effort: high}]}'),
      /warning decisions\[0\]\.modelRefs\[0\]\.reasoning_effort: has no effect without use_reasoning: true/,
    ],
  ])('what has no effect: %s', async (text, finding) => {
    const { findings, config } = await load(WORKERS + text)
    expect(findings).toEqual([expect.stringMatching(finding)])
    expect(config).not.toBeNull()
  })

  test('what is compared are texts, also where it is written', async () => {
    const rule = '{name: a, candidates: [b], query_modality: text, aggregation_method: mean, threshold: 0.5}'
    const text = `signal_servers: {embedding: {url: "http://e"}}\nsignals: {embeddings: [${rule}]}\n`
    expect((await load(WORKERS + text)).findings).toEqual([])
  })

  test.each([
    ['one behind what takes everything', '{name: all, priority: 9}', `{name: r, rules: ${RULES}}`, 1],
    ['the same rule behind itself', `{name: a, rules: ${RULES}}`, `{name: b, rules: ${RULES}}`, 1],
  ])('%s is never reached', async (_what, first, second, hidden) => {
    const { findings } = await load(WORKERS + SIGNALS + decisions(first, second))
    expect(findings).toEqual([expect.stringMatching(`warning decisions\\[${hidden}\\]: is never reached`)])
  })

  const MATHS = '{type: keyword, name: maths}'
  const CODE = '{type: keyword, name: code}'
  test.each([
    ['a part of one before it', `{operator: OR, conditions: [${MATHS}, ${CODE}]}`, CODE, true],
    ['one that wants more', MATHS, `{operator: AND, conditions: [${CODE}, ${MATHS}]}`, true],
    [
      'the same in other words',
      `{operator: NOT, conditions: [{operator: AND, conditions: [${MATHS}, ${CODE}]}]}`,
      `{operator: OR, conditions: [{operator: NOT, conditions: [${CODE}]}, {operator: NOT, conditions: [${MATHS}]}]}`,
      true,
    ],
    ['one that wants less', `{operator: AND, conditions: [${CODE}, ${MATHS}]}`, MATHS, false],
    ['another', MATHS, CODE, false],
  ])('%s, behind it: never reached is %4$s', async (_what, first, second, isHidden) => {
    const text = decisions(`{name: a, priority: 9, rules: ${first}}`, `{name: b, rules: ${second}}`)
    const { findings } = await load(WORKERS + SIGNALS + text)
    expect(findings).toEqual(isHidden ? [expect.stringMatching(/decisions\[1\]: is never reached/)] : [])
  })

  test('a rule that contradicts itself', async () => {
    const rules = `{operator: AND, conditions: [${MATHS}, {operator: NOT, conditions: [${MATHS}]}]}`
    const { findings } = await load(WORKERS + SIGNALS + decisions(`{name: a, rules: ${rules}}`))
    expect(findings).toEqual([expect.stringMatching(/warning decisions\[0\]\.rules: never holds/)])
  })

  test('auto names that may come to nothing', async () => {
    const workers = 'workers: [{url: "http://a", models: [large]}]\n'
    const one = `{name: r, rules: ${RULES}, modelRefs: [{model: large}]}`
    const said = [
      expect.stringMatching(/^3 warning decisions: leave requests for auto without a model .*default_model/),
    ]
    expect((await load(workers + SIGNALS + decisions(one))).findings).toEqual(said)
    const rest = '{name: all, priority: -1, modelRefs: [{model: large}]}'
    expect((await load(workers + SIGNALS + decisions(one, rest))).findings).toEqual([])
    expect((await load(`${workers + SIGNALS}default_model: large\n${decisions(one)}`)).findings).toEqual([])
  })

  test('a plugin whose section is missing', async () => {
    const { findings } = await load(WORKERS + decisions('{name: r, plugins: [{type: semantic-cache}]}'))
    expect(findings).toEqual([expect.stringMatching(/plugins\[0\]: has no effect without the section semantic_cache/)])
  })

  test('what needs confidence to come first may be reached', async () => {
    const text = `strategy: confidence\n${decisions('{name: all, priority: 9}', `{name: r, rules: ${RULES}}`)}`
    expect((await load(WORKERS + SIGNALS + text)).findings).toEqual([])
  })

  test.each([
    [decisions('{name: r, modelRefs: [{model: larg}]}'), /no worker lists larg among its models; did you mean large\?/],
    ['auto_models: [a]\n', /has no effect without decisions/],
    [`auto_models: [small]\n${decisions('{name: r}')}`, /is a model that workers serve/],
  ])('%j', async (text, finding) => {
    expect((await load(WORKERS + text)).findings).toEqual([expect.stringMatching(finding)])
  })
})

// `model_rules`: what a file's rules become, and what is said about rules that are wrong or do nothing.

import { describe, expect, test } from 'vitest'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

const LEARNED = 'workers: [{url: "http://a:8000"}]\n'
const LISTED = 'workers: [{url: "http://a", models: [large, small]}, {url: "http://b", models: [tiny]}]\n'

function load(rules: readonly string[], workers = LEARNED) {
  const text = `${workers}model_rules:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`
  return loadConfig(text, { env: () => undefined, policies: BUILT_IN_POLICIES })
}

describe('a good rule', () => {
  test('becomes its action', async () => {
    const result = await load([
      '{match: gpt-4o, rewrite: large}',
      '{match: "openai/*", fallback: [large, small, large], on_failure: true}',
      '{match: "canary*", weights: {large: 95, small: 5}}',
      '{match: "*", when: {header: {X-Tier: Gold}}, rewrite: large}',
    ])
    expect(result.ok && result.config.modelRules).toEqual([
      { match: 'gpt-4o', action: { kind: 'rewrite', model: 'large' }, when: null, triesNextOnFailure: false },
      {
        match: 'openai/*',
        action: { kind: 'fallback', models: ['large', 'small'] },
        when: null,
        triesNextOnFailure: true,
      },
      {
        match: 'canary*',
        action: {
          kind: 'weights',
          shares: [
            { model: 'large', weight: 95 },
            { model: 'small', weight: 5 },
          ],
        },
        when: null,
        triesNextOnFailure: false,
      },
      {
        match: '*',
        action: { kind: 'rewrite', model: 'large' },
        when: { headers: { 'x-tier': 'Gold' }, tenant: null },
        triesNextOnFailure: false,
      },
    ])
  })
})

describe('a bad rule', () => {
  test.each([
    ['{match: a}', '', /has no action, so it would do nothing; give it rewrite, fallback or weights$/],
    ['{rewrite: b}', '.match', /is missing/],
    ['{match: "", rewrite: b}', '.match', /must not be empty/],
    ['{match: "a*b", rewrite: b}', '.match', /\* at its end only/],
    ['{match: "**", rewrite: b}', '.match', /\* at its end only/],
    ['{match: a, rewrite: b, fallback: [c]}', '.fallback', /second action beside rewrite; keep one of the two$/],
    ['{match: a, fallback: [c], weights: {d: 1}}', '.weights', /second action beside fallback/],
    ['{match: a, rewrite: ""}', '.rewrite', /must not be empty/],
    ['{match: a, rewrite: "b\\nc"}', '.rewrite', /control characters/],
    [`{match: a, rewrite: ${'b'.repeat(257)}}`, '.rewrite', /at most 256 characters/],
    ['{match: a, rewrite: 4}', '.rewrite', /must be text/],
    ['{match: a, fallback: []}', '.fallback', /lists no model/],
    ['{match: a, fallback: b}', '.fallback', /must be a list such as/],
    ['{match: a, weights: {}}', '.weights', /lists no model/],
    ['{match: a, weights: {b: 0}}', '.weights.b', /must be above 0/],
    ['{match: a, weights: {b: -1}}', '.weights.b', /must be above 0/],
    ['{match: a, weights: {b: .inf}}', '.weights.b', /must be a number/],
    ['{match: a, weights: {b: high}}', '.weights.b', /must be a number above 0/],
    ['{match: a, weights: {"": 1}}', '.weights', /a model name that is empty/],
    ['{match: a, weights: [b]}', '.weights', /must be a map such as/],
    ['{match: a, rewrite: b, on_failure: true}', '.on_failure', /needs a next model/],
    ['{match: a, rewrite: b, when: {}}', '.when', /names no condition/],
    ['{match: a, rewrite: b, when: {header: {}}}', '.when', /names no condition/],
    ['{match: a, rewrite: b, when: {headers: {x-a: b}}}', '.when.headers', /did you mean header\?/],
    ['{match: a, rewrite: b, when: {header: {"x a": b}}}', '.when.header["x a"]', /no header name/],
    ['{match: a, rewrite: b, when: {header: {Authorization: b}}}', '.when.header.Authorization', /no rule may look at/],
    [
      '{match: a, rewrite: b, when: {header: {x-a: b, X-A: c}}}',
      '.when.header.X-A',
      /names the same header twice; case makes no difference in header names/,
    ],
    ['{match: a, rewite: b}', '.rewite', /did you mean rewrite\?/],
    ['gpt-4o', '', /must be a map such as/],
  ])('%s', async (rule, path, message) => {
    const { ok, findings } = await load([rule])
    expect(ok).toBe(false)
    const errors = findings.filter(({ severity }) => severity === 'error')
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({ path: `model_rules[0]${path}`, line: 3 })
    expect(errors[0]?.message).toMatch(message)
  })
})

describe('a rule that does nothing', () => {
  test.each([
    ['{match: "*", rewrite: b}', '{match: a, rewrite: c}'],
    ['{match: "a*", rewrite: b}', '{match: "ab*", rewrite: c}'],
    ['{match: "a*", rewrite: b}', '{match: a, rewrite: c}'],
    ['{match: a, rewrite: b}', '{match: a, when: {header: {x-a: b}}, rewrite: c}'],
    ['{match: "a*", rewrite: b}', '{match: "a*", rewrite: c}'],
    ['{match: a, weights: {b: 1, c: 1}}', '{match: a, rewrite: c}'],
    ['{match: a, fallback: [b]}', '{match: a, rewrite: c}'],
    ['{match: a, rewrite: b, when: {header: {x-a: b}}}', '{match: a, rewrite: c, when: {header: {x-a: b}}}'],
    ['{match: "*", rewrite: b, when: {header: {X-A: b}}}', '{match: "a*", rewrite: c, when: {header: {x-a: b}}}'],
    ['{match: a, rewrite: b, when: {header: {x-b: c}}}', '{match: a, rewrite: c, when: {header: {x-a: b, x-b: c}}}'],
    [
      '{match: a, rewrite: b, when: {header: {x-a: b, x-b: c}}}',
      '{match: a, rewrite: c, when: {header: {x-b: c, x-c: d, x-a: b}}}',
    ],
  ])('because of one before it is a warning: %s, %s', async (first, second) => {
    const { ok, findings } = await load([first, second])
    expect(ok).toBe(true)
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({ severity: 'warning', path: 'model_rules[1].match', line: 4 })
    expect(findings[0]?.message).toMatch(/is never reached: model_rules\[0\] comes first/)
  })

  test.each([
    ['{match: "ab*", rewrite: b}', '{match: "a*", rewrite: c}'],
    ['{match: a, rewrite: b}', '{match: "a*", rewrite: c}'],
    ['{match: a, rewrite: b}', '{match: A, rewrite: c}'],
    ['{match: "*", when: {header: {x-a: b}}, rewrite: b}', '{match: a, rewrite: c}'],
    ['{match: a, rewrite: b, when: {header: {x-a: b}}}', '{match: a, rewrite: c, when: {header: {x-a: B}}}'],
    ['{match: a, rewrite: b, when: {header: {x-a: b}}}', '{match: a, rewrite: c, when: {header: {x-b: b}}}'],
    ['{match: a, rewrite: b, when: {header: {x-a: b, x-b: c}}}', '{match: a, rewrite: c, when: {header: {x-a: b}}}'],
    ['{match: ab, rewrite: b, when: {header: {x-a: b}}}', '{match: "a*", rewrite: c, when: {header: {x-a: b}}}'],
  ])('is no such rule when some request reaches it: %s, %s', async (first, second) => {
    expect((await load([first, second])).findings).toEqual([])
  })

  test.each([
    ['{tenant: acme}', '{tenant: acme}', true],
    ['{tenant: acme}', '{tenant: acme, header: {x-a: b}}', true],
    ['{header: {x-a: b}}', '{tenant: acme, header: {x-a: b}}', true],
    ['{tenant: acme}', '{tenant: other}', false],
    ['{tenant: b}', '{header: {tenant: b}}', false],
    ['{tenant: acme, header: {x-a: b}}', '{tenant: acme}', false],
    ['{tenant: acme, header: {x-a: b}}', '{header: {x-a: b}}', false],
  ])('is told by tenants too: %s, then %s: %s', async (first, second, isShadowed) => {
    const { findings } = await load([
      `{match: a, rewrite: b, when: ${first}}`,
      `{match: a, rewrite: c, when: ${second}}`,
    ])
    expect(findings.some(({ message }) => message.includes('is never reached'))).toBe(isShadowed)
  })

  test('is told with the first rule that takes all of it', async () => {
    const { findings } = await load([
      '{match: b, rewrite: m}',
      '{match: "a*", rewrite: m, when: {header: {x-a: "1"}}}',
      '{match: "*", rewrite: m}',
      '{match: ab, rewrite: m, when: {header: {x-a: "1"}}}',
    ])
    expect(findings.map(({ path, message }) => `${path} ${message}`)).toEqual([
      'model_rules[3].match is never reached: model_rules[1] comes first and takes all of it',
    ])
  })

  test.each([
    ['{match: "*", rewrite: b, when: {headers: {x-a: b}}}', '{match: a, rewrite: c}'],
    ['{match: "*", rewrite: b, when: {header: {x-a: 4}}}', '{match: a, rewrite: c}'],
    ['{match: "*", rewrite: b, when: {header: 4, tenant: acme}}', '{match: a, rewrite: c, when: {tenant: acme}}'],
    ['{match: "*", rewrite: b, when: yes}', '{match: a, rewrite: c}'],
  ])('is not told while a condition is refused, and so not known: %s, %s', async (first, second) => {
    const { ok, findings } = await load([first, second])
    expect(ok).toBe(false)
    expect(findings.filter(({ message }) => message.includes('is never reached'))).toEqual([])
  })

  test('for a tenant that does not exist is a warning', async () => {
    const { findings } = await load(['{match: a, rewrite: b, when: {tenant: acme}}'])
    expect(findings).toMatchObject([{ severity: 'warning', path: 'model_rules[0].when.tenant' }])
    const text = (name: string) => `${LEARNED}api_keys: [{name: ${name}, key: k}]\n`
    const rules = ['{match: a, rewrite: b, when: {tenant: acme}}']
    expect((await load(rules, text('acne'))).findings).toMatchObject([
      { path: 'model_rules[0].when.tenant', message: expect.stringContaining('did you mean acne?') },
    ])
    expect((await load(rules, text('acme'))).findings).toEqual([])
  })
})

describe('a target', () => {
  test('that no worker lists is a warning where all models are configured', async () => {
    const rules = [
      '{match: a, rewrite: larg}',
      '{match: b, fallback: [large, huge]}',
      '{match: c, weights: {tiny: 1, x/y: 1}}',
    ]
    const { ok, findings } = await load(rules, LISTED)
    expect(ok).toBe(true)
    expect(findings.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)).toEqual([
      'warning model_rules[0].rewrite: no worker lists larg among its models',
      'warning model_rules[1].fallback[1]: no worker lists huge among its models',
      'warning model_rules[2].weights["x/y"]: no worker lists x/y among its models',
    ])
  })

  test('is taken on trust where a worker has yet to say what it serves', async () => {
    expect((await load(['{match: a, rewrite: larg}'])).findings).toEqual([])
  })

  test('that stands twice in a chain counts once', async () => {
    const { findings } = await load(['{match: a, fallback: [b, c, b]}'])
    expect(findings).toMatchObject([{ severity: 'warning', path: 'model_rules[0].fallback[2]' }])
  })
})

test('a default_model may be an alias', async () => {
  const { ok, findings } = await load(['{match: "gpt-*", rewrite: large}'], `${LISTED}default_model: gpt-4o\n`)
  expect([ok, findings]).toEqual([true, []])
})

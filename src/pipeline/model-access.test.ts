// Model access through the whole pipeline: what a tenant asks for, what rules, defaults and chains make of it, and which
// workers hear of it.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'
import { coversModel } from '../access/model-access.ts'

const MODELS = ['m', 'n', 'o'] as const
const WORKERS = MODELS.map((model) => ({ id: `w-${model}`, url: `http://${model}.test`, models: [model] }))

interface Setup {
  readonly allowed: readonly string[]
  readonly rules?: readonly object[]
  readonly defaultModel?: string
  readonly models?: readonly string[]
  /** Workers that refuse connections, by the model they serve. */
  readonly down?: readonly string[]
  /** What a hook makes of the model. */
  readonly hooked?: string
  readonly decisions?: readonly object[]
  readonly decideOn?: 'auto' | 'all'
}

async function tenantOf({ allowed, rules = [], defaultModel, models = MODELS, down = [], hooked, ...setup }: Setup) {
  const { decisions = [], decideOn = 'all' } = setup
  const reached: string[] = []
  const config = {
    workers: WORKERS.filter(({ models: [model] }) => model !== undefined && models.includes(model)),
    api_keys: [{ name: 'search', key: 'search-key', allowed_models: allowed }],
    inbound_api_key: 'shared-key',
    model_rules: rules,
    ...(decisions.length === 0 ? {} : { decisions, decide_on: decideOn, auto_models: ['alias'] }),
    ...(defaultModel === undefined ? {} : { default_model: defaultModel }),
    ...(hooked === undefined ? {} : { pre_routing_hooks: [{ name: 'h', url: 'http://hook.test/', transform: true }] }),
    retry: { max_retries: 3, budget: { min_retries: 1_000 } },
  }
  const { chat } = await inProcessRouter(JSON.stringify(config), async ({ worker }: UpstreamCall) => {
    if (worker === 'hook.test') return Response.json({ action: 'transform', body: { model: hooked } })
    const model = worker.replace('.test', '')
    reached.push(model)
    if (down.includes(model)) throw Object.assign(new Error('refused'), { phase: 'not_sent' })
    return Response.json({})
  })
  return {
    reached,
    async ask(body: Readonly<Record<string, unknown>>, key = 'search-key') {
      const { response, text } = await chat(body, { headers: { authorization: `Bearer ${key}` } })
      const model = response.headers.get('x-vllm-router-model')
      return { status: response.status, model, code: response.ok ? null : JSON.parse(text).error.code, text }
    },
  }
}

const ALIAS = [{ match: 'alias', rewrite: 'm' }]
const CHAIN = [{ match: 'chain', fallback: ['n', 'm', 'o'], on_failure: true }]
const SPLIT = [{ match: 'split', weights: { m: 1, n: 1_000 } }]

interface Case extends Setup {
  readonly what: string
  readonly asks: string | null
  /** The model that was reached, or the code of the refusal. */
  readonly gets: string
}

const CASES: readonly Case[] = [
  { what: 'an allowed model', allowed: ['m'], asks: 'm', gets: 'm' },
  { what: 'another', allowed: ['m'], asks: 'n', gets: 'model_not_allowed' },
  {
    what: 'one that nobody serves, as it says nothing of what there is',
    allowed: ['m'],
    asks: 'zz',
    gets: 'model_not_allowed',
  },
  { what: 'an allowed one that nobody serves', allowed: ['*'], asks: 'zz', gets: 'model_not_found' },
  { what: 'an alias, both allowed', allowed: ['alias', 'm'], rules: ALIAS, asks: 'alias', gets: 'm' },
  { what: 'an alias whose target is not', allowed: ['alias'], rules: ALIAS, asks: 'alias', gets: 'model_not_allowed' },
  { what: 'an alias that is not itself', allowed: ['m'], rules: ALIAS, asks: 'alias', gets: 'model_not_allowed' },
  {
    what: 'a chain: what is not allowed is passed over',
    allowed: ['chain', 'm'],
    rules: CHAIN,
    asks: 'chain',
    gets: 'm',
  },
  {
    what: 'a chain after a failure',
    allowed: ['chain', 'm', 'o'],
    rules: CHAIN,
    down: ['m'],
    asks: 'chain',
    gets: 'o',
  },
  {
    what: 'a chain of which only what failed is allowed',
    allowed: ['chain', 'm'],
    rules: CHAIN,
    down: ['m'],
    asks: 'chain',
    gets: 'no_worker',
  },
  { what: 'a chain of which nothing is', allowed: ['chain'], rules: CHAIN, asks: 'chain', gets: 'model_not_allowed' },
  { what: 'a split: drawn among what is allowed', allowed: ['split', 'm'], rules: SPLIT, asks: 'split', gets: 'm' },
  { what: 'a model that a hook replaces by an allowed one', allowed: ['m', 'n'], hooked: 'n', asks: 'm', gets: 'n' },
  { what: 'one that a hook replaces by another', allowed: ['m'], hooked: 'n', asks: 'm', gets: 'model_not_allowed' },
  {
    what: 'one that a hook replaces by a name that is not its own',
    allowed: ['m'],
    rules: ALIAS,
    hooked: 'alias',
    asks: 'm',
    gets: 'model_not_allowed',
  },
  {
    what: 'what it may not have, whatever a hook would make of it',
    allowed: ['m'],
    hooked: 'm',
    asks: 'n',
    gets: 'model_not_allowed',
  },
  { what: 'no model, the default is allowed', allowed: ['m'], defaultModel: 'm', asks: null, gets: 'm' },
  { what: 'no model, the default is not', allowed: ['m'], defaultModel: 'n', asks: null, gets: 'model_not_allowed' },
  {
    what: 'no model, the default leads to an allowed one',
    allowed: ['m'],
    rules: ALIAS,
    defaultModel: 'alias',
    asks: null,
    gets: 'm',
  },
  {
    what: 'no model, the default leads to one that is not',
    allowed: ['alias'],
    rules: ALIAS,
    defaultModel: 'alias',
    asks: null,
    gets: 'model_not_allowed',
  },
  { what: 'no model, the only one is allowed', allowed: ['m'], models: ['m'], asks: null, gets: 'm' },
  { what: 'no model, the only one is not', allowed: ['m'], models: ['n'], asks: null, gets: 'model_not_allowed' },
  { what: 'no model among several', allowed: ['m'], asks: null, gets: 'model_required' },
  {
    what: 'a rule for all',
    allowed: ['m'],
    rules: [{ match: '*', rewrite: 'n' }],
    asks: 'm',
    gets: 'model_not_allowed',
  },
  {
    what: 'a rule of its own',
    allowed: ['m'],
    rules: [{ match: 'n', when: { tenant: 'search' }, rewrite: 'm' }],
    asks: 'n',
    gets: 'model_not_allowed',
  },
]

const DECISION = (...models: string[]) => [{ name: 'd', modelRefs: models.map((model) => ({ model })) }]

const DECIDED: readonly Case[] = [
  { what: 'an auto name', allowed: ['alias', 'n'], decisions: DECISION('n'), asks: 'alias', gets: 'n' },
  {
    what: 'an auto name that is not its own',
    allowed: ['n'],
    decisions: DECISION('n'),
    asks: 'alias',
    gets: 'model_not_allowed',
  },
  {
    what: 'one that leads to what is not',
    allowed: ['alias', 'm'],
    decisions: DECISION('n'),
    asks: 'alias',
    gets: 'model_not_allowed',
  },
  {
    what: 'one of which a part is',
    allowed: ['alias', 'm'],
    decisions: DECISION('n', 'm'),
    asks: 'alias',
    gets: 'm',
  },
  {
    what: 'the default, where the decision’s are not',
    allowed: ['alias', 'm'],
    decisions: DECISION('n'),
    defaultModel: 'm',
    asks: 'alias',
    gets: 'm',
  },
  {
    what: 'the next model after a failure',
    allowed: ['alias', 'm', 'o'],
    decisions: DECISION('n', 'm', 'o'),
    down: ['m'],
    asks: 'alias',
    gets: 'o',
  },
  {
    what: 'a model of its own that is decided on',
    allowed: ['m', 'n'],
    decisions: DECISION('n'),
    asks: 'm',
    gets: 'n',
  },
  {
    what: 'the same, where the decision’s is not',
    allowed: ['m'],
    decisions: DECISION('n'),
    asks: 'm',
    gets: 'model_not_allowed',
  },
  {
    what: 'a model of its own that is left alone',
    allowed: ['m'],
    decisions: DECISION('n'),
    decideOn: 'auto',
    asks: 'm',
    gets: 'm',
  },
  {
    what: 'a name that a rule makes auto',
    allowed: ['zz', 'alias', 'n'],
    rules: [{ match: 'zz', rewrite: 'alias' }],
    decisions: DECISION('n'),
    asks: 'zz',
    gets: 'n',
  },
  {
    what: 'the same, where auto is not its own',
    allowed: ['zz', 'n'],
    rules: [{ match: 'zz', rewrite: 'alias' }],
    decisions: DECISION('n'),
    asks: 'zz',
    gets: 'model_not_allowed',
  },
]

describe('a tenant that asks for', () => {
  test.each([...CASES, ...DECIDED])('$what: $gets', async ({ asks, gets, ...setup }) => {
    const { ask, reached } = await tenantOf(setup)
    const answer = await ask(asks === null ? {} : { model: asks })
    if (answer.code === null) {
      expect([answer.model, reached.at(-1)]).toEqual([gets, gets])
    } else {
      expect(answer.code).toBe(gets)
      expect(reached.filter((model) => !coversModel(setup.allowed, model))).toEqual([])
    }
    if (gets === 'model_not_allowed') expect([answer.status, reached]).toEqual([403, []])
  })

  test('nothing it may use is told the name that it gave, and no name of a target', async () => {
    const { ask } = await tenantOf({ allowed: ['alias'], rules: [{ match: 'alias', rewrite: 'n' }] })
    const named = (await ask({ model: 'o' })).text
    expect(named).toContain('`o`')
    const { text, model } = await ask({ model: 'alias' })
    expect(text).toContain('`alias`')
    expect(text).not.toContain('`n`')
    expect(model).not.toBe('n')
  })

  test('callers with the shared key may use every model', async () => {
    const { ask } = await tenantOf({ allowed: ['m'] })
    expect((await ask({ model: 'n' }, 'shared-key')).model).toBe('n')
  })
})

const NAMES = ['m', 'n', 'o', 'alias', 'zz'] as const

/** For a machine that is busy. */
const PATIENCE_MS = 60_000

describe('whatever the rules are', () => {
  const name = fc.constantFrom(...NAMES)
  const pattern = fc.constantFrom('m', 'n', 'o', 'alias', 'zz', '*', 'a*')
  const rule = fc.oneof(
    fc.record({ match: pattern, rewrite: name }),
    fc.record({
      match: pattern,
      fallback: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
      on_failure: fc.boolean(),
    }),
    fc.record({
      match: pattern,
      weights: fc.dictionary(name, fc.integer({ min: 1, max: 9 }), { minKeys: 1, maxKeys: 3 }),
    }),
  )

  test(
    'no model is reached that the tenant may not use',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            allowed: fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
            rules: fc.array(rule, { maxLength: 3 }),
            down: fc.uniqueArray(fc.constantFrom(...MODELS), { maxLength: 2 }),
            models: fc.uniqueArray(fc.constantFrom(...MODELS), { minLength: 1 }),
            decideOn: fc.constantFrom('auto', 'all'),
            decisions: fc
              .uniqueArray(name, { minLength: 1, maxLength: 3 })
              .chain((refs) => fc.constantFrom([], DECISION(...refs))),
          }),
          fc.option(name, { nil: undefined }),
          async (setup, defaultModel) => {
            // Nearly all of the time goes into starting a router: each is asked for everything there is to ask for.
            const { ask, reached } = await tenantOf({
              ...setup,
              ...(defaultModel === undefined ? {} : { defaultModel }),
            })
            for (const asks of [null, ...NAMES]) {
              const answer = await ask(asks === null ? {} : { model: asks })
              expect(reached.filter((model) => !coversModel(setup.allowed, model))).toEqual([])
              if (asks !== null && !coversModel(setup.allowed, asks)) expect(answer.code).toBe('model_not_allowed')
            }
          },
        ),
        { numRuns: 100 },
      )
    },
    PATIENCE_MS,
  )
})

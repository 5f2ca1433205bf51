// Decisions over HTTP: what a request is about decides its model, the worker gets a body that is otherwise the caller's,
// and headers, records and explanations say what was decided and why.

import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { freePort, type RuntimeName } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { type Answered, ask, postJson } from '../support/ask.ts'

type Worker = 'big' | 'small' | 'pair'

const CHAT = '/v1/chat/completions'

const DECISIONS = {
  auto_models: ['auto', 'router/auto'],
  default_model: 'small',
  models: [
    { name: 'qwen', reasoning_family: 'qwen3' },
    { name: 'oss', reasoning_family: 'gpt-oss' },
  ],
  signals: {
    keywords: [
      { name: 'math', keywords: ['equation', '方程'] },
      { name: 'code', keywords: ['function'] },
      { name: 'help', keywords: ['help'] },
      { name: 'gone', keywords: ['gone'] },
      { name: 'weigh', keywords: ['weigh'] },
    ],
    metadata: [{ name: 'canary', key: 'cohort', predicate: { equals: 'canary' } }],
    authz: [{ name: 'vip', role: 'premium', subjects: [{ kind: 'Tenant', name: 'research' }] }],
  },
  decisions: [
    {
      name: 'math_route',
      priority: 100,
      rules: {
        operator: 'AND',
        conditions: [
          { type: 'keyword', name: 'math' },
          { operator: 'NOT', conditions: [{ type: 'keyword', name: 'code' }] },
        ],
      },
      modelRefs: [{ model: 'qwen', use_reasoning: true }],
      plugins: [
        { type: 'system_prompt', configuration: { system_prompt: 'Step by "step".', mode: 'insert' } },
        {
          type: 'header_mutation',
          configuration: { update: [{ name: 'x-route', value: 'math' }], delete: ['user-agent'] },
        },
        { type: 'router_replay', configuration: { capture_request_body: true } },
      ],
    },
    {
      name: 'code_route',
      priority: 90,
      rules: { type: 'keyword', name: 'code' },
      modelRefs: [{ model: 'oss', use_reasoning: true, reasoning_effort: 'high' }],
    },
    {
      name: 'gone_route',
      priority: 80,
      rules: { type: 'keyword', name: 'gone' },
      modelRefs: [{ model: 'ghost' }, { model: 'oss' }],
    },
    {
      name: 'lost_route',
      priority: 70,
      rules: { operator: 'AND', conditions: [{ type: 'metadata', name: 'canary' }] },
      modelRefs: [{ model: 'ghost' }],
    },
    {
      name: 'vip_route',
      priority: 60,
      rules: { type: 'authz', name: 'premium' },
      modelRefs: [{ model: 'oss', use_reasoning: false }],
    },
    {
      name: 'split_route',
      priority: 50,
      rules: { type: 'keyword', name: 'weigh' },
      modelRefs: [
        { model: 'blue', weight: 1 },
        { model: 'green', weight: 1 },
      ],
    },
    { name: 'help_route', priority: 40, rules: { type: 'keyword', name: 'help' } },
  ],
}

export function decisionsConformance(runtime: RuntimeName): void {
  describe(`decisions on ${runtime}`, () => {
    const fleet = liveFleet<Worker>(runtime, {
      workers: {
        big: { models: ['qwen', 'oss'] },
        small: { models: ['small'] },
        pair: { models: ['blue', 'green'] },
      },
      config: async (urls) => ({
        workers: [
          ...Object.entries(urls).map(([id, url]) => ({ id, url })),
          { id: 'ghost', url: `http://127.0.0.1:${await freePort()}`, models: ['ghost'] },
        ],
        model_refresh_secs: 1,
        model_rules: [{ match: 'gpt-4o', rewrite: 'auto' }],
        api_keys: [
          { name: 'research', key: 'research-key' },
          { name: 'limited', key: 'limited-key', allowed_models: ['auto', 'small'] },
        ],
        inbound_api_key: 'shared-key',
        admin_api_key: 'admin-key',
        ...DECISIONS,
      }),
    })
    choices(fleet)
    bodies(fleet, runtime)
    traces(fleet, runtime)
  })
}

const SHARED = { authorization: 'Bearer shared-key' }

function poster(fleet: LiveFleet<Worker>) {
  return (body: object | string, headers: Record<string, string> = {}, path = CHAT): Promise<Answered> =>
    postJson(fleet.url + path, body, { ...SHARED, ...headers })
}

function asking(content: string, rest: object = {}) {
  return { model: 'auto', messages: [{ role: 'user', content }], ...rest }
}

function choices(fleet: LiveFleet<Worker>): void {
  const post = poster(fleet)

  test.each<[string, object, string | null, string]>([
    ['a keyword', asking('solve the equation'), 'math_route', 'qwen'],
    ['in another script', asking('解这个方程'), 'math_route', 'qwen'],
    ['by priority', asking('a function without equation'), 'code_route', 'oss'],
    [
      'of the newest message',
      {
        model: 'auto',
        messages: [
          { role: 'user', content: 'equation' },
          { role: 'user', content: 'hi' },
        ],
      },
      null,
      'small',
    ],
    ['nothing', asking('hello'), null, 'small'],
    ['the next of its models, when the first has no worker', asking('gone'), 'gone_route', 'oss'],
    ['the default model, when none has', asking('x', { metadata: { cohort: 'canary' } }), 'lost_route', 'small'],
    ['the default model, where a decision names none', asking('help'), 'help_route', 'small'],
    ['another auto name', asking('equation', { model: 'router/auto' }), 'math_route', 'qwen'],
    ['a name that a rule makes auto', asking('equation', { model: 'gpt-4o' }), 'math_route', 'qwen'],
    ['a model of its own: no decision', asking('equation', { model: 'small' }), null, 'small'],
  ])('%s', async (_what, body, decision, model) => {
    const { status, headers, text } = await post(body)
    expect(status, text).toBe(200)
    expect([headers.get('x-vllm-router-decision'), headers.get('x-vllm-router-model')]).toEqual([decision, model])
    expect(headers.get('x-vsr-selected-decision')).toBe(decision)
    expect(headers.get('x-vsr-selected-model')).toBe(decision === null ? null : model)
  })

  test('auto names are in the list of models', async () => {
    const { data } = (await ask(`${fleet.url}/v1/models`, { headers: SHARED })).json()
    const ids = data.map(({ id }: { id: string }) => id)
    expect(ids).toEqual(expect.arrayContaining(['auto', 'router/auto', 'small']))
  })

  test('headers say how surely, and how it reasons', async () => {
    const { headers } = await post(asking('solve the equation'))
    expect(headers.get('x-vsr-selected-confidence')).toBe('1.0000')
    expect(headers.get('x-vsr-selected-reasoning')).toBe('medium')
    expect((await post(asking('function'))).headers.get('x-vsr-selected-reasoning')).toBe('high')
    expect((await post(asking('gone'))).headers.get('x-vsr-selected-reasoning')).toBe('off')
    // Nobody is told to reason where there is nothing to think about.
    const vectors = await post({ model: 'auto', input: 'equation' }, {}, '/v1/embeddings')
    expect(vectors.status, vectors.text).toBe(200)
    expect(vectors.headers.get('x-vsr-selected-decision')).toBe('math_route')
    expect(vectors.headers.get('x-vsr-selected-reasoning')).toBeNull()
  })

  test('the tenant', async () => {
    const { headers } = await post(asking('hello'), { authorization: 'Bearer research-key' })
    expect(headers.get('x-vsr-selected-decision')).toBe('vip_route')
  })

  test('weights: both get some, and a session stays where it is', async () => {
    const models = new Set<string | null>()
    for (let session = 0; session < 40 && models.size < 2; session += 1) {
      const send = () => post(asking('weigh'), { 'x-session-id': `s${session}` })
      const [first, second] = [await send(), await send()]
      expect(second.headers.get('x-vllm-router-model')).toBe(first.headers.get('x-vllm-router-model'))
      models.add(first.headers.get('x-vllm-router-model'))
    }
    expect([...models].sort()).toEqual(['blue', 'green'])
  })

  test('no model is reached that the caller may not use', async () => {
    const limited = { authorization: 'Bearer limited-key' }
    const { headers, status } = await post(asking('equation'), limited)
    expect([status, headers.get('x-vllm-router-model')]).toEqual([200, 'small'])
    expect((await post(asking('x', { model: 'qwen' }), limited)).status).toBe(403)
    expect((await post(asking('x', { model: 'router/auto' }), limited)).status).toBe(403)
  })

  test('metadata that is no text is the caller’s mistake', async () => {
    const { status, text } = await post(asking('x', { metadata: { cohort: 1 } }))
    expect([status, JSON.parse(text).error.param]).toEqual([400, 'metadata'])
  })

  test('the other ways to ask', async () => {
    const decisionOf = async (body: object, path: string) =>
      (await post({ model: 'auto', ...body }, {}, path)).headers.get('x-vllm-router-decision')
    expect(await decisionOf({ prompt: 'an equation' }, '/v1/completions')).toBe('math_route')
    expect(await decisionOf({ input: 'an equation' }, '/v1/responses')).toBe('math_route')
    const messages = [{ role: 'user', content: [{ type: 'text', text: 'an equation' }] }]
    expect(await decisionOf({ max_tokens: 4, messages }, '/v1/messages')).toBe('math_route')
  })
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function bodies(fleet: LiveFleet<Worker>, runtime: RuntimeName): void {
  const post = poster(fleet)
  const told = '{"role":"system","content":"Step by \\"step\\"."}'
  const on = '"chat_template_kwargs":{"enable_thinking":true},'
  const rest = '  "x":1.0, "y":12345678901234567890,"x":1e2'

  test.each<[string, string, string]>([
    [
      'a prompt is put first, a switch is added',
      `{"model":"auto","messages": [ {"role":"user","content":"\\u00e9quation equation"}],${rest}}`,
      `{${on}"model":"qwen","messages": [${told}, {"role":"user","content":"\\u00e9quation equation"}],${rest}}`,
    ],
    [
      'a prompt that is there goes on behind it, other switches stay',
      `{"model":"auto","chat_template_kwargs":{ "a" : 1.0 },"messages":[{"role":"system","content":"Be \\u00e9"},{"role":"user","content":"equation"}]}`,
      `{"model":"qwen","chat_template_kwargs":{ "enable_thinking":true,"a" : 1.0 },"messages":[{"role":"system","content":"Step by \\"step\\".\\n\\nBe \\u00e9"},{"role":"user","content":"equation"}]}`.replace(
        '{ "enable_thinking":true,"a" : 1.0 }',
        '{"enable_thinking":true, "a" : 1.0 }',
      ),
    ],
    [
      'effort',
      `{"messages":[{"role":"user","content":"function"}],"model":"auto","reasoning_effort": "low" ,${rest}}`,
      `{"messages":[{"role":"user","content":"function"}],"model":"oss","reasoning_effort": "high" ,${rest}}`,
    ],
    [
      'nothing where nothing decides',
      `{"messages":[{"role":"user","content":"hello"}],"model":"auto",${rest}}`,
      `{"messages":[{"role":"user","content":"hello"}],"model":"small",${rest}}`,
    ],
  ])('%s, and nothing else changes', async (name, sent, expected) => {
    const id = `${runtime}-${name.replaceAll(/\W/g, '-')}`
    const answer = await post(sent, { 'x-request-id': id })
    expect(answer.status, answer.text).toBe(200)
    expect(fleet.call(id).body).toBe(expected)
    expect(fleet.call(id).sha256).toBe(sha256(expected))
  })

  test('other APIs are told in their own places', async () => {
    let sent = 0
    const send = async (path: string, body: object) => {
      const id = `${runtime}-told-${(sent += 1)}`
      const answer = await post({ model: 'auto', ...body }, { 'x-request-id': id }, path)
      expect(answer.status, answer.text).toBe(200)
      return JSON.parse(fleet.call(id).body)
    }
    const messages = [{ role: 'user', content: 'equation' }]
    expect(
      await send('/v1/messages', { max_tokens: 4, system: [{ type: 'text', text: 'Be kind' }], messages }),
    ).toMatchObject({
      system: [
        { type: 'text', text: 'Step by "step".' },
        { type: 'text', text: 'Be kind' },
      ],
    })
    expect(await send('/v1/responses', { input: 'equation', instructions: 'Be kind' })).toMatchObject({
      instructions: 'Step by "step".\n\nBe kind',
    })
    const coding = [{ role: 'user', content: 'function' }]
    expect(await send('/v1/messages', { max_tokens: 4, messages: coding })).toEqual({
      model: 'oss',
      max_tokens: 4,
      messages: coding,
      chat_template_kwargs: { reasoning_effort: 'high' },
    })
    expect(await send('/v1/responses', { input: 'function', reasoning: { effort: 'low', summary: 'auto' } })).toEqual({
      model: 'oss',
      input: 'function',
      reasoning: { effort: 'high', summary: 'auto' },
    })
    expect(await send('/v1/completions', { prompt: 'equation' })).toEqual({ model: 'qwen', prompt: 'equation' })
  })

  test('headers of the worker are changed as the decision says', async () => {
    const id = `${runtime}-mutated`
    await post(asking('equation'), { 'x-request-id': id, 'user-agent': 'tester' })
    expect(fleet.call(id).headers).toMatchObject({ 'x-route': 'math' })
    expect(fleet.call(id).headers['user-agent']).not.toBe('tester')
  })
}

function traces(fleet: LiveFleet<Worker>, runtime: RuntimeName): void {
  const post = poster(fleet)

  test('the record has what was decided, by what, and every signal', async () => {
    const id = `${runtime}-recorded`
    await post(asking('an equation'), { 'x-request-id': id })
    const record = await fleet.router.record((each) => each['request_id'] === id)
    expect(record).toMatchObject({
      original_model: 'auto',
      model: 'qwen',
      decision: 'math_route',
      decision_confidence: 1,
      reasoning_mode: 'medium',
      signals: { keyword: ['math'], metadata: [], authz: [] },
      signal_readings: {
        'keyword:math': { is: 'matched', because: '"equation"', rule: expect.stringMatching(/^[0-9a-f]{8}$/) },
        'keyword:code': { is: 'not_matched', because: 'none of its keywords occurs' },
      },
    })
  })

  test('a decision’s plugin records its requests, and no others', async () => {
    const admin = { authorization: 'Bearer admin-key' }
    const { headers } = await post(asking('an equation to keep'))
    const id = headers.get('x-vsr-replay-id')
    expect(id).not.toBeNull()
    expect((await post(asking('hello'))).headers.get('x-vsr-replay-id')).toBeNull()
    await expect
      .poll(async () => (await ask(`${fleet.url}/v1/router_replay/${id}`, { headers: admin })).status, {
        timeout: 10_000,
      })
      .toBe(200)
    const { text } = await ask(`${fleet.url}/v1/router_replay/${id}`, { headers: admin })
    const record = JSON.parse(text)
    expect(record).toMatchObject({
      decision: 'math_route',
      original_model: 'auto',
      selected_model: 'qwen',
      reasoning_mode: 'medium',
      signals: { keyword: ['math'] },
    })
    expect(record.request_body).toContain('an equation to keep')
  })

  test('a dry run shows each rule as a tree, with why', async () => {
    const admin = { authorization: 'Bearer admin-key' }
    const body = { model: 'auto', messages: [{ role: 'user', content: 'an equation' }] }
    const { status, text } = await postJson(`${fleet.url}/admin/explain`, { body, tenant: 'research' }, admin)
    expect(status, text).toBe(200)
    const { decisions, record } = JSON.parse(text)
    expect(record).toMatchObject({ decision: 'math_route', model: 'qwen' })
    expect(decisions[0]).toEqual({
      name: 'math_route',
      priority: 100,
      is: 'yes',
      confidence: 1,
      chosen: true,
      matched: ['keyword:math', 'not keyword:code'],
      rules: {
        kind: 'and',
        is: 'yes',
        confidence: 1,
        conditions: [
          { kind: 'signal', signal: 'keyword:math', is: 'yes', confidence: 1, because: '"equation"' },
          {
            kind: 'not',
            is: 'yes',
            confidence: 1,
            conditions: [
              {
                kind: 'signal',
                signal: 'keyword:code',
                is: 'no',
                confidence: 0,
                because: 'none of its keywords occurs',
              },
            ],
          },
        ],
      },
    })
    const headers = { ...admin, accept: 'text/plain' }
    const page = (await postJson(`${fleet.url}/admin/explain`, { body, tenant: 'research' }, headers)).text
    expect(page).toContain('+ math_route  priority 100, confidence 1  (takes the request)')
    expect(page).toContain('- keyword:code: none of its keywords occurs')
    expect(page).toContain('Decisions  (+ holds, - does not, ? nobody can tell)')
    expect(page).toContain('+ vip_route  priority 60, confidence 1  (holds, and another comes first)')
  })

  test('so does a request that was made', async () => {
    const id = (await post(asking('a function'))).headers.get('x-vllm-router-decision-id')
    const url = `${fleet.url}/admin/explain/${id}`
    const admin = { headers: { authorization: 'Bearer admin-key' } }
    await expect.poll(async () => (await ask(url, admin)).status, { timeout: 10_000 }).toBe(200)
    const { decisions } = (await ask(url, admin)).json()
    const chosen = decisions.find(({ chosen: isChosen }: { chosen: boolean }) => isChosen)
    expect(chosen).toMatchObject({ name: 'code_route', matched: ['keyword:code'] })
  })
}

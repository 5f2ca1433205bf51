// Explanations over HTTP: of decisions that were made, and of requests that might be made, which reach nobody.

import { afterAll, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, ask, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { type HookServer, startHookServer } from '../support/hook-server.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { INFERENCE_ROUTES } from '../../src/routes/catalogue.ts'

const ADMIN_KEY = 'explain-admin-0123456789'
const SHARED_KEY = 'explain-shared-0123456789'
const ACME_KEY = 'explain-acme-0123456789'
const CHAT = '/v1/chat/completions'
const PATIENCE_MS = 20_000

interface Given {
  readonly fleet: LiveFleet<'one' | 'two'>
  readonly hooks: () => HookServer
  readonly admin: ReturnType<typeof adminClient>
  /** A dry run's answer. */
  dryRun(body: object): Promise<Answered>
  /** A live request's answer. */
  live(body: object, headers?: Readonly<Record<string, string>>): Promise<Answered>
  /** The explanation of a request that has ended. */
  explained(requestId: string, query?: string): Promise<Explained>
}

type Explained = ReturnType<typeof JSON.parse>

export function explainConformance(runtime: RuntimeName): void {
  describe.each(['random', 'round_robin'])(`explanations under %s on ${runtime}`, (policy) => {
    const given = explainFleet(runtime, policy)
    if (policy === 'random') {
      explainsWhatWas(given)
      dryRuns(given)
      refusals(given)
      leavesNothing(given)
    } else turns(given, runtime)
  })
}

function explainFleet(runtime: RuntimeName, policy: string): Given {
  let hooks: HookServer | null = null
  const fleet = liveFleet<'one' | 'two'>(runtime, {
    workers: { one: { models: ['m', 'barred'], allowRequestFaults: true }, two: { models: ['m'] } },
    async config(urls) {
      hooks = await startHookServer()
      return {
        workers: [
          { id: 'one', url: urls.one, weight: 3 },
          { id: 'two', url: urls.two },
          { id: 'gone', url: 'http://127.0.0.1:9', models: ['m'] },
        ],
        policy,
        inbound_api_key: SHARED_KEY,
        api_keys: [{ name: 'acme', key: ACME_KEY, allowed_models: ['m'], rate_limit_rps: 2, max_concurrent: 3 }],
        admin_api_key: ADMIN_KEY,
        forward_headers: ['x-sim-fault'],
        model_rules: [{ match: 'alias', rewrite: 'm' }],
        pre_routing_hooks: [
          { name: 'guard', url: hooks.url('/reject'), routes: [CHAT], models: ['barred'], timeout_ms: 5_000 },
        ],
        max_payload_size: 65_536,
        log_level: 'warn',
      }
    },
  })
  afterAll(() => hooks?.close())
  const admin = adminClient(() => fleet.url, ADMIN_KEY)
  return {
    fleet,
    admin,
    hooks() {
      if (hooks === null) throw new Error('the hooks have not been started')
      return hooks
    },
    dryRun: (body) => admin.post('/admin/explain', body),
    live: (body, headers = {}) => postJson(fleet.url + CHAT, body, { 'x-api-key': SHARED_KEY, ...headers }),
    async explained(requestId, query = '') {
      let last: Explained = null
      await until(
        async () => {
          const answer = await admin.get(`/admin/explain/${requestId}${query}`)
          last = answer.json()
          return answer.status === 200 && last.lifecycle_state !== 'in_progress'
        },
        PATIENCE_MS,
        () => `${requestId} is not explained: ${JSON.stringify(last)}`,
      )
      return last
    },
  }
}

function explainsWhatWas({ fleet, admin, live, explained }: Given): void {
  test('a decision: why this worker, who else, who was left out, how old its signals were', async () => {
    const answer = await live(chatBody('alias'), { 'x-request-id': 'explain-1', 'x-session-id': 'secret-session' })
    expect(answer.status, answer.text).toBe(200)
    const worker = answer.headers.get('x-vllm-router-worker')
    const told = await explained('explain-1')
    const text = told.sentences.join('\n')
    expect(told).toMatchObject({ request_id: 'explain-1', worker, policy: 'random', lifecycle_state: 'completed' })
    expect(text).toContain(`The request went to \`${worker}\` by policy \`random\` and was answered with 200`)
    expect(text).toContain('The model `alias` matches the model rule `alias`, which led to `m`.')
    expect(text).toContain(`The draw is that of the seed ${told.record.seed}`)
    expect(text).toMatch(/`gone` was left out, `down`/)
    expect(text).toMatch(/The state of the fleet came from .* and was [\d,]+ ms old\./)
    expect(text).toContain('the header `x-session-id`')
    expect(JSON.stringify(told)).not.toContain('secret-session')
    expect(told.table.rows.map((row: { worker: string }) => row.worker).sort()).toEqual(['gone', 'one', 'two'])
    expect(told.table.rows[0]).toMatchObject({ worker, standing: 'chosen' })
    expect(told.view.view_hash).toBe(told.record.view_hash)
    const weights = told.table.rows.map((row: { worker: string; weight: number }) => [row.worker, row.weight])
    expect(Object.fromEntries(weights)).toEqual({ one: 3, two: 1, gone: 1 })
  })

  test.each([
    ['gone', /left out, `down`/],
    ['nobody', /No worker `nobody` was in the pool/],
  ])('why not %s', async (worker, expected) => {
    await live(chatBody('m'), { 'x-request-id': 'explain-2' })
    const told = await explained('explain-2', `?worker=${worker}`)
    expect(told.why_not.worker).toBe(worker)
    expect(told.why_not.sentences.join('\n')).toMatch(expected)
  })

  test('a refusal is told', async () => {
    await live(chatBody('nowhere'), { 'x-request-id': 'explain-4' })
    const told = await explained('explain-4')
    expect(told.sentences[0]).toMatch(/^The request reached no worker: it was refused with 404 `model_not_found`/)
    expect(told.table).toBeNull()
  })

  test('as text for whoever prefers that, as JSON for all others', async () => {
    await live(chatBody('m'), { 'x-request-id': 'explain-5' })
    const json = await explained('explain-5')
    const as = (accept: string) =>
      ask(`${fleet.url}/admin/explain/explain-5`, { headers: { authorization: `Bearer ${ADMIN_KEY}`, accept } })
    const text = await as('text/plain')
    expect(text.headers.get('content-type')).toMatch(/^text\/plain/)
    expect(text.text).toContain('Candidates\n  worker ')
    for (const word of json.sentences[0].split(' ')) expect(text.text).toContain(word)
    expect((await as('text/plain;q=0.5, application/json')).headers.get('content-type')).toMatch(/json/)
    expect((await as('*/*')).headers.get('content-type')).toMatch(/json/)
    expect((await as('text/html')).headers.get('content-type')).toMatch(/json/)
  })

  test('what is not known, or not asked for like this', async () => {
    expectRefusal(await admin.get('/admin/explain/nobody'), 'decision_not_found')
    expectRefusal(await admin.get('/admin/explain/explain-1?wroker=one'), 'invalid_request')
    expectRefusal(await admin.get('/admin/explain/explain-1?worker='), 'invalid_request')
  })
}

function dryRuns({ dryRun, live, explained, hooks }: Given): void {
  test('with the seed of a live request a dry run decides the same, number for number', async () => {
    for (let n = 0; n < 8; n += 1) {
      const body = { ...chatBody('alias'), user: `user-${n}` }
      await live(body, { 'x-request-id': `same-${n}` })
      const told = await explained(`same-${n}`)
      const dry = (await dryRun({ body, key: SHARED_KEY, seed: told.record.seed })).json()
      expect(dry.worker).toBe(told.worker)
      const scores = ({ table }: Explained) =>
        table.rows.map(({ worker, score, veto }: Explained) => ({ worker, score, veto }))
      expect(scores(dry)).toEqual(scores(told))
      const { model, original_model: asked, rule, affinity, view_hash: view, policy } = told.record
      expect(dry.record).toMatchObject({ model, original_model: asked, rule, affinity, view_hash: view, policy })
      expect(dry.record).not.toHaveProperty('status')
      expect(dry.sentences[0]).toBe(`This request would go to \`${told.worker}\` by policy \`random\`.`)
    }
  })

  test('every inference route, stored responses, and forms', async () => {
    for (const { path, body } of INFERENCE_ROUTES) {
      const sent = body === 'json' ? { ...chatBody('m'), input: 'x', prompt: 'x' } : { model: 'm' }
      const dry = (await dryRun({ route: path, body: sent })).json()
      expect(dry, path).toMatchObject({ route: path, policy: 'random', record: { model: 'm', method: 'policy' } })
    }
    const stored = (await dryRun({ route: '/v1/responses/resp_nobody', method: 'DELETE' })).json()
    expect(stored).toMatchObject({ route: '/v1/responses/:id', record: { status: 404, error: 'response_not_found' } })
  })

  test.each([
    ['an unknown model', { body: chatBody('nowhere') }, 404, 'model_not_found'],
    ['a body that is no JSON', { body: '{"model":' }, 400, 'invalid_json'],
    ['no body', {}, 400, 'invalid_json'],
    ['a key that nobody has', { body: chatBody('m'), key: 'wrong-0123456789' }, 401, 'invalid_api_key'],
    ['a model of others', { body: chatBody('barred'), tenant: 'acme' }, 403, 'model_not_allowed'],
    [
      'a type that the route does not take',
      { body: chatBody('m'), headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    [
      'a compressed body',
      { body: chatBody('m'), headers: { 'content-encoding': 'gzip' } },
      415,
      'unsupported_media_type',
    ],
    ['a body beyond `max_payload_size`', { body: { model: 'm', prompt: 'x'.repeat(70_000) } }, 413, 'body_too_large'],
    ['the same by key', { body: chatBody('barred'), headers: { 'x-api-key': ACME_KEY } }, 403, 'model_not_allowed'],
  ])('what would be refused: %s', async (_, body, status, error) => {
    const dry = (await dryRun(body)).json()
    expect(dry.record).toMatchObject({ status, error, attempts: [] })
    expect(dry.worker).toBeNull()
    expect(dry.sentences[0]).toBe(`This request would be refused with ${status} \`${error}\`.`)
    expect(dry.dry_run.message).toEqual(expect.any(String))
  })

  test('hooks are named and not asked, unless that is asked for', async () => {
    const body = chatBody('barred')
    const unasked = (await dryRun({ body, headers: { 'x-request-id': 'dry-hook' } })).json()
    expect(unasked).toMatchObject({ worker: 'one', dry_run: { not_asked: ['guard'] } })
    expect(unasked.sentences).toContain('Not asked in this dry run: `guard`.')
    expect(hooks().calls()).toEqual([])
    const asked = (await dryRun({ body, ask_hooks: true })).json()
    expect(asked.record).toMatchObject({ status: 403, error: 'hook_rejected', hooks_ran: ['guard:rejected'] })
    expect(asked.dry_run.not_asked).toEqual([])
    expect(hooks().calls()).toHaveLength(1)
  })

  test('why not another worker, and whose request it is taken for', async () => {
    const dry = (await dryRun({ body: chatBody('m'), worker: 'gone' })).json()
    expect(dry.why_not.sentences.join()).toContain('`gone` was left out, `down`')
    expect(dry.sentences).toContain(
      'No key and no tenant were given: it is taken to come from a caller without limits.',
    )
    expect((await dryRun({ body: chatBody('m'), tenant: 'acme' })).json().record.tenant).toBe('acme')
    expect((await dryRun({ body: chatBody('m'), key: ACME_KEY })).json().dry_run.caller).toBe('key')
  })
}

function refusals({ fleet, admin, dryRun }: Given): void {
  test.each([
    ['a route that is none', { route: '/v1/nothing' }, '`/v1/chat/completions`'],
    ['a method that the route lacks', { route: CHAT, method: 'GET' }, 'POST only'],
    ['a route that the router answers by itself', { route: '/v1/models' }, 'No request is routed'],
    ['a tenant that is none', { tenant: 'nobody' }, '`nobody`'],
    ['key and tenant', { tenant: 'acme', key: 'x' }, 'not both'],
    ['a header that can not be', { headers: { 'bad name': 'x' } }, 'header'],
    ['a seed that is none', { seed: -1 }, 'zero or more'],
    ['an unknown field', { bdoy: {} }, '`bdoy`'],
    ['no worker at all', { worker: '' }, 'must not be empty'],
    ['a form that has no fields', { route: '/v1/audio/transcriptions', body: 'model=m' }, 'its fields'],
  ])('what is no dry run: %s', async (_, body, says) => {
    const answer = await dryRun({ body: chatBody('m'), ...body })
    expectRefusal(answer, 'invalid_request')
    expect(answer.json().error.message).toContain(says)
  })

  test('a body that is nested beyond all measure is refused, and no failure of the router', async () => {
    const deep = `{"body":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' }
    const answer = await ask(`${fleet.url}/admin/explain`, { method: 'POST', headers, body: deep })
    // How deep a stack goes is the runtime's own.
    if (answer.status !== 200) expectRefusal(answer, 'invalid_request')
    else expect(answer.json()).toMatchObject({ worker: null, record: { status: 413, error: 'body_too_large' } })
  })

  test('parameters and other types', async () => {
    expectRefusal(await admin.post('/admin/explain?worker=one', {}), 'invalid_request')
  })
}

function leavesNothing({ fleet, admin, dryRun, live }: Given): void {
  test('no worker sees a byte, no record is left, and no limit is used', async () => {
    const standing = async () => {
      const { tenants, in_flight: inFlight } = (await admin.get('/admin/stats')).json()
      const requests = tenants.entries.map((entry: Explained) => entry.total_requests)
      const { decisions } = (await admin.get('/admin/decisions?limit=1000')).json()
      const ids = decisions.map((record: Explained) => record.decision_id).sort()
      return { requests, inFlight, ids, calls: fleet.calls().length }
    }
    const before = await standing()
    const limited = { body: { ...chatBody('m'), stream: true }, tenant: 'acme' }
    const answers = await Promise.all(Array.from({ length: 30 }, () => dryRun(limited)))
    for (const answer of answers) expect(answer.json(), answer.text).toMatchObject({ policy: 'random' })
    const meters = answers.at(-1)?.json().dry_run.limits
    expect(meters).toEqual(
      expect.arrayContaining([
        { meter: 'requests', limit: 2, remaining: expect.any(Number) },
        { meter: 'slots', limit: 3, remaining: 3 },
      ]),
    )
    expect(await standing()).toEqual(before)
    expect(before.inFlight).toBe(0)
    // All that the tenant may use in a second is still there.
    expect((await live(chatBody('m'), { 'x-api-key': ACME_KEY })).status).toBe(200)
  })
}

function turns({ dryRun, live, explained }: Given, runtime: RuntimeName): void {
  test('dry runs take no turns', async () => {
    const ticketOf = async (requestId: string): Promise<number> => {
      await live(chatBody('m'), { 'x-request-id': requestId })
      return (await explained(requestId)).record.ticket
    }
    const first = await ticketOf('turn-1')
    const peeked = await Promise.all(Array.from({ length: 6 }, () => dryRun({ body: chatBody('m') })))
    const tickets = new Set(peeked.map((answer) => answer.json().record.ticket))
    expect(tickets.size).toBe(1)
    const second = await ticketOf('turn-2')
    const told = (await explained('turn-2')).sentences
    expect(
      told.some((sentence: string) =>
        /^The request drew ticket [\d,]+, and turns go round 2 candidates\.$/.test(sentence),
      ),
    ).toBe(true)
    // On Workers turns come in leased blocks, and a new one may begin at any time.
    if (runtime === 'workerd') return
    expect([...tickets]).toEqual([first + 1])
    expect(second).toBe(first + 1)
  })

  // A fault leaves its mark on what a worker is given next, so it has this fleet to itself.
  test('attempts that failed are told', async () => {
    const fault = JSON.stringify({ status: 503 })
    let requestId = ''
    // One of two requests in a row goes to the worker that fails on demand; blocks of turns may begin in between.
    for (let n = 0, made = 0; made !== 2; n += 1) {
      expect(n, 'no request was tried twice').toBeLessThan(10)
      requestId = `explain-3-${n}`
      await live(chatBody('m'), { 'x-request-id': requestId, 'x-sim-fault': fault })
      made = (await explained(requestId)).attempts.length
    }
    const { sentences, why_not: whyNot } = await explained(requestId, '?worker=one')
    const text = sentences.join('\n')
    expect(text).toMatch(/First attempt: `one` answered with 503.* after [\d,]+ ms\./)
    expect(text).toMatch(/Second attempt: `two` answered with 200 after [\d,]+ ms\./)
    expect(text).toContain('The scores are those of the last decision, which left out `one`.')
    expect(whyNot.sentences[0]).toMatch(
      /^`one` was the first to be tried: it answered with 503 after [\d,]+ ms; then another/,
    )
    expect(whyNot.sentences[1]).toMatch(/^`one` was left out, `tried`/)
  })
}

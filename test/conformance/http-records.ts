// Every request that passed authentication leaves one record, whatever the route and however it ended, and each is as the
// format says.

import { afterAll, describe, expect, test } from 'vitest'
import { decisionRecordSchema } from '../../src/record/schema.ts'
import { INFERENCE_ROUTES, OWN_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { type Answered, ask, audioForm, chatBody, postJson } from '../support/ask.ts'
import { type HookServer, startHookServer } from '../support/hook-server.ts'
import { freePort, type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { EXPLAINED_KEY, EXPLAINED_KINDS, keyed } from './explained-kinds.ts'

const CHAT = '/v1/chat/completions'
const PASSED = '/ping'
const PLACES = 4

type Recorded = Readonly<Record<string, unknown>>

interface RecordFleet {
  readonly fleet: LiveFleet<'one'>
  /** Headers of a request that is let in, with an id of its own. */
  request(headers?: Readonly<Record<string, string>>): { readonly id: string; readonly headers: Record<string, string> }
  /** The one record of a request, checked against the format. */
  record(requestId: string): Promise<Recorded>
}

export function recordsConformance(runtime: RuntimeName): void {
  describe(`records on ${runtime}`, () => {
    const given = recordFleet(runtime)
    everyRoute(given)
    everyKind(given)
    everyEnd(given)
    onceEach(given)
  })
}

function everyRoute({ fleet, request, record }: RecordFleet): void {
  async function expectRecord(method: string, path: string, init: RequestInit = {}): Promise<Recorded> {
    const { id, headers } = request(init.body instanceof FormData ? {} : { 'content-type': 'application/json' })
    const answer = await ask(fleet.url + path, { ...init, method, headers })
    const found = await record(id)
    expect(found).toMatchObject({
      status: answer.status,
      lifecycle_state: answer.status >= 500 ? 'failed' : 'completed',
    })
    return found
  }

  test.each(INFERENCE_ROUTES)('$method $path', async ({ method, path, body }) => {
    const sent = body === 'multipart' ? audioForm('m') : JSON.stringify({ ...chatBody('m'), input: 'x', prompt: 'x' })
    const found = await expectRecord(method, path, { body: sent })
    expect(found).toMatchObject({
      route: path,
      method: 'policy',
      model: 'm',
      worker: 'one',
      view_hash: expect.any(String),
    })
    // Fetch states the length of text; that of a form it streams.
    if (typeof sent === 'string') expect(found['request_bytes']).toBe(sent.length)
  })

  test.each(STORED_RESPONSE_ROUTES)('$method $path', async ({ method, path }) => {
    const found = await expectRecord(method, path.replace(':id', 'resp_nobody'))
    expect(found).toMatchObject({ route: path, method: 'rejected', error: 'response_not_found', attempts: [] })
  })

  test.each(['GET', 'POST'])('%s of a path that is passed through', async (method) => {
    const found = await expectRecord(method, PASSED, method === 'POST' ? { body: '{}' } : {})
    expect(found).toMatchObject({ route: PASSED, method: 'policy', worker: 'one' })
  })

  test.each([
    ['/v1/models', '/v1/models', 200],
    ['/v1/models/m', '/v1/models/:id', 200],
    ['/v1/models/nope', '/v1/models/:id', 404],
  ])('GET %s', async (path, route, status) => {
    expect(await expectRecord('GET', path)).toMatchObject({ route, method: 'none', status, attempts: [] })
  })

  test('every route that a key opens is among these', () => {
    const open = ['/health', '/liveness', '/readiness', '/version']
    const own = OWN_ROUTES.map(({ path }) => path).filter((path) => !open.includes(path))
    expect(own).toEqual(['/v1/models', '/v1/models/*'])
  })
}

function everyKind({ fleet, record }: RecordFleet): void {
  const recorded = EXPLAINED_KINDS.filter(({ told }) => told.isRecorded !== false)

  test.each(recorded)('$name: $status', async ({ send, status }) => {
    const answer = await send(fleet.url)
    const found = await record(idOf(answer))
    expect(found).toMatchObject({
      status,
      decision_id: answer.headers.get('x-vllm-router-decision-id'),
      method: answer.headers.get('x-vllm-router-method'),
      lifecycle_state: status >= 500 ? 'failed' : 'completed',
    })
    expect(found['attempts']).toHaveLength(Number(answer.headers.get('x-vllm-router-attempts')))
  })
}

function everyEnd({ fleet, request, record }: RecordFleet): void {
  const stream = { ...chatBody('m'), max_tokens: 40, stream: true }
  const chat = (body: object, headers: Readonly<Record<string, string>> = {}) => {
    const made = request(headers)
    return { id: made.id, answer: postJson(fleet.url + CHAT, body, made.headers) }
  }
  const fault = (faults: object) => ({ 'x-sim-fault': JSON.stringify(faults) })

  test.each([
    ['a stream', {}, { stream_end: 'complete', lifecycle_state: 'completed' }],
    [
      'one that was cut',
      { die_mid_stream: { after_events: 4 } },
      { stream_end: 'truncated', lifecycle_state: 'failed' },
    ],
    [
      'one with an error in it',
      { error_in_stream: { after_events: 3 } },
      { stream_end: 'upstream_error', lifecycle_state: 'failed' },
    ],
    [
      'one that stopped coming',
      { stall_mid_stream: { after_events: 3 } },
      { stream_end: 'timeout', lifecycle_state: 'failed' },
    ],
  ])('%s', async (_, faults, expected) => {
    const { id, answer } = chat(stream, fault(faults))
    expect((await answer).status).toBe(200)
    expect(await record(id)).toMatchObject({ ...expected, status: 200, streaming: true, ttft_ms: expect.any(Number) })
  })

  test('no answer in time', async () => {
    const { id, answer } = chat(chatBody('m'), fault({ hang: true }))
    expect((await answer).status).toBe(504)
    expect(await record(id)).toMatchObject({ status: 504, error: 'upstream_timeout', lifecycle_state: 'failed' })
  })

  test.each([
    ['in the middle of its stream', stream, { stall_mid_stream: { after_events: 2 } }, 200],
    ['before its answer began', chatBody('m'), { hang: true }, 499],
  ])('a client that leaves %s', async (_, body, faults, status) => {
    const { id, headers } = request({ ...fault(faults), 'content-type': 'application/json' })
    const controller = new AbortController()
    const init = { method: 'POST', headers, body: JSON.stringify(body), signal: controller.signal }
    const answer = fetch(fleet.url + CHAT, init).then((response) => response.body?.getReader().read())
    const hasArrived = () => fleet.calls().some((call) => call.headers['x-request-id'] === id)
    await until(hasArrived, 3_000, () => 'the request never arrived')
    if (status === 200) await answer
    controller.abort()
    await answer.catch(() => {})
    expect(await record(id)).toMatchObject({ status, stream_end: 'client_aborted', lifecycle_state: 'aborted' })
  })

  test('a hook that says no', async () => {
    const { id, answer } = chat(chatBody('barred'))
    expect((await answer).status).toBe(403)
    const expected = {
      error: 'hook_rejected',
      hooks_ran: ['guard:rejected'],
      method: 'rejected',
      original_model: 'barred',
    }
    expect(await record(id)).toMatchObject({ ...expected, lifecycle_state: 'completed' })
  })

  test('a model that this caller may not use', async () => {
    const { id, answer } = chat(chatBody('m'), { 'x-api-key': TENANT_KEY })
    expect((await answer).status).toBe(403)
    expect(await record(id)).toMatchObject({ error: 'model_not_allowed', tenant: 'acme' })
  })

  test('more requests than a tenant may send', async () => {
    const sent = [1, 2, 3].map(() => chat(chatBody('m'), { 'x-api-key': HASTY_KEY }))
    const statuses = await Promise.all(sent.map(async ({ answer }) => (await answer).status))
    expect(statuses).toContain(429)
    const found = await Promise.all(sent.map(({ id }) => record(id)))
    expect(found.map(({ status }) => status)).toEqual(statuses)
    const refused = found.find(({ status }) => status === 429)
    const expected = { error: 'rate_limit_exceeded', tenant: 'hasty', method: 'rejected', attempts: [] }
    expect(refused).toMatchObject({ ...expected, lifecycle_state: 'completed' })
  })

  test('no room for another one, and one that waited for it', async () => {
    const slow = Array.from({ length: PLACES }, () => chat(chatBody('m'), fault({ slow_headers_ms: 400 })))
    const arrived = () => slow.every(({ id }) => fleet.calls().some((call) => call.headers['x-request-id'] === id))
    await until(arrived, 3_000, () => 'the requests never arrived')
    const next = [chat(chatBody('m')), chat(chatBody('m'))]
    const statuses = await Promise.all(next.map(async ({ answer }) => (await answer).status))
    expect(statuses.sort()).toEqual([200, 503])
    const found = await Promise.all(next.map(({ id }) => record(id)))
    expect(found.filter(({ error }) => error === 'overloaded')).toMatchObject([
      { status: 503, lifecycle_state: 'failed' },
    ])
    expect(found.filter(({ status }) => status === 200)).toMatchObject([{ queue_ms: expect.any(Number) }])
    await Promise.all(slow.map(({ answer }) => answer))
  })
}

/** After everything else has been asked. */
function onceEach({ fleet, request, record }: RecordFleet): void {
  test('nobody who was not let in left one, and nobody left two', async () => {
    const strangers: Answered[] = []
    for (const { send, told } of EXPLAINED_KINDS) if (told.isRecorded === false) strangers.push(await send(fleet.url))
    strangers.push(
      await ask(`${fleet.url}/v1/models`),
      await ask(`${fleet.url}/health`),
      await ask(`${fleet.url}/nope`),
    )
    // Whatever they left is in the log by the time this one is.
    const { id, headers } = request()
    await ask(`${fleet.url}/v1/models`, { headers })
    await record(id)
    const records = fleet.router.records()
    const ids = records.map(({ request_id: requestId }) => requestId)
    for (const stranger of strangers) expect(ids).not.toContain(idOf(stranger))
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(records.map(({ decision_id: decisionId }) => decisionId)).size).toBe(records.length)
  })
}

const TENANT_KEY = 'sk-acme-0123456789'
const HASTY_KEY = 'sk-hasty-0123456789'

function recordFleet(runtime: RuntimeName): RecordFleet {
  let hooks: HookServer | null = null
  const fleet = liveFleet<'one'>(runtime, {
    workers: { one: { models: ['m', 'barred'], allowRequestFaults: true } },
    async config(urls) {
      hooks = await startHookServer()
      return {
        workers: [
          { id: 'one', url: urls.one },
          { id: 'ghost', url: `http://127.0.0.1:${await freePort()}`, models: ['ghost'] },
        ],
        inbound_api_key: EXPLAINED_KEY,
        api_keys: [
          { name: 'acme', key: TENANT_KEY, allowed_models: ['other'] },
          { name: 'hasty', key: HASTY_KEY, rate_limit_rps: 1 },
        ],
        max_payload_size: 4_000,
        max_concurrent_requests: PLACES,
        queue_size: 1,
        timeouts: { first_byte: '900ms', idle: '900ms' },
        forward_headers: ['x-sim-fault'],
        passthrough_paths: [PASSED],
        retry: { max_retries: 0 },
        disable_circuit_breaker: true,
        model_rules: [
          { match: 'alias', rewrite: 'm' },
          { match: 'to-nobody', rewrite: 'nobody' },
        ],
        pre_routing_hooks: [
          { name: 'guard', url: hooks.url('/reject'), routes: [CHAT], models: ['barred'], timeout_ms: 3_000 },
        ],
      }
    },
  })
  afterAll(() => hooks?.close())
  let count = 0
  return {
    fleet,
    request(headers = {}) {
      const id = `record-${(count += 1)}`
      return { id, headers: { ...keyed, 'x-request-id': id, ...headers } }
    },
    async record(requestId) {
      const found = await fleet.router.record(({ request_id: id }) => id === requestId)
      expect(decisionRecordSchema.safeParse(found).error?.issues ?? []).toEqual([])
      return found
    },
  }
}

function idOf({ headers }: Answered): string {
  return headers.get('x-request-id') ?? 'none'
}

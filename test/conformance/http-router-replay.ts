// Router Replay as an operator sees it: what is recorded, what is captured, who may read it, and every store that a runtime
// has, seen through the same requests.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SIGNAL_KINDS } from '../../src/capture/replay-record.ts'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, ask, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { REPLAY_STORES, type ReplayStoreBench } from '../support/replay-stores.ts'
import { runCommand } from '../support/run-command.ts'
import { runShell } from '../support/run-shell.ts'
import { EXAMPLE_DECISIONS, replayExamples } from './http-replay-examples.ts'

const TIME_MS = 15_000
const CALLER = 'inbound-0123456789'
const KEYS = { whole: 'whole-0123456789', metadata: 'metadata-0123456789', other: 'drain-only-0123456789' }

const keyed = { authorization: `Bearer ${CALLER}` }

type Fields = Readonly<Record<string, unknown>>

interface Bench {
  readonly fleet: LiveFleet<'sim'>
  readonly admin: ReturnType<typeof adminClient>
  chat(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answered>
  /** The record that an answer names, once it is there. */
  recordOf(answer: Answered): Promise<Fields>
}

function openBench(
  runtime: RuntimeName,
  settings: () => object,
  { env = () => ({}), rules = {} }: { env?: () => Readonly<Record<string, string>>; rules?: object } = {},
): Bench {
  const fleet = liveFleet<'sim'>(runtime, {
    get env() {
      return env()
    },
    workers: { sim: { port: 0, models: ['m'], outputTokens: 1_000, allowRequestFaults: true } },
    config: ({ sim }) => ({
      workers: [{ id: 'sim', url: sim }],
      inbound_api_key: CALLER,
      admin_api_key: KEYS.whole,
      admin_api_keys: [
        { label: 'metadata', key: KEYS.metadata, scopes: ['replay.read'] },
        { label: 'drainer', key: KEYS.other, scopes: ['drain'] },
      ],
      forward_headers: ['x-sim-fault'],
      cors_allowed_origins: ['https://app.example.com'],
      passthrough_paths: ['/ping'],
      retry: { max_retries: 0 },
      model_rules: [{ match: 'alias', rewrite: 'm' }],
      log_level: 'warn',
      router_replay: settings(),
      ...rules,
    }),
  })
  const admin = adminClient(() => fleet.url, KEYS.whole)
  return {
    fleet,
    admin,
    chat: (body, headers = {}) => postJson(`${fleet.url}/v1/chat/completions`, body, { ...keyed, ...headers }),
    async recordOf(answer) {
      const id = answer.headers.get('x-vsr-replay-id')
      expect(id, answer.text).toMatch(/^[0-9a-f]{32}$/)
      let found: Answered | null = null
      await until(
        async () => {
          found = await admin.get(`/v1/router_replay/${id}`)
          return found.status === 200
        },
        TIME_MS,
        () => `there is no record ${id}: ${found?.text}`,
      )
      return (found as Answered | null)?.json()
    },
  }
}

const CAPTURES = { enabled: true, capture_request_body: true, capture_response_body: true, max_body_bytes: 2_000 }

export function routerReplayConformance(runtime: RuntimeName): void {
  recordsConformance(runtime)
  privacySwitchConformance(runtime)
  for (const store of REPLAY_STORES.filter(({ runtimes }) => runtimes.includes(runtime))) {
    storesConformance(runtime, store)
  }
}

function recordsConformance(runtime: RuntimeName): void {
  describe(`records of Router Replay on ${runtime}`, () => {
    const bench = openBench(runtime, () => ({ ...CAPTURES, max_records: 500 }), { rules: EXAMPLE_DECISIONS })
    const { fleet, admin, chat, recordOf } = bench
    replayExamples({ ...bench, callerHeaders: keyed })

    test('has every field of the article, and what this router knows besides', async () => {
      const body = JSON.stringify({ ...chatBody('alias'), user: 'größe 漢字 🚀' })
      const record = await recordOf(await chat(body, { 'x-request-id': 'whole-record' }))
      expect(record).toMatchObject({
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        request_id: 'whole-record',
        original_model: 'alias',
        selected_model: 'm',
        reasoning_mode: 'off',
        matched_rules: ['alias'],
        request_body: body,
        request_body_truncated: false,
        response_body_truncated: false,
        response_status: 200,
        from_cache: false,
        streaming: false,
        lifecycle_state: 'completed',
        worker: 'sim',
        policy: 'round_robin',
        attempts: [expect.objectContaining({ worker: 'sim', outcome: 'answered' })],
        candidates: [expect.objectContaining({ worker: 'sim' })],
        duration_ms: expect.any(Number),
      })
      expect(record['signals']).toEqual(Object.fromEntries(SIGNAL_KINDS.map((kind) => [kind, []])))
      expect(JSON.parse(String(record['response_body']))).toMatchObject({ object: 'chat.completion' })
    })

    test('puts the events of a stream together, and leaves its bytes alone', async () => {
      const body = { ...chatBody('m'), stream: true, stream_options: { include_usage: true }, max_tokens: 12 }
      const answer = await chat(body)
      const record = await recordOf(answer)
      expect(record).toMatchObject({ streaming: true, response_status: 200, stream_end: 'complete' })
      expect(record['ttft_ms']).toEqual(expect.any(Number))
      const whole = JSON.parse(String(record['response_body']))
      const events = answer.text.split('\n').filter((line) => line.startsWith('data: {'))
      const pieces = events.map((line) => JSON.parse(line.slice(6)))
      expect(whole).toMatchObject({ object: 'chat.completion', id: pieces[0].id, model: 'm' })
      expect(whole.choices[0].message.content).toBe(
        pieces.map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
      )
      expect(whole.choices[0].finish_reason).toBe('length')
      expect(whole.usage.completion_tokens).toBe(12)
      expect(answer.text).toMatch(/data: \[DONE\]\n\n$/)
    })

    test.each([
      [
        '/v1/messages',
        { model: 'm', max_tokens: 4, stream: true, messages: [{ role: 'user', content: 'hi' }] },
        'message',
      ],
      ['/v1/responses', { model: 'm', stream: true, input: 'hi', max_output_tokens: 4 }, 'response'],
      ['/v1/completions', { model: 'm', stream: true, prompt: 'hi', max_tokens: 4 }, 'text_completion'],
    ])('knows the streams of %s', async (path, body, type) => {
      const record = await recordOf(await postJson(fleet.url + path, body, keyed))
      const whole = JSON.parse(String(record['response_body']))
      expect([whole.object, whole.type]).toContain(type)
      expect(JSON.stringify(whole).length).toBeGreaterThan(100)
    })

    test('bounds bodies by bytes, and cuts no character in two', async () => {
      const text = 'a漢'.repeat(2_000)
      for (const padding of ['', 'x', 'xx', 'xxx']) {
        const body = `{"user":"${padding}${text}","model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":2}`
        const record = await recordOf(await chat(body))
        const captured = String(record['request_body'])
        expect(record['request_body_truncated']).toBe(true)
        expect(body.startsWith(captured)).toBe(true)
        const bytes = new TextEncoder().encode(captured).length
        expect(bytes).toBeLessThanOrEqual(2_000)
        expect(bytes).toBeGreaterThan(1_996)
      }
      const long = await chat({ ...chatBody('m'), stream: true, max_tokens: 1_000 })
      const record = await recordOf(long)
      expect(record['response_body_truncated']).toBe(true)
      expect(new TextEncoder().encode(String(record['response_body'])).length).toBeLessThanOrEqual(2_000)
      expect(long.text.length).toBeGreaterThan(100_000)
    })

    test.each([
      ['an unknown model', chatBody('nobody'), {}, { response_status: 404, error: 'model_not_found' }],
      [
        'a body that is no JSON',
        '{"model":',
        {},
        { response_status: 400, error: 'invalid_json', request_body: '{"model":' },
      ],
      [
        'an error of the worker',
        chatBody('m'),
        { 'x-sim-fault': JSON.stringify({ status: 400 }) },
        { response_status: 400, worker: 'sim' },
      ],
      [
        'a stream that is cut',
        { ...chatBody('m'), stream: true, max_tokens: 20 },
        { 'x-sim-fault': JSON.stringify({ die_mid_stream: { after_events: 3 } }) },
        { response_status: 200, stream_end: 'truncated', lifecycle_state: 'failed' },
      ],
    ])('has a record of %s', async (_, body, headers, expected) => {
      const answer = await chat(body, headers as Readonly<Record<string, string>>)
      const record = await recordOf(answer)
      expect(record).toMatchObject(expected)
      const shown = JSON.parse(String(record['response_body']))
      expect(shown).toHaveProperty('error')
    })

    test('keeps nothing of a body that is no text but its type', async () => {
      const form = new FormData()
      form.set('model', 'm')
      form.set('file', new Blob([new Uint8Array([0, 255, 1])]), 'a.wav')
      const answer = await ask(`${fleet.url}/v1/audio/transcriptions`, { method: 'POST', headers: keyed, body: form })
      const record = await recordOf(answer)
      expect(record['request_body_omitted']).toBe('multipart/form-data')
      expect(record).not.toHaveProperty('request_body')
    })

    test('strangers and routes that nothing is decided on leave none', async () => {
      const stranger = await postJson(`${fleet.url}/v1/chat/completions`, chatBody('m'))
      expect(stranger.status).toBe(401)
      const models = await ask(`${fleet.url}/v1/models`, { headers: keyed })
      for (const answer of [stranger, models]) expect(answer.headers.get('x-vsr-replay-id')).toBeNull()
    })

    test('pages of allowed origins may read the id', async () => {
      const answer = await chat(chatBody('m'), { origin: 'https://app.example.com' })
      expect(answer.headers.get('access-control-expose-headers')).toContain('x-vsr-replay-id')
    })

    test('lists pages by offset and by cursor, newest first, every record once', async () => {
      for (let n = 0; n < 7; n += 1) await recordOf(await chat(chatBody('m'), { 'x-request-id': `page-${n}` }))
      const all = (await admin.get('/v1/router_replay?q=page-')).json()
      expect(all).toMatchObject({ object: 'router_replay.list', count: 7, total: 7, has_more: false })
      const ids = all.data.map(({ request_id: id }: Fields) => id)
      expect(ids).toEqual(Array.from({ length: 7 }, (_, n) => `page-${6 - n}`))
      const first = (await admin.get('/v1/router_replay?q=page-&limit=3')).json()
      expect(first).toMatchObject({ count: 3, total: 7, has_more: true, next_offset: 3 })
      const byOffset = (await admin.get('/v1/router_replay?q=page-&limit=3&offset=3')).json()
      await recordOf(await chat(chatBody('m'), { 'x-request-id': 'page-new' }))
      const byCursor = (await admin.get(`/v1/router_replay?q=page-&limit=3&cursor=${first.next_cursor}`)).json()
      for (const page of [byOffset, byCursor]) {
        expect(page.data.map(({ request_id: id }: Fields) => id)).toEqual(['page-3', 'page-2', 'page-1'])
      }
      const last = (await admin.get(`/v1/router_replay?q=page-&offset=7`)).json()
      expect(last).toMatchObject({ count: 1, total: 8, has_more: false })
    })

    test('filters, and leaves bodies out when asked to', async () => {
      await recordOf(await chat({ ...chatBody('m'), stream: true }, { 'x-request-id': 'filter-stream' }))
      await recordOf(await chat(chatBody('alias'), { 'x-request-id': 'filter-alias' }))
      await recordOf(await chat(chatBody('nobody'), { 'x-request-id': 'filter-nobody' }))
      const found = async (query: string) =>
        (await admin.get(`/v1/router_replay?q=filter-&${query}`)).json().data.map(({ request_id: id }: Fields) => id)
      expect(await found('cache_status=streamed')).toEqual(['filter-stream'])
      expect(await found('model=alias')).toEqual(['filter-alias'])
      expect(await found('model=m')).toEqual(['filter-alias', 'filter-stream'])
      expect(await found('status=4xx')).toEqual(['filter-nobody'])
      expect(await found('worker=sim&since=1h')).toEqual(['filter-alias', 'filter-stream'])
      expect(await found('cache_status=cached')).toEqual([])
      const { data } = (await admin.get('/v1/router_replay?q=filter-&showDetails=false')).json()
      for (const record of data) {
        expect(record).not.toHaveProperty('request_body')
        expect(record).not.toHaveProperty('response_body')
        expect(record).toHaveProperty('request_body_truncated')
      }
    })

    test.each([
      'limit=0',
      'limit=1001',
      'limit=x',
      'offset=-1',
      'cursor=%3F',
      'showDetails=perhaps',
      'cache_status=hot',
      'size=1',
    ])('%s is refused', async (query) =>
      expectRefusal(await admin.get(`/v1/router_replay?${query}`), 'invalid_request'),
    )

    test('adds up what there is', async () => {
      await recordOf(await chat(chatBody('alias'), { 'x-request-id': 'sum-1' }))
      await recordOf(await chat(chatBody('nobody'), { 'x-request-id': 'sum-2' }))
      const sums = (await admin.get('/v1/router_replay/aggregate?q=sum-')).json()
      expect(sums).toMatchObject({
        object: 'router_replay.aggregate',
        record_count: 2,
        lifecycle: { completed: 2, failed: 0, aborted: 0, in_progress: 0, unknown: 0 },
        status_distribution: [
          { name: '200', value: 1 },
          { name: '404', value: 1 },
        ],
        worker_distribution: [
          { name: 'Unknown', value: 1 },
          { name: 'sim', value: 1 },
        ],
        token_volume: { output_tokens: 2, excluded_record_count: 1 },
      })
      expect(sums.available_models).toContain('m')
    })

    test('gives a request back as a command that a shell runs', async () => {
      const content = `it's $HOME \`id\` "quoted" \\ ! 漢字\n\u2028`
      const body = JSON.stringify({ ...chatBody('m'), messages: [{ role: 'user', content }] })
      const record = await recordOf(await chat(body))
      const { status, text, headers } = await admin.get(`/v1/router_replay/${String(record['id'])}?format=curl`)
      expect(status, text).toBe(200)
      expect(headers.get('content-type')).toMatch(/^text\/plain; ?charset=utf-8$/i)
      expect(text).not.toContain('0123456789')
      const before = fleet.calls().length
      const { stdout } = await runShell(text, { ROUTER_API_KEY: CALLER })
      expect(JSON.parse(stdout)).toMatchObject({ object: 'chat.completion' })
      expect(fleet.calls().slice(before)).toHaveLength(1)
      const [again] = (await admin.get('/v1/router_replay?limit=1')).json().data
      expect(again.request_body).toBe(body)
    })

    test('sends a request again and says what is different', async () => {
      const keys = ['--api-key', CALLER, '--admin-key', KEYS.whole]
      const replay = (record: Fields, ...more: string[]) =>
        runCommand(['replay', '--record', String(record['id']), '--to', fleet.url, ...keys, ...more])
      for (const stream of [false, true]) {
        const record = await recordOf(await chat({ ...chatBody('alias'), stream, seed: 7 }))
        const { code, stdout, stderr } = await replay(record)
        expect([code, stderr]).toEqual([0, ''])
        expect(stdout).toMatch(/^status {2}the same: 200\nmodel {3}the same: m\ntext {4}the same, \d+ characters\n$/)
      }
      const failed = await recordOf(await chat(chatBody('m'), { 'x-sim-fault': JSON.stringify({ status: 503 }) }))
      const { code, stdout } = await replay(failed, '--json')
      expect(code).toBe(1)
      expect(JSON.parse(stdout)).toMatchObject({
        record: failed['id'],
        compared: [{ what: 'status', before: '503', now: '200', isSame: false }, { what: 'model' }, { what: 'text' }],
      })
      const cut = await recordOf(await chat({ ...chatBody('m'), user: 'x'.repeat(3_000) }))
      expect((await replay(cut)).stderr).toContain('was cut at `max_body_bytes`')
      expect((await replay({ id: '0'.repeat(32) })).code).toBe(2)
    })

    test('says why a request can not be given back', async () => {
      const cut = await recordOf(await chat({ ...chatBody('m'), user: 'x'.repeat(3_000) }))
      expectRefusal(await admin.get(`/v1/router_replay/${String(cut['id'])}?format=curl`), 'replay_incomplete')
      expectRefusal(await admin.get(`/v1/router_replay/${'0'.repeat(32)}?format=curl`), 'replay_not_found')
    })

    test('shows no bodies to a key that may read metadata only', async () => {
      const record = await recordOf(await chat({ ...chatBody('m'), user: 'for-nobody-else' }))
      const metadata = adminClient(() => fleet.url, KEYS.metadata)
      const paths = ['/v1/router_replay', `/v1/router_replay/${String(record['id'])}`, '/v1/router_replay/aggregate']
      for (const path of paths) {
        const answer = await metadata.get(path)
        expect(answer.status, answer.text).toBe(200)
        expect(answer.text).not.toMatch(/for-nobody-else|"request_body"|"response_body"/)
      }
      expectRefusal(await metadata.get(`${paths[1]}?format=curl`), 'admin_forbidden')
      const drainer = adminClient(() => fleet.url, KEYS.other)
      const caller = adminClient(() => fleet.url, CALLER)
      for (const path of paths) {
        expectRefusal(await drainer.get(path), 'admin_forbidden')
        expectRefusal(await caller.get(path), 'admin_forbidden')
        expectRefusal(await ask(fleet.url + path), 'invalid_admin_key')
      }
    })

    test('other methods are refused, and answers are kept by nobody', async () => {
      const answer = await admin.post('/v1/router_replay', {})
      expectRefusal(answer, 'method_not_allowed')
      expect(answer.headers.get('allow')).toBe('GET')
      expect((await admin.get('/v1/router_replay?limit=1')).headers.get('cache-control')).toBe('no-store')
    })
  })
}

function privacySwitchConformance(runtime: RuntimeName): void {
  describe(`Router Replay switched off on ${runtime}`, () => {
    const { admin, chat } = openBench(runtime, () => ({ enabled: false }))

    test('leaves no record and no header', async () => {
      expect((await chat(chatBody('m'))).headers.get('x-vsr-replay-id')).toBeNull()
      expectRefusal(await admin.get('/v1/router_replay'), 'replay_not_found')
      expectRefusal(await admin.get(`/v1/router_replay/${'0'.repeat(32)}`), 'replay_not_found')
      expect((await admin.get('/admin/stats')).json().router_replay).toEqual({ enabled: false })
    })
  })

  describe(`Router Replay without capture on ${runtime}`, () => {
    const { chat, recordOf } = openBench(runtime, () => ({ enabled: true }))

    test('records what was decided and no word of what was said', async () => {
      const record = await recordOf(await chat({ ...chatBody('m'), user: 'MARKER' }))
      expect(Object.keys(record).filter((name) => /_body$|_omitted$/.test(name))).toEqual([])
      expect(JSON.stringify(record)).not.toContain('MARKER')
      expect(record).toMatchObject({ request_body_truncated: false, response_body_truncated: false })
    })
  })
}

function storesConformance(runtime: RuntimeName, { name, open }: (typeof REPLAY_STORES)[number]): void {
  describe(`Router Replay in ${name} on ${runtime}`, () => {
    let bench: ReplayStoreBench | null = null
    beforeAll(async () => {
      bench = await open()
    })
    afterAll(async () => bench?.close())
    const settings = () => ({ ...CAPTURES, max_records: 5, ...bench?.settings })
    const { admin, chat, recordOf } = openBench(runtime, settings, { env: () => bench?.env ?? {} })

    test('keeps the newest records, whole', async () => {
      const body = JSON.stringify({ ...chatBody('m'), user: 'größe 漢字 🚀 \u0000' })
      const records: Fields[] = []
      for (let n = 0; n < 8; n += 1) records.push(await recordOf(await chat(body, { 'x-request-id': `kept-${n}` })))
      const { data, total } = (await admin.get('/v1/router_replay')).json()
      expect(total).toBe(5)
      expect(data).toEqual(records.slice(3).toReversed())
      expect(data[0].request_body).toBe(body)
      const oldest = await admin.get(`/v1/router_replay/${String(records[0]?.['id'])}`)
      expectRefusal(oldest, 'replay_not_found')
    })

    test('takes many at once, and says how it is doing', async () => {
      await Promise.all(Array.from({ length: 40 }, () => chat(chatBody('m'))))
      await until(
        async () => (await admin.get('/admin/stats')).json().router_replay.stored >= 48,
        TIME_MS,
        () => 'not every record is stored',
      )
      expect((await admin.get('/admin/stats')).json().router_replay).toMatchObject({
        enabled: true,
        store_backend: bench?.settings.store_backend,
        waiting: 0,
        lost: 0,
        failing: null,
      })
      expect((await admin.get('/v1/router_replay')).json()).toMatchObject({ count: 5, total: 5 })
    })
  })
}

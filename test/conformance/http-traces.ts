// The spans of each kind of request, as a collector gets them: one tree each, ended when the answer ends, and no word of a
// caller in any.

import { afterAll, describe, expect, test } from 'vitest'
import { postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type HookServer, startHookServer } from '../support/hook-server.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { countedRequests } from './counted-kinds.ts'
import { type OtlpReceiver, outline, startOtlpReceiver } from '../support/otlp-receiver.ts'

const CHAT = '/v1/chat/completions'
const KEY = 'chat-key-0123456789'
const SEARCH_KEY = 'search-key-0123456789'
const COLLECTOR_KEY = 'collector-key-0123456789'
const HOOK_SECRETS = { key: 'hook-key-0123456789', header: 'hook-header-0123456789' }
const MARKER = 'a-word-that-nobody-else-says'
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

const PLAIN = `POST ${CHAT}\n  routing.decide\n  worker.forward\n    worker.attempt`
const CUT = PLAIN.replace(CHAT, `${CHAT} (truncated)`).replaceAll(/worker\.\w+/g, '$& (truncated)')
/** Decided before the wait, as to whether anybody is left, and after it. */
const RETRIED = [
  `POST ${CHAT}`,
  '  routing.decide',
  '  worker.forward',
  '    worker.attempt (status 503)',
  '    worker.attempt',
  '  routing.decide',
  '  routing.decide',
].join('\n')

export function tracesConformance(runtime: RuntimeName): void {
  describe.each(['http/json', 'http/protobuf'])(`traces as %s on ${runtime}`, (protocol) => {
    const { fleet, collector, hooks, post, nextId } = tracedFleet(runtime, {
      protocol,
      headers: { 'x-api-key': COLLECTOR_KEY },
      service_name: 'edge',
    })

    test('a plain answer', async () => {
      const id = nextId()
      await post(id, { model: 'n' })
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(PLAIN)
      const [decide, forward] = tree.below
      const attempt = forward?.below[0]?.span
      expect(tree.span).toMatchObject({ kind: 2, parentSpanId: '', error: null, events: [{ name: 'first_byte' }] })
      expect(tree.span.attributes).toMatchObject({
        'http.request.method': 'POST',
        'http.route': CHAT,
        'http.response.status_code': 200,
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'n',
        'gen_ai.usage.output_tokens': 3,
        'vllm.router.policy': 'round_robin',
        'vllm.router.worker': 'a',
        'vllm.router.decision_id': expect.stringMatching(/^[0-9a-f]{32}$/),
        'vllm.router.config_hash': expect.stringMatching(/^[0-9a-f]{16}$/),
      })
      expect(tree.span.resource).toMatchObject({ 'service.name': 'edge', 'service.version': expect.any(String) })
      expect(decide?.span.attributes).toMatchObject({ 'vllm.router.candidates': 2, 'vllm.router.vetoed': 1 })
      expect(attempt?.attributes).toMatchObject({ 'server.address': 'a', 'http.response.status_code': 200 })
      // The worker continues the attempt's span.
      expect(fleet.call(id).headers['traceparent']).toBe(`00-${tree.span.traceId}-${attempt?.spanId}-01`)
      for (const { span } of [tree, ...tree.below]) expect(span.endNs).toBeGreaterThanOrEqual(span.startNs)
    })

    test('a stream, which lasts as long as it does', async () => {
      const id = nextId()
      await post(id, { model: 'n', stream: true })
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(PLAIN)
      expect(tree.span.events.map(({ name }) => name)).toEqual(['first_byte', 'first_token'])
      const attempt = tree.below[1]?.below[0]?.span
      expect(attempt?.endNs).toBe(tree.span.endNs)
      expect(tree.span.attributes['vllm.router.stream_end']).toBe('complete')
    })

    test('one that a hook rejects', async () => {
      const id = nextId()
      await post(id, { model: 'hooked' })
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(`POST ${CHAT}\n  hooks.pipeline\n    hook.execute`)
      expect(tree.span.error).toBeNull()
      expect(tree.span.attributes).toMatchObject({ 'http.response.status_code': 403, 'error.type': 'hook_rejected' })
      const hook = tree.below[0]?.below[0]?.span
      expect(hook?.attributes).toMatchObject({ 'hook.name': 'safety', 'hook.outcome': 'reject' })
      const [call] = hooks().callsOf(id)
      expect(call?.headers['traceparent']).toBe(`00-${tree.span.traceId}-${hook?.spanId}-01`)
    })

    test('one whose stream is cut', async () => {
      await fleet.worker('a').setFaults({ die_mid_stream: { after_events: 2 }, times: 1 })
      const id = nextId()
      await post(id, { model: 'n', stream: true, max_tokens: 50 })
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(CUT)
    })

    test('one whose client leaves', async () => {
      await fleet.worker('a').setFaults({ stall_mid_stream: { after_events: 2 }, times: 1 })
      const id = nextId()
      const body = { model: 'n', stream: true, max_tokens: 50, messages: [{ role: 'user', content: MARKER }] }
      const headers = { authorization: `Bearer ${KEY}`, 'x-request-id': id }
      const { reply, leave } = send(`${fleet.url}${CHAT}`, body, { headers })
      await (await reply).next()
      leave()
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(PLAIN)
      expect(tree.span.attributes['vllm.router.stream_end']).toBe('client_aborted')
      expect(tree.span.error).toBeNull()
    })

    test('one for a model that nobody serves', async () => {
      const id = nextId()
      await post(id, { model: 'nobodys' })
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(`POST ${CHAT}`)
      expect(tree.span.attributes).toMatchObject({ 'error.type': 'model_not_found' })
    })

    test('one that a limit refuses', async () => {
      let id = ''
      await until(
        async () => (await post((id = nextId()), { model: 'n' }, SEARCH_KEY)).status === 429,
        10_000,
        () => 'no limit refuses it',
      )
      const tree = await collector().treeOf(id)
      // On Cloudflare an isolate may have had to ask what is left of the limit.
      expect(outline(tree).replaceAll('\n  store.call', '')).toBe(`POST ${CHAT}`)
      expect(tree.span.attributes).toMatchObject({
        'error.type': 'rate_limit_exceeded',
        'vllm.router.tenant': 'search',
      })
    })

    test('continues the trace of its caller', async () => {
      const id = nextId()
      await post(id, { model: 'n' }, KEY, { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=x' })
      const { span } = await collector().treeOf(id)
      expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, traceState: 'vendor=x' })
      expect(fleet.call(id).headers).toMatchObject({
        traceparent: expect.stringMatching(new RegExp(`^00-${TRACE}-(?!${PARENT})[0-9a-f]{16}-01$`)),
        tracestate: 'vendor=x',
      })
    })

    test('does as its caller decided: what is not sampled there is not sent', async () => {
      const [silent, heard] = [nextId(), nextId()]
      await post(silent, { model: 'n' }, KEY, { traceparent: `00-${TRACE}-${PARENT}-00` })
      await post(heard, { model: 'n' })
      await collector().treeOf(heard)
      expect(ids(collector())).not.toContain(silent)
      expect(fleet.call(silent).headers['traceparent']).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
    })

    if (protocol === 'http/json') {
      const keys = { chat: KEY, search: SEARCH_KEY }
      countedRequests({ fleet, keys, post: (body, key) => post(nextId(), body, key) })
    }

    // Last of the kinds: a worker that has failed is passed over for a while, and those before count on turns.
    test('one that is tried again', async () => {
      await fleet.worker('a').setFaults({ status: 503, times: 1 })
      let id = ''
      // The two workers take turns, but one that has just failed may be passed over for a while. Probes are no attempts.
      const wasAtA = () =>
        fleet
          .worker('a')
          .state()
          .requests.some(({ headers }) => headers['x-request-id'] === id)
      await until(
        async () => {
          id = nextId()
          expect((await post(id, { model: 'm' })).status).toBe(200)
          return wasAtA()
        },
        30_000,
        () => 'no request got to the worker that fails',
      )
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(RETRIED)
      const [failed, next] = tree.below[1]?.below ?? []
      // Each attempt ends when it ends.
      expect(failed?.span.endNs).toBeLessThanOrEqual(next?.span.startNs ?? 0n)
      expect(next?.span.endNs).toBe(tree.span.endNs)
      // What it came to in the end, under the names that the Rust router has.
      expect(tree.below[1]?.span.attributes).toMatchObject({
        'routing.route': CHAT,
        'routing.model': 'm',
        'routing.policy': 'round_robin',
        'routing.worker': 'b',
        'http.response.status_code': 200,
        'worker.duration_ms': expect.any(Number),
      })
    })

    test('goes to the right place with the right key, and says nothing of what was asked', async () => {
      const [message] = collector().messages
      expect(message?.path).toBe('/v1/traces')
      expect(message?.headers['x-api-key']).toBe(COLLECTOR_KEY)
      const all = Buffer.concat(collector().messages.map(({ bytes }) => bytes)).toString('latin1')
      // The hook that has secrets was asked by then.
      expect(all).toContain('hook.execute')
      const secrets = [MARKER, KEY, SEARCH_KEY, COLLECTOR_KEY, ...Object.values(HOOK_SECRETS)]
      for (const said of [all, fleet.router.output()]) {
        for (const secret of secrets) expect(said).not.toContain(secret)
      }
    })
  })

  describe(`traces of failures on ${runtime}`, () => {
    const { fleet, collector, post, nextId } = tracedFleet(runtime, { sampling_ratio: 0, export_errors: true })

    test('come although they were not sampled, and others do not', async () => {
      const [good, bad] = [nextId(), nextId()]
      await post(good, { model: 'n' })
      await fleet.worker('a').setFaults({ die_mid_stream: { after_events: 2 }, times: 1 })
      await post(bad, { model: 'n', stream: true, max_tokens: 50 })
      expect(outline(await collector().treeOf(bad))).toBe(CUT)
      await fleet.worker('a').setFaults({ status: 503, times: 1 })
      const refused = nextId()
      await post(refused, { model: 'n' })
      const tree = await collector().treeOf(refused)
      expect(outline(tree)).toMatch(
        /^POST [^ ]+ \([^)]+\)\n(.*\n)* {2}worker\.forward \(status 503\)\n {4}worker\.attempt \(status 503\)/,
      )
      expect(ids(collector())).toEqual([bad, refused])
    })
  })

  describe(`calls to shared state on ${runtime}`, () => {
    const { fleet, collector, post, nextId } = tracedFleet(
      runtime,
      { sampling_ratio: 0 },
      { type: 'round_robin', strict: true },
    )
    const sampled = { traceparent: `00-${TRACE}-${PARENT}-01` }

    test('are in the tree of the request that waits for them', async () => {
      const id = nextId()
      await post(id, { model: 'n' }, KEY, sampled)
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(PLAIN.replace('\n', '\n  store.call\n'))
      expect(tree.below[0]?.span).toMatchObject({
        kind: 3,
        error: null,
        attributes: { 'vllm.router.store_call': 'take_turn' },
      })
    })

    test('are shares of limits, where isolates share them', async () => {
      const id = nextId()
      await post(id, { model: 'n' }, SEARCH_KEY, sampled)
      const tree = await collector().treeOf(id)
      const calls = tree.below.flatMap(({ span }) => span.attributes['vllm.router.store_call'] ?? [])
      // Where one process has all there is, nobody has to be asked.
      expect(calls).toEqual([...(runtime === 'workerd' ? ['lease_limits'] : []), 'take_turn'])
    })

    test('are those about stored responses, too', async () => {
      const id = nextId()
      await postJson(
        `${fleet.url}/v1/responses`,
        { model: 'n', input: MARKER, max_output_tokens: 3 },
        { authorization: `Bearer ${KEY}`, 'x-request-id': id, ...sampled },
      )
      const tree = await collector().treeOf(id)
      expect(outline(tree)).toBe(
        'POST /v1/responses\n  store.call\n  routing.decide\n  worker.forward\n    worker.attempt\n  store.call',
      )
      const calls = tree.below.map(({ span }) => span.attributes['vllm.router.store_call'])
      expect(calls.filter((call) => call !== undefined)).toEqual(['take_turn', 'remember_response'])
    })
  })

  describe(`a collector that fails on ${runtime}`, () => {
    // It is known by OpenTelemetry's variables alone.
    const { collector, post, nextId } = tracedFleet(runtime, null)

    test.each([500, 0])('costs no request anything: %d', async (status) => {
      collector().answerWith(status)
      const before = collector().messages.length
      for (let at = 0; at < 20; at += 1) expect((await post(nextId(), { model: 'n' })).status).toBe(200)
      await until(
        () => collector().messages.length > before,
        10_000,
        () => 'nothing was sent',
      )
    })
  })
}

const ids = (collector: OtlpReceiver) =>
  collector.spans().flatMap(({ attributes }) => attributes['vllm.router.request_id'] ?? [])

/** A router that sends its spans to a collector; two workers, tenants, and a hook that rejects. */
function tracedFleet(runtime: RuntimeName, traceConfig: object | null, policy: unknown = 'round_robin') {
  let receiver: OtlpReceiver | null = null
  let server: HookServer | null = null
  let count = 0
  const fleet = liveFleet(runtime, {
    workers: { a: { models: ['m', 'n', 'hooked'] }, b: { models: ['m'] } },
    async config(urls) {
      server = await startHookServer()
      receiver = await startOtlpReceiver()
      return {
        workers: [
          { id: 'a', url: urls.a },
          { id: 'b', url: urls.b },
        ],
        api_keys: [
          { name: 'search', key: SEARCH_KEY, rate_limit_rps: 0.01 },
          { name: 'chat', key: KEY },
        ],
        pre_routing_hooks: [
          {
            name: 'safety',
            url: server.url('/reject'),
            models: ['hooked'],
            timeout_ms: 3_000,
            api_key: HOOK_SECRETS.key,
            headers: { 'x-hook-secret': HOOK_SECRETS.header },
          },
        ],
        policy,
        ...(traceConfig === null
          ? {}
          : { trace_config: { otlp_traces_endpoint: `127.0.0.1:${receiver.port}`, ...traceConfig } }),
        metrics: { public: true },
      }
    },
    // Read once the collector has an address.
    get env() {
      return traceConfig === null ? { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver?.url}/v1/traces` } : {}
    },
  })
  afterAll(async () => {
    await server?.close()
    await receiver?.close()
  })
  const started = <Part>(part: Part | null): Part => {
    if (part === null) throw new Error('it has not started')
    return part
  }
  return {
    fleet,
    collector: () => started(receiver),
    hooks: () => started(server),
    nextId: () => `traced-${(count += 1)}`,
    post: (id: string, body: object, key = KEY, headers: Readonly<Record<string, string>> = {}) =>
      postJson(
        `${fleet.url}${CHAT}`,
        { messages: [{ role: 'user', content: MARKER }], max_tokens: 3, ...body },
        { authorization: `Bearer ${key}`, 'x-request-id': id, ...headers },
      ),
  }
}

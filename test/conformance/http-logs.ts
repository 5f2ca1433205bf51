// The log: one line a request with what matters, one for each change of state, and nothing a caller sends makes another.

import { describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { ask, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'

const CHAT = '/v1/chat/completions'
const KEY = 'search-key-0123456789'
const COLLECTOR_KEY = 'collector-key-0123456789'
const PROMPT = 'prompt-4711'
const WAIT_MS = 10_000

/** What ends lines, moves cursors and turns text around; JSON leaves the last three to whoever prints it. */
const HOSTILE = 'x\u2028{"event":"forged"}\u202e\u009b31m'
const ACTED_ON = /(?!\n)[\p{Cc}\u2028-\u202e\u2066-\u2069]/u

/** What Deno itself says on standard error, once. */
const NOTICE = /^Deno\.serve: request\.signal aborts on successful responses/

type Line = Readonly<Record<string, unknown>>

export function logsConformance(runtime: RuntimeName): void {
  describe(`the log on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m', 'two'] }, b: { models: ['two'] } },
      // What tests elsewhere read from the log is there at debug; this is what operators see.
      env: { ROUTER_LOG_LEVEL: '' },
      config: ({ a, b }) => config(a, b),
    })
    const config = (a: string, b: string, more: object = {}) => ({
      workers: [
        { id: 'a', url: a },
        { id: 'b', url: b },
      ],
      disable_circuit_breaker: true,
      worker_display: 'hash',
      policy: 'round_robin',
      api_keys: [{ name: 'search', key: KEY }],
      // Nobody listens there.
      trace_config: { otlp_traces_endpoint: 'http://127.0.0.1:9', headers: { 'x-key': COLLECTOR_KEY } },
      ...more,
    })
    const admin = adminClient(() => fleet.url, null)

    const lines = (): readonly Line[] =>
      fleet.router
        .output()
        .split('\n')
        .filter((line) => line.startsWith('{"time":'))
        .map((line): Line => JSON.parse(line))
    const named = (event: string) => lines().filter((line) => line['event'] === event)
    async function line(matches: (line: Line) => boolean): Promise<Line> {
      await until(
        () => lines().some(matches),
        WAIT_MS,
        () => `no such line in:\n${fleet.router.output().slice(-4_000)}`,
      )
      return lines().find(matches) ?? {}
    }
    const ofRequest = (id: string) => line(({ event, request_id: of }) => event === 'request' && of === id)

    let requests = 0
    async function post(body: object, headers: Readonly<Record<string, string>> = {}): Promise<string> {
      const id = `log-${(requests += 1)}`
      const whole = { messages: [{ role: 'user', content: PROMPT }], max_tokens: 3, ...body }
      await postJson(fleet.url + CHAT, whole, { authorization: `Bearer ${KEY}`, 'x-request-id': id, ...headers })
      return id
    }

    test('begins with what runs, where, and what of it is in use', async () => {
      expect(await line(({ event }) => event === 'started')).toMatchObject({
        level: 'info',
        runtime,
        url: fleet.url,
        policy: 'round_robin',
        workers: 2,
        features: ['api_keys', 'trace_config'],
        log_level: 'info',
      })
    })

    test('has one line for a request, with the essentials of its record', async () => {
      const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
      const id = await post({ model: 'm', stream: true, stream_options: { include_usage: true } }, traced(trace))
      const said = await ofRequest(id)
      expect(said).toMatchObject({
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        level: 'info',
        status: 200,
        route: CHAT,
        tenant: 'search',
        original_model: 'm',
        model: 'm',
        worker: expect.stringMatching(/^[0-9a-f]{8,16}$/),
        policy: 'round_robin',
        method: 'policy',
        attempts: 1,
        stream_end: 'complete',
        duration_ms: expect.any(Number),
        ttft_ms: expect.any(Number),
        prompt_tokens: expect.any(Number),
        completion_tokens: 3,
        trace_id: trace,
        config_hash: expect.stringMatching(/^[0-9a-f]{16}$/),
      })
      const record = (await admin.get(`/admin/decisions/${String(said['decision_id'])}`)).json()
      for (const field of ['status', 'duration_ms', 'ttft_ms', 'model', 'tenant', 'config_hash']) {
        expect(said[field], field).toEqual(record[field])
      }
      expect(lines().filter(({ request_id: of }) => of === id)).toHaveLength(1)
    })

    test('says by the level of a line whether an operator should look', async () => {
      expect(await ofRequest(await post({ model: 'nobody-serves-this' }))).toMatchObject({
        level: 'warn',
        status: 404,
        error: 'model_not_found',
      })
      expect(await ofRequest(await post({ model: 'm', temperature: 'hot', messages: 'none' }))).toMatchObject({
        level: 'info',
        status: 400,
      })
      await fleet.worker('a').setFaults({ die_mid_stream: { after_events: 2 }, times: 1 })
      expect(await ofRequest(await post({ model: 'm', stream: true, max_tokens: 50 }))).toMatchObject({
        level: 'error',
        status: 200,
        stream_end: 'truncated',
      })
      await fleet.worker('a').setFaults({ status: 503, times: 1 })
      // One of the two goes to that worker first.
      const both = await Promise.all([post({ model: 'two' }), post({ model: 'two' })])
      const said = await Promise.all(both.map(ofRequest))
      expect(said.map(({ attempts, level }) => [attempts, level]).sort()).toEqual([
        [1, 'info'],
        [2, 'warn'],
      ])
    })

    test('tells of requests that nobody is known to have sent', async () => {
      const id = await post({ model: 'm' }, { authorization: 'Bearer guessed-key' })
      expect(await ofRequest(id)).toMatchObject({ level: 'info', status: 401, error: 'invalid_api_key', route: CHAT })
      expect(await ofRequest(id)).not.toHaveProperty('decision_id')
      const before = named('request').length
      await ask(`${fleet.url}/health`)
      await ofRequest(await post({ model: 'm' }))
      expect(named('request')).toHaveLength(before + 1)
    })

    test('tells of a client that leaves by its line, and not as a failure', async () => {
      await fleet.worker('a').setFaults({ stall_mid_stream: { after_events: 2 }, times: 1 })
      const leaving = new AbortController()
      const body = { model: 'm', stream: true, max_tokens: 9, messages: [{ role: 'user', content: PROMPT }] }
      const answer = await fetch(fleet.url + CHAT, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'x-request-id': 'log-leaves' },
        body: JSON.stringify(body),
        signal: leaving.signal,
      })
      await answer.body?.getReader().read()
      leaving.abort()
      expect(await ofRequest('log-leaves')).toMatchObject({ level: 'info', stream_end: 'client_aborted' })
    })

    test('tells once that nobody takes the spans, however many', async () => {
      await line(({ event }) => event === 'exporter_failing')
      await ofRequest(await post({ model: 'm' }))
      const told = named('exporter_failing').length
      // Each isolate finds out for itself; here there is one.
      expect(told).toBe(1)
      expect(named('exporter_failing')[0]).toMatchObject({ level: 'warn', signal: 'traces' })
    })

    test('gets no line and no colour from what a caller sends', async () => {
      const marked = await post({ model: HOSTILE, user: `${HOSTILE}\r\n`, metadata: { [HOSTILE]: HOSTILE } })
      const path = '/v1/models%0d%0a%7b%22event%22:%22forged%22%7d%1b%5b31m?x=%0a'
      const headers = [`x-request-id: a\u001b[31m`, `user-agent: \u001b[2J\u009bforged`]
      // Some servers break off what others answer.
      await sendRaw(fleet.url, rawRequest(`GET ${path} HTTP/1.1`, headers)).catch(() => {})
      await ofRequest(marked)
      await ofRequest(await post({ model: 'm' }))
      expect(fleet.router.output()).not.toMatch(ACTED_ON)
      expect(named('forged')).toEqual([])
    })

    test('says when a configuration is refused, and when one takes over', async () => {
      const [a, b] = [fleet.worker('a').url, fleet.worker('b').url]
      const refused = await admin.putConfig(config(a, b, { prot: 1 }))
      expect(refused.status).toBe(400)
      expect(await line(({ event }) => event === 'config_refused')).toMatchObject({
        level: 'error',
        by: 'loopback',
        errors: 1,
        findings: [expect.stringContaining('prot: unknown key "prot"')],
      })
      const sampled = await admin.putConfig(config(a, b, { log: { sample_ratio: 0 } }))
      expect(sampled.status, sampled.text).toBe(200)
      expect(await line(({ event }) => event === 'config_changed')).toMatchObject({ level: 'info', changed: ['log'] })
    })

    test('leaves out a share of what went well, and nothing else', async () => {
      const good = await post({ model: 'm' })
      const bad = await post({ model: 'nobody-serves-this' })
      expect(await ofRequest(bad)).toMatchObject({ sample_ratio: 1 })
      expect(lines().filter(({ request_id: of }) => of === good)).toEqual([])
    })

    test('is all that is printed', () => {
      const output = fleet.router.output()
      const since = output.slice(output.indexOf('{"time":')).split('\n')
      expect(since.filter((text) => text !== '' && !text.startsWith('{"time":') && !NOTICE.test(text))).toEqual([])
    })

    test('holds neither a prompt nor a key', () => {
      for (const secret of [PROMPT, KEY, COLLECTOR_KEY, 'guessed-key']) {
        expect(fleet.router.output()).not.toContain(secret)
      }
    })
  })
}

function traced(traceId: string): Readonly<Record<string, string>> {
  return { traceparent: `00-${traceId}-00f067aa0ba902b7-01` }
}

// The acceptance examples of the semantic router's contract about its records, by their numbers; 1 to 15, on rules and
// signals, are in src/config/acceptance-examples.test.ts. Where this router has rules of its own, they say so:
// 16 and 19, a page has as many records as were asked for, up to 1,000; 18, an error names what the parameter may be;
// 25, a stream that a worker cut is `failed`, as nobody left; 28, there are no recipes, and so none to tell apart;
// 29, src/store/replay-desk.test.ts takes the store away; 30, http-decisions.ts sends metadata that is no text.

import { expect, test } from 'vitest'
import type { adminClient } from '../support/admin-client.ts'
import { type Answered, expectRefusal } from '../support/ask.ts'
import type { LiveFleet } from '../support/live-fleet.ts'

type Fields = Readonly<Record<string, unknown>>

export interface ExampleBench {
  readonly fleet: LiveFleet<'sim'>
  readonly admin: ReturnType<typeof adminClient>
  readonly callerHeaders: Readonly<Record<string, string>>
  chat(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answered>
  /** The record that an answer names, once it is there. */
  recordOf(answer: Answered): Promise<Fields>
}

const plugin = (configuration: object) => [{ type: 'router_replay', configuration }]

/** Decisions that a bench of these examples has, beside what its requests name otherwise. */
export const EXAMPLE_DECISIONS = {
  auto_models: ['auto'],
  default_model: 'm',
  signals: {
    keywords: ['first', 'second', 'sixteen', 'silent', 'nothing', 'inherits'].map((name) => ({
      name,
      keywords: [name],
    })),
  },
  decisions: [
    { name: 'first', plugins: plugin({ max_records: 2 }) },
    { name: 'second', plugins: plugin({ max_records: 2 }) },
    { name: 'sixteen', plugins: plugin({ capture_request_body: true, max_body_bytes: 16 }) },
    { name: 'silent', plugins: plugin({}) },
    { name: 'nothing', plugins: plugin({ enabled: false }) },
    { name: 'inherits', plugins: [] },
  ].map((decision) => ({ ...decision, rules: { type: 'keyword', name: decision.name }, modelRefs: [{ model: 'm' }] })),
}

/** Tests within a suite whose router has `EXAMPLE_DECISIONS` and Router Replay switched on. */
export function replayExamples({ fleet, admin, callerHeaders, chat, recordOf }: ExampleBench): void {
  const asking = (content: string, rest: object = {}) => {
    return { model: 'auto', messages: [{ role: 'user', content }], max_tokens: 2, ...rest }
  }
  const idsOf = (data: readonly Fields[]) => data.map(({ request_id: id }) => id)

  test('examples 16, 17 and 19: pages of the newest', async () => {
    for (let n = 0; n < 25; n += 1) await recordOf(await chat(asking('hi'), { 'x-request-id': `listed-${n}` }))
    const page = async (query: string) => (await admin.get(`/v1/router_replay?q=listed-${query}`)).json()
    const twenty = await page('&limit=20')
    expect(twenty).toMatchObject({ count: 20, total: 25, has_more: true, next_offset: 20 })
    expect(idsOf(twenty.data)).toEqual(Array.from({ length: 20 }, (_, n) => `listed-${24 - n}`))
    expect(idsOf((await page('&offset=2&limit=2')).data)).toEqual(['listed-22', 'listed-21'])
    expect(await page('&limit=1000')).toMatchObject({ limit: 1_000, count: 25, has_more: false })
    expect(await page('')).toMatchObject({ limit: 1_000, count: 25 })
  })

  test.each(['limit=0', 'limit=abc', 'showDetails=maybe', 'cache_status=x'])('example 18: %s is 400', async (query) => {
    expectRefusal(await admin.get(`/v1/router_replay?${query}`), 'invalid_request')
  })

  test('example 20: sixteen bytes of a body, and that there were more', async () => {
    const record = await recordOf(await chat(asking('sixteen')))
    expect(record).toMatchObject({ request_body: '{"model":"auto",', request_body_truncated: true })
  })

  test('example 21: no capture, no body, and nothing cut', async () => {
    const record = await recordOf(await chat(asking('silent')))
    expect(record).toMatchObject({ decision: 'silent', request_body_truncated: false, response_body_truncated: false })
    expect(record['request_body'] ?? '').toBe('')
    expect(record['response_body'] ?? '').toBe('')
  })

  test('example 22: each decision keeps its own two newest', async () => {
    for (let n = 0; n < 3; n += 1) {
      for (const name of ['first', 'second']) {
        await recordOf(await chat(asking(name), { 'x-request-id': `${name}-${n}` }))
      }
    }
    for (const name of ['first', 'second']) {
      const { data } = (await admin.get(`/v1/router_replay?decision=${name}`)).json()
      expect(idsOf(data)).toEqual([`${name}-2`, `${name}-1`])
    }
  })

  test('example 23: an error of the worker is a failure', async () => {
    const answer = await chat(asking('inherits'), { 'x-sim-fault': JSON.stringify({ status: 500 }) })
    expect(await recordOf(answer)).toMatchObject({ lifecycle_state: 'failed', response_status: answer.status })
    expect(answer.status).toBeGreaterThanOrEqual(500)
  })

  test('example 24: a client that leaves a stream has it aborted', async () => {
    const controller = new AbortController()
    const response = await fetch(`${fleet.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...callerHeaders,
        'x-sim-fault': JSON.stringify({ stall_mid_stream: { after_events: 2 } }),
      },
      body: JSON.stringify(asking('inherits', { stream: true, max_tokens: 50 })),
      signal: controller.signal,
    })
    expect(response.status).toBe(200)
    await response.body?.getReader().read()
    controller.abort()
    const left: Answered = { status: 200, headers: response.headers, text: '', json: () => null }
    expect(await recordOf(left)).toMatchObject({ lifecycle_state: 'aborted', response_status: 200 })
  })

  test('example 25: a stream without its end was not completed', async () => {
    const fault = { 'x-sim-fault': JSON.stringify({ die_mid_stream: { after_events: 2, mode: 'clean' } }) }
    const answer = await chat(asking('inherits', { stream: true, max_tokens: 50 }), fault)
    expect(await recordOf(answer)).toMatchObject({ lifecycle_state: 'failed', stream_end: 'truncated' })
  })

  test('examples 26 and 27: a decision inherits what holds for all, or says otherwise', async () => {
    expect(await recordOf(await chat(asking('inherits')))).toMatchObject({ decision: 'inherits' })
    expect((await chat(asking('nothing'))).headers.get('x-vsr-replay-id')).toBeNull()
    expect((await admin.get('/v1/router_replay?decision=nothing')).json().total).toBe(0)
  })
}

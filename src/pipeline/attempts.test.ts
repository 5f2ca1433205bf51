// Retries as properties over made-up failures: what must hold however workers fail.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'

const WORKERS = ['w1:1', 'w2:1', 'w3:1', 'w4:1']

function config(extra = ''): string {
  const workers = WORKERS.map((host) => `  - { url: "http://${host}", models: [m] }`).join('\n')
  return `workers:\n${workers}\npolicy: random\n${extra}`
}

type Behaviour = 'ok' | 'stream' | 'refused' | 'reset' | '429' | '500' | '502' | '503' | '504' | '400' | 'cut'

const BEHAVIOURS: readonly Behaviour[] = [
  'ok',
  'stream',
  'refused',
  'reset',
  '429',
  '500',
  '502',
  '503',
  '504',
  '400',
  'cut',
]

const JSON_HEADERS = { 'content-type': 'application/json' }
const SSE_HEADERS = { 'content-type': 'text/event-stream' }
const EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
const END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

function behave(behaviour: Behaviour): Response {
  switch (behaviour) {
    case 'ok':
      return new Response('{"object":"chat.completion"}', { headers: { ...JSON_HEADERS, 'content-length': '28' } })
    case 'stream':
      return new Response(EVENT + END, { headers: SSE_HEADERS })
    case 'cut':
      return new Response(EVENT, { headers: SSE_HEADERS })
    case 'refused':
      throw Object.assign(new Error('refused'), { phase: 'not_sent' })
    case 'reset':
      throw new Error('reset')
    default:
      return new Response('{"error":{}}', { status: Number(behaviour), headers: JSON_HEADERS })
  }
}

const isFault = (behaviour: Behaviour) => !['ok', 'stream', '400'].includes(behaviour)

describe('attempts', () => {
  test('no worker twice, none after the first byte, one alive at a time, and as many as are recorded', async () => {
    const pattern = fc.array(fc.constantFrom(...BEHAVIOURS), { minLength: 4, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(pattern, { minLength: 1, maxLength: 6 }), async (requests) => {
        let live = 0
        let mostLive = 0
        const calls: UpstreamCall[] = []
        let plan: readonly Behaviour[] = []
        const fleet = await inProcessRouter(config(), async (call) => {
          calls.push(call)
          live += 1
          mostLive = Math.max(mostLive, live)
          // An answer or failure ends the attempt as far as this count goes; a turn passes as it would on a network.
          await new Promise((resolve) => setImmediate(resolve))
          live -= 1
          return behave(plan[WORKERS.indexOf(call.worker)] ?? 'ok')
        })
        for (const next of requests) {
          plan = next
          calls.length = 0
          const { text, response } = await fleet.chat({ model: 'm', stream: false, messages: [] })
          const used = calls.map(({ worker }) => worker)
          expect(new Set(used).size, 'a worker was tried twice').toBe(used.length)
          const unsent = used.filter((worker) => plan[WORKERS.indexOf(worker)] === 'refused').length
          expect(used.length - unsent).toBeLessThanOrEqual(3)
          expect(response.headers.get('x-vllm-router-attempts')).toBe(String(used.length))
          // The answer is the last worker's alone: an answer that had begun was never followed by another attempt.
          const earlier = used.slice(0, -1).map((worker) => plan[WORKERS.indexOf(worker)] ?? 'ok')
          expect(earlier.filter((behaviour) => ['ok', 'stream', 'cut', '400', '500'].includes(behaviour))).toEqual([])
          expect(earlier.filter((behaviour) => ['reset', '502', '504'].includes(behaviour)).length).toBeLessThanOrEqual(
            1,
          )
          expect(text.split('[DONE]').length).toBeLessThanOrEqual(2)
          expect(fleet.router.inFlight()).toBe(0)
        }
        expect(mostLive).toBeLessThanOrEqual(1)
      }),
      { numRuns: 150 },
    )
  })

  test('amplification stays within the budget under any pattern of failures', async () => {
    const outage = fc.array(fc.constantFrom(...BEHAVIOURS.filter((behaviour) => behaviour !== 'refused')), {
      minLength: 4,
      maxLength: 4,
    })
    await fc.assert(
      fc.asyncProperty(outage, fc.integer({ min: 20, max: 120 }), async (plan, count) => {
        let calls = 0
        const fleet = await inProcessRouter(
          config('retry: { budget: { ratio: 0.2, window_secs: 10, min_retries: 2 } }\nlog_level: error'),
          async (call) => {
            calls += 1
            return behave(plan[WORKERS.indexOf(call.worker)] ?? 'ok')
          },
        )
        for (let request = 0; request < count; request += 1) await fleet.chat({ model: 'm', messages: [] })
        expect(calls - count).toBeLessThanOrEqual(Math.max(2, 0.2 * count))
      }),
      { numRuns: 40 },
    )
  })

  test('what was never sent is replaced without limit by the budget', async () => {
    const fleet = await inProcessRouter(config('retry: { budget: { ratio: 0, min_retries: 0 } }'), async (call) =>
      behave(call.worker === 'w4:1' || call.worker === 'w3:1' ? 'ok' : 'refused'),
    )
    for (let request = 0; request < 50; request += 1) {
      const { response } = await fleet.chat({ model: 'm', messages: [] })
      expect(response.status).toBe(200)
    }
  })

  test('attempts have ids of their own, and lines of their own in the record', async () => {
    const ids: (string | null)[] = []
    const fleet = await inProcessRouter(config('retry: { max_retries: 3 }'), async (call) => {
      ids.push(call.headers.get('x-request-id'))
      return behave(ids.length < 3 ? '503' : 'ok')
    })
    const { response } = await fleet.chat({ model: 'm', messages: [] }, { headers: { 'x-request-id': 'abc' } })
    expect(response.status).toBe(200)
    expect(ids).toEqual(['abc', 'abc-r1', 'abc-r2'])
    expect(
      fleet
        .records()
        .at(-1)
        ?.attempts.map(({ outcome, status }) => [outcome, status]),
    ).toEqual([
      ['answered', 503],
      ['answered', 503],
      ['answered', 200],
    ])
  })

  test.each(BEHAVIOURS.filter(isFault))(
    'a client library is told not to go on after the tries are spent: %s',
    async (behaviour) => {
      const fleet = await inProcessRouter(config(), async () => behave(behaviour))
      const { response } = await fleet.chat({ model: 'm', messages: [] })
      const hasRetried = Number(response.headers.get('x-vllm-router-attempts')) > 1
      expect(response.headers.get('x-should-retry')).toBe(hasRetried ? 'false' : null)
    },
  )

  test('a poison prompt does not walk the fleet', async () => {
    let calls = 0
    const fleet = await inProcessRouter(config(), async () => {
      calls += 1
      return behave('500')
    })
    const { response, text } = await fleet.chat({ model: 'm', messages: [] })
    expect([response.status, text, calls]).toEqual([500, '{"error":{}}', 1])
  })
})

describe('the first-event gate', () => {
  const gated = config('retry: { gate: first_event }')

  test('replaces a worker that dies before its first event', async () => {
    let calls = 0
    const fleet = await inProcessRouter(gated, async () => {
      calls += 1
      return calls === 1 ? new Response('data: {"cho', { headers: SSE_HEADERS }) : behave('stream')
    })
    const { response, text } = await fleet.chat({ model: 'm', stream: true, messages: [] })
    expect([response.status, text, calls]).toEqual([200, EVENT + END, 2])
    expect(fleet.router.inFlight()).toBe(0)
  })

  test('never tries again after it', async () => {
    let calls = 0
    const fleet = await inProcessRouter(gated, async () => {
      calls += 1
      return behave('cut')
    })
    const { text } = await fleet.chat({ model: 'm', stream: true, messages: [] })
    expect(calls).toBe(1)
    expect(text).toContain('upstream_truncated')
  })
})

describe('hedging', () => {
  const hedged = config('hedge: { after_ms: 100, max_share: 1 }')
  const never = () => new Promise<Response>(() => {})

  test('asks a second worker when the first is late, and stops the loser', async () => {
    const calls: UpstreamCall[] = []
    const fleet = await inProcessRouter(hedged, (call) => {
      calls.push(call)
      return calls.length === 1 ? never() : Promise.resolve(behave('ok'))
    })
    const { response } = await fleet.chat({ model: 'm', messages: [] })
    expect(response.status).toBe(200)
    expect(calls).toHaveLength(2)
    expect(calls[0]?.signal.aborted).toBe(true)
    expect(response.headers.get('x-vllm-router-worker')).toBe(`http://${calls[1]?.worker}`)
  })

  test('never beyond its share', async () => {
    let calls = 0
    const fleet = await inProcessRouter(
      config('hedge: { after_ms: 100, max_share: 0.1 }\nlog_level: error'),
      async () => {
        calls += 1
        // Two turns: later than the made-up clock's 100 ms.
        for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
        return behave('ok')
      },
    )
    for (let request = 0; request < 100; request += 1) await fleet.chat({ model: 'm', messages: [] })
    expect(calls).toBeGreaterThan(100)
    expect(calls).toBeLessThanOrEqual(110)
  })
})

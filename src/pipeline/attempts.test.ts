// Retries as properties over made-up failures: what must hold however workers fail.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { audioForm } from '../../test/support/ask.ts'
import { inProcessRouter, sendFailure, type UpstreamCall } from '../../test/support/in-process-router.ts'
import {
  behave,
  BEHAVIOURS,
  type Behaviour,
  config,
  END,
  EVENT,
  SSE_HEADERS,
  WORKERS,
} from '../../test/support/made-up-workers.ts'

/** After which a request is repeated once. */
const ONCE: ReadonlySet<Behaviour> = new Set(['reset', 'short', '502', '504'])

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
          expect(earlier.filter((behaviour) => ONCE.has(behaviour)).length).toBeLessThanOrEqual(1)
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

describe('the wait before another attempt', () => {
  /** Least loaded of three; an answer of 503 for whoever comes first, and a wait that a test can hold. */
  async function threeWorkers(respond: (call: UpstreamCall, at: number) => Promise<Response>, extra = '') {
    const waits: (() => void)[] = []
    const calls: UpstreamCall[] = []
    const yaml = config(extra, WORKERS.slice(0, 3)).replace('policy: random', 'policy: least_load')
    const fleet = await inProcessRouter(
      yaml,
      (call) => respond(call, calls.push(call)),
      () => new Promise((resolve) => waits.push(resolve)),
    )
    const turns = async (isDone: () => boolean) => {
      for (let turn = 0; turn < 100 && !isDone(); turn += 1) await new Promise((resolve) => setImmediate(resolve))
      expect(isDone()).toBe(true)
    }
    return { fleet, waits, calls, turns }
  }

  test('the next worker is chosen after it, by the load of that moment', async () => {
    for (let round = 0; round < 20; round += 1) {
      let endSecond: (response: Response) => void = () => {}
      const { fleet, waits, calls, turns } = await threeWorkers((_, at) => {
        if (at === 1) return Promise.resolve(behave('503'))
        return at === 2 ? new Promise((resolve) => (endSecond = resolve)) : Promise.resolve(behave('ok'))
      })
      const first = fleet.chat({ model: 'm', messages: [] })
      await turns(() => waits.length === 1)
      const second = fleet.chat({ model: 'm', messages: [] })
      await turns(() => calls.length === 2)
      waits[0]?.()
      expect((await first).response.status).toBe(200)
      expect(new Set(calls.map(({ worker }) => worker)).size, 'it went where the other request was').toBe(3)
      endSecond(behave('ok'))
      await second
      expect(fleet.router.inFlight()).toBe(0)
    }
  })

  test('nobody left: the last answer at once, without a wait', async () => {
    const { fleet, waits } = await threeWorkers(async () => behave('503'), 'retry: { max_retries: 9 }')
    const asked = fleet.chat({ model: 'm', messages: [] })
    for (const turn of [1, 2]) {
      for (let ticks = 0; ticks < 10; ticks += 1) await new Promise((resolve) => setImmediate(resolve))
      expect(waits).toHaveLength(turn)
      waits.at(-1)?.()
    }
    const { response } = await asked
    expect([response.status, response.headers.get('x-vllm-router-attempts'), waits.length]).toEqual([503, '3', 2])
  })

  test('no budget left: no wait either', async () => {
    const none = 'retry: { budget: { ratio: 0, min_retries: 0 } }'
    const { fleet, waits } = await threeWorkers(async () => behave('503'), none)
    const { response } = await fleet.chat({ model: 'm', messages: [] })
    expect([response.status, waits.length, fleet.records().at(-1)?.retry_refused]).toEqual([503, 0, true])
  })

  test('a client that leaves meanwhile costs neither an attempt nor the budget', async () => {
    const one = 'retry: { budget: { ratio: 0, min_retries: 1 } }'
    const { fleet, waits, calls, turns } = await threeWorkers(async (_, at) => behave(at === 3 ? 'ok' : '503'), one)
    const client = new AbortController()
    const left = fleet.chat({ model: 'm', messages: [] }, { signal: client.signal })
    await turns(() => waits.length === 1)
    client.abort()
    expect((await left).response.status).toBe(499)
    expect([calls.length, fleet.router.inFlight()]).toEqual([1, 0])
    const stays = fleet.chat({ model: 'm', messages: [] })
    await turns(() => waits.length === 2)
    waits[1]?.()
    expect((await stays).response.headers.get('x-vllm-router-attempts')).toBe('2')
    expect((await stays).response.status).toBe(200)
  })

  test('the earlier answer is let go before the next attempt', async () => {
    const aborted: boolean[] = []
    const calls: UpstreamCall[] = []
    const fleet = await inProcessRouter(config(), async (call) => {
      aborted.push(...calls.map(({ signal }) => signal.aborted))
      return behave(calls.push(call) === 1 ? '503' : 'ok')
    })
    await fleet.chat({ model: 'm', messages: [] })
    expect(aborted).toEqual([true])
  })
})

describe('when nobody is left', () => {
  interface Case {
    readonly name: string
    readonly workers: number
    readonly failures: readonly (readonly ['not_sent' | 'maybe_sent', string])[]
    readonly status: number
    readonly extra?: string
  }
  const CASES: readonly Case[] = [
    { name: 'one, refused', workers: 1, failures: [['not_sent', 'refused']], status: 503 },
    { name: 'one, broken off', workers: 1, failures: [['maybe_sent', 'reset']], status: 502 },
    { name: 'one, and the runtime can’t say', workers: 1, failures: [['maybe_sent', 'network']], status: 503 },
    {
      name: 'two, and the runtime can’t say',
      workers: 2,
      failures: [
        ['maybe_sent', 'network'],
        ['maybe_sent', 'network'],
      ],
      status: 503,
    },
    {
      name: 'two, broken off',
      workers: 2,
      failures: [
        ['maybe_sent', 'reset'],
        ['maybe_sent', 'reset'],
      ],
      status: 503,
    },
    {
      name: 'two, refused and broken off',
      workers: 2,
      failures: [
        ['not_sent', 'refused'],
        ['maybe_sent', 'closed'],
      ],
      status: 503,
    },
    {
      name: 'three, of which the once-rule leaves one',
      workers: 3,
      failures: [
        ['maybe_sent', 'network'],
        ['maybe_sent', 'network'],
      ],
      status: 502,
    },
    {
      name: 'two, of which max_retries leaves one',
      workers: 2,
      failures: [['maybe_sent', 'network']],
      status: 502,
      extra: 'retry: { max_retries: 0 }',
    },
    {
      name: 'two, of which the budget leaves one',
      workers: 2,
      failures: [['maybe_sent', 'network']],
      status: 502,
      extra: 'retry: { budget: { ratio: 0, min_retries: 0 } }',
    },
  ]

  test.each(CASES)('$name: $status', async ({ workers, failures, status, extra = '' }) => {
    let calls = 0
    const fleet = await inProcessRouter(config(extra, WORKERS.slice(0, workers)), async () => {
      const [phase, reason] = failures[calls++] ?? ['not_sent', 'one call too many']
      throw sendFailure(phase, reason)
    })
    const { response, text } = await fleet.chat({ model: 'm', messages: [] })
    expect([response.status, calls]).toEqual([status, failures.length])
    expect(JSON.parse(text).error.code).toBe(status === 503 ? 'no_worker' : 'upstream_unreachable')
    expect(response.headers.has('retry-after')).toBe(status === 503)
    expect(fleet.records().at(-1)?.attempts).toMatchObject(
      failures.map(([, reason]) => ({ outcome: 'unreachable', reason })),
    )
  })
})

describe('forms', () => {
  const path = '/v1/audio/transcriptions'
  const large = () => {
    const form = audioForm('m')
    form.set('file', new Blob([new Uint8Array(1_200_000)]), 'a.wav')
    return form
  }

  async function workersGiven(plan: readonly Behaviour[], extra = 'max_payload_size: 5MB') {
    const bodies: (string | null)[] = []
    const fleet = await inProcessRouter(config(extra), async ({ body, headers }) => {
      const behaviour = plan[bodies.length] ?? 'ok'
      // Who refuses a connection has read nothing of what was sent.
      const isRead = behaviour !== 'refused'
      bodies.push(isRead ? await new Response(body).text() : null)
      expect(headers.get('content-type')).toMatch(/^multipart\/form-data; boundary=/)
      return behave(behaviour)
    })
    return { fleet, bodies }
  }

  test.each(['429', '503', '502', 'reset', 'refused', 'short'] as const)(
    'a short one goes to another worker, whole: %s',
    async (behaviour) => {
      const { fleet, bodies } = await workersGiven([behaviour])
      const { response } = await fleet.post(path, { body: audioForm('m') })
      expect([response.status, bodies.length]).toEqual([200, 2])
      expect(bodies[1]).toContain('not really sound')
      if (bodies[0] !== null) expect(bodies[0]).toBe(bodies[1])
    },
  )

  test('and down a chain, with each model’s name in its field', async () => {
    const names: (string | undefined)[] = []
    const yaml =
      'workers: [{ url: "http://w1:1", models: [a] }, { url: "http://w2:1", models: [b] }]\n' +
      'model_rules: [{ match: m, fallback: [a, b], on_failure: true }]'
    const fleet = await inProcessRouter(yaml, async ({ body, worker }) => {
      names.push(/name="model"\r\n\r\n(.*)\r\n/.exec(await new Response(body).text())?.[1])
      return behave(worker === 'w1:1' ? '500' : 'ok')
    })
    const { response } = await fleet.post(path, { body: audioForm('m') })
    expect([response.status, names]).toEqual([200, ['a', 'b']])
  })

  test('a long one is sent once', async () => {
    const { fleet, bodies } = await workersGiven(['503'])
    const { response } = await fleet.post(path, { body: large() })
    expect([response.status, bodies.length]).toEqual([503, 1])
  })

  test('unless nobody has read of it beyond its held beginning', async () => {
    const { fleet, bodies } = await workersGiven(['refused', 'refused'])
    const { response } = await fleet.post(path, { body: large() })
    expect([response.status, bodies.length]).toEqual([200, 3])
    expect(bodies.slice(0, 2)).toEqual([null, null])
    expect(bodies[2]?.length).toBeGreaterThan(1_200_000)
  })

  test('one that asks for events and gets none is refused, as a JSON body is', async () => {
    const form = audioForm('m')
    form.set('stream', 'true')
    const { fleet } = await workersGiven(['ok'])
    const { response, text } = await fleet.post(path, { body: form })
    expect([response.status, JSON.parse(text).error.code]).toEqual([502, 'upstream_invalid'])
    const served = await workersGiven(['stream'])
    expect((await served.fleet.post(path, { body: form })).response.status).toBe(200)
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

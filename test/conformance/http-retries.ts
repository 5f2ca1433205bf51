// Failed attempts over HTTP: what is tried again, how often, and that nothing is once the client has a byte.

import { describe, expect, test } from 'vitest'
import type { FaultRuleInput } from '../../src/simulator/fault-schema.ts'
import { type Answered, chatBody, expectExplained, expectRefusal, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { retriedAnswersConformance } from './http-retried-answers.ts'
import { resentForms } from './http-retried-forms.ts'
import { type RetriedWorker, retryBench, type RetryBench } from './retry-bench.ts'

const CHAT = '/v1/chat/completions'

export function retriesConformance(runtime: RuntimeName): void {
  describe(`retries on ${runtime}`, () => {
    const fleet = liveFleet<RetriedWorker>(runtime, {
      workers: {
        home: { models: ['m'] },
        other: { models: ['m'] },
        lone: { models: ['lone'] },
        second: { models: ['second'] },
      },
      config: (urls) => ({
        workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
        policy: 'consistent_hash',
        // The same worker fails again and again here, and is to be asked all the same.
        disable_circuit_breaker: true,
        max_payload_size: 4_000_000,
        timeouts: { first_byte: '700ms' },
        retry: { gate: 'first_event', initial_backoff_ms: 5, budget: { min_retries: 1_000 } },
        model_rules: [{ match: 'rescued', fallback: ['lone', 'second'], on_failure: true }],
      }),
    })
    const bench = retryBench(fleet, runtime)
    statuses(bench)
    nobodyLeft(bench)
    errorEvents(bench)
    describe('forms', () => resentForms(bench))
  })
  retriedAnswersConformance(runtime)
}

/** Asks for model `m` while `home`, which is asked first, has this fault. */
async function askWith(
  bench: RetryBench,
  fault: FaultRuleInput,
  body: object = {},
): Promise<Answered & { id: string }> {
  const id = bench.nextId()
  const headers = await bench.homeward(id)
  await bench.fleet.worker('home').setFaults(fault)
  const answer = await postJson(bench.fleet.url + CHAT, { ...chatBody('m'), ...body }, headers)
  await bench.fleet.worker('home').setFaults([])
  return { ...answer, id }
}

function statuses(bench: RetryBench): void {
  test.each([429, 503, 502, 504])('%d: another worker serves, under an id of its own', async (status) => {
    const answer = await askWith(bench, { status })
    expect(answer.status, answer.text).toBe(200)
    expectExplained(answer, { worker: 'other', model: 'm', attempts: '2', policy: 'consistent_hash' })
    const { id } = answer
    for (const [worker, sent] of [
      ['home', id],
      ['other', `${id}-r1`],
    ] as const) {
      const ids = bench.fleet
        .worker(worker)
        .state()
        .requests.map(({ headers }) => headers['x-request-id'])
      expect(ids.filter((each) => each?.startsWith(id))).toEqual([sent])
    }
    const { attempts } = await bench.record(id)
    expect(attempts).toMatchObject([
      { worker: 'home', outcome: 'answered', status },
      { worker: 'other', outcome: 'answered', status: 200 },
    ])
  })

  test.each([500, 400, 404, 422])('%d is the answer', async (status) => {
    const answer = await askWith(bench, { status })
    expect([answer.status, answer.headers.get('x-vllm-router-attempts')]).toEqual([status, '1'])
  })

  test('no first byte in time: tried once more', async () => {
    const answer = await askWith(bench, { hang: true })
    expect([answer.status, answer.headers.get('x-vllm-router-attempts')]).toEqual([200, '2'])
    const { attempts } = await bench.record(answer.id)
    expect(attempts).toMatchObject([{ outcome: 'timeout', reason: 'first_byte' }, { outcome: 'answered' }])
  })
}

function nobodyLeft(bench: RetryBench): void {
  const ask = (model: string) => postJson(bench.fleet.url + CHAT, chatBody(model))
  const isServed = async (model: string) => (await ask(model)).status === 200

  test('the only worker refuses: 503 at once, with Retry-After, and the next model of a chain serves', async () => {
    expect(await isServed('lone')).toBe(true)
    await bench.fleet.worker('lone').setFaults({ refuse: true })
    const answer = await ask('lone')
    expectRefusal(answer, 'no_worker')
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    const rescued = await ask('rescued')
    expect([rescued.status, rescued.headers.get('x-vllm-router-model')]).toEqual([200, 'second'])
    await bench.fleet.worker('lone').setFaults([])
    await until(
      () => isServed('lone'),
      8_000,
      () => 'lone was never used again',
    )
  })

  // workerd has the same words for a worker that is gone.
  const code = bench.runtime === 'workerd' ? 'no_worker' : 'upstream_unreachable'
  test(`the only worker breaks off before its answer, and may have run it: ${code}`, async () => {
    await bench.fleet.worker('lone').setFaults({ die_before_headers: true, times: 1 })
    const answer = await ask('lone')
    expectRefusal(answer, code)
    expect(answer.headers.has('retry-after')).toBe(code === 'no_worker')
  })

  test("the only worker's own 503 gets a Retry-After when it has none", async () => {
    await bench.fleet.worker('lone').setFaults({ status: 503, times: 1 })
    const answer = await ask('lone')
    expect(answer.status).toBe(503)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    await until(
      () => isServed('lone'),
      8_000,
      () => 'lone was never used again',
    )
  })

  test('both break off: 503', async () => {
    for (const worker of ['home', 'other'] as const) {
      await bench.fleet.worker(worker).setFaults({ die_before_headers: true, times: 1 })
    }
    const answer = await ask('m')
    expectRefusal(answer, 'no_worker')
    expect(answer.headers.get('x-vllm-router-attempts')).toBe('2')
    expect(answer.headers.get('x-should-retry')).toBe('false')
    expect(await isServed('m')).toBe(true)
  })
}

function errorEvents(bench: RetryBench): void {
  const asStream = { stream: true }

  test('a stream whose first event is an error of a worker that is busy: another one serves', async () => {
    const answer = await askWith(bench, { error_in_stream: { after_events: 0, status: 503 } }, asStream)
    expect([answer.status, answer.headers.get('x-vllm-router-worker')]).toEqual([200, 'other'])
    expect(answer.text).toContain('data: [DONE]')
    expect(answer.text).not.toContain('"error"')
    const { attempts } = await bench.record(answer.id)
    expect(attempts).toMatchObject([{ outcome: 'answered', reason: 'error_event', status: 503 }, { status: 200 }])
  })

  test.each([500, 400])('of a request that fails anywhere (%d): it passes', async (status) => {
    const answer = await askWith(bench, { error_in_stream: { after_events: 0, status } }, asStream)
    expect([answer.status, answer.headers.get('x-vllm-router-worker')]).toEqual([200, 'home'])
    expect(answer.text.split('"error"')).toHaveLength(2)
  })

  test('after the first event it is the client’s', async () => {
    const answer = await askWith(bench, { error_in_stream: { after_events: 1, status: 503 } }, asStream)
    expect(answer.headers.get('x-vllm-router-attempts')).toBe('1')
    expect(answer.text).toContain('"error"')
  })
}

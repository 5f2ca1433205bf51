// The fault table: workers that are ill, and how they are told from those that are not. One after the other, on three
// workers, as each leaves its worker well.

import { expect } from 'vitest'
import { fetchWhole } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import type { FaultRow } from './fault-row.ts'
import { type HealthBench, healthBench, type Name, NAMES } from './health-bench.ts'

const FAULTS_IN_ROW = 5

/** How long the one request takes that a half-open worker gets. */
const SLOW_MS = 1_000

/** Probes so seldom that what these rows see is what requests found out. */
export function illnessBench(runtime: RuntimeName): HealthBench {
  return healthBench(runtime, {
    config: {
      health_check: { check_interval_secs: 600 },
      circuit_breaker: {
        failure_threshold: FAULTS_IN_ROW,
        success_threshold: 1,
        minimum_volume: 10,
        timeout_duration_secs: 2,
      },
      // Above what a busy machine adds to the slowest good answer of these rows.
      timeouts: { first_byte: '6s' },
    },
  })
}

const isUsed = (bench: HealthBench, name: Name) =>
  until(
    async () => (await bench.chat(`only-${name}`)).status === 200,
    15_000,
    () => `${name} was never used again`,
  )

/** Opens a worker's breaker by failed requests, and nothing else. */
async function open(bench: HealthBench, name: Name): Promise<void> {
  await bench.fleet.worker(name).setFaults({ status: 500 })
  for (let at = 0; at < FAULTS_IN_ROW; at += 1) expect((await bench.chat(`only-${name}`)).status).toBe(500)
  expect((await bench.worker(name)).availability).toBe('open')
}

async function hangsBehindGoodHealth(bench: HealthBench): Promise<void> {
  const { fleet } = bench
  await fleet.worker('c').setFaults({ hang: true })
  const asked = await Promise.all(Array.from({ length: FAULTS_IN_ROW }, () => bench.chat('only-c')))
  expect(new Set(asked.map(({ status }) => status))).toEqual(new Set([504]))
  expect((await fetchWhole(`${fleet.worker('c').url}/health`, null)).status).toBe(200)
  expect((await bench.worker('c')).availability).toBe('open')
  for (let at = 0; at < 6; at += 1) expect(await bench.chat()).toMatchObject({ status: 200, attempts: 1 })
  await fleet.worker('c').setFaults([])
  await isUsed(bench, 'c')
}

async function oneAtATime(bench: HealthBench): Promise<void> {
  const { fleet } = bench
  await open(bench, 'b')
  await fleet.worker('b').setFaults({ slow_headers_ms: SLOW_MS })
  await bench.untilWorker('b', ({ availability }) => availability === 'half_open')
  const before = fleet.worker('b').state().requests.length
  await until(
    async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, () => bench.chat()))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      return answers.some(({ worker }) => worker === 'b')
    },
    15_000,
    () => 'nobody was let through',
  )
  const [first = 0, ...others] = fleet
    .worker('b')
    .state()
    .requests.slice(before)
    .filter(({ method }) => method === 'POST')
    .map(({ arrivedAtMs }) => arrivedAtMs)
  expect(first).toBeGreaterThan(0)
  // Whoever else came did so once the first had its answer.
  expect(others.filter((atMs) => atMs < first + SLOW_MS - 50)).toEqual([])
}

async function comesBackCold(bench: HealthBench): Promise<void> {
  const { fleet } = bench
  await fleet.worker('b').setFaults([])
  await open(bench, 'b')
  await fleet.worker('b').setFaults([])
  await isUsed(bench, 'b')
  const { share: first } = await bench.untilWorker('b', ({ share }) => share < 1)
  expect(first).toBeLessThan(0.6)
  await bench.untilWorker('b', ({ share }) => share > first + 0.05, 20_000)
}

async function failsNowAndThen(bench: HealthBench): Promise<void> {
  for (let at = 0; at < 15; at += 1) {
    await bench.fleet.worker('a').setFaults(at % 5 === 0 ? [] : { status: 500 })
    await bench.chat('only-a')
  }
  expect(await bench.untilWorker('a', ({ availability }) => availability === 'ejected')).toMatchObject({
    reason: 'error_rate',
    breaker: { state: 'open' },
  })
  await bench.fleet.worker('a').setFaults([])
  for (let at = 0; at < 6; at += 1) expect((await bench.chat()).worker).not.toBe('a')
  await isUsed(bench, 'a')
}

async function nobodyLeft(bench: HealthBench): Promise<void> {
  for (const name of NAMES) await bench.fleet.worker(name).setFaults({ refuse: true })
  await until(
    async () => (await bench.chat()).status === 503 && (await bench.worker('a')).availability === 'down',
    15_000,
    () => 'they are still asked',
  )
  const begunAtMs = performance.now()
  const url = `${bench.fleet.url}/v1/chat/completions`
  const answer = await fetchWhole(url, { model: 'm', messages: [{ role: 'user', content: 'hi' }] })
  expect(performance.now() - begunAtMs).toBeLessThan(1_000)
  expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([503, 'no_worker'])
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  for (const name of NAMES) await bench.fleet.worker(name).setFaults([])
  for (const name of NAMES) await isUsed(bench, name)
}

export const HEALTH_ROWS: readonly FaultRow<HealthBench>[] = [
  {
    id: 'F35',
    fault: 'four of five requests to a worker fail, never so many in a row that the breaker opens by that',
    client: "the worker's own errors, until it is out; then another worker's answers",
    record: 'the attempts; `/workers/{id}`: `ejected`, `error_rate`',
    retried: 'no, for a 500',
    breaker: 'opens by the share of faults in its window',
    limitMs: 60_000,
    prove: failsNowAndThen,
  },
  {
    id: 'F32',
    fault: '/health says 200 while no request is answered',
    client: '504 `upstream_timeout` until the breaker opens; then another worker serves',
    record: '`timeout`: `first_byte`; `/workers/{id}`: `open`',
    retried: 'once, on another worker',
    breaker: 'opens; a good probe does not close it',
    limitMs: 60_000,
    prove: hangsBehindGoodHealth,
  },
  {
    id: 'F34',
    fault: 'a hundred requests come while a worker is half open',
    client: 'nothing: other workers serve all but one',
    record: 'candidate with `permit` for the one that was let through',
    retried: 'as any',
    breaker: 'one request at a time decides',
    limitMs: 60_000,
    prove: oneAtATime,
  },
  {
    id: 'F36',
    fault: 'a worker comes back, cold',
    client: 'nothing',
    record: '`/workers/{id}`: `recovering`, its share from a tenth to all in 30 s',
    retried: '–',
    breaker: 'closed',
    limitMs: 60_000,
    prove: comesBackCold,
  },
  {
    id: 'F33',
    fault: 'every worker of a model is gone',
    client: '503 `no_worker` with Retry-After, at once',
    record: 'method `none`, error `no_worker`; the candidates with their vetoes',
    retried: 'no: nobody is left',
    breaker: 'nothing; probes bring them back',
    limitMs: 60_000,
    prove: nobodyLeft,
  },
]

// A router under mixed load and steady trouble for as long as is wanted, watched from outside: what it holds must not grow, and
// everything must be given back at the end.

import { startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { type AdminClient, adminClient } from '../../test/support/admin-client.ts'
import { until } from '../../test/support/launch.ts'
import { type RuntimeName, startTarget } from '../targets.ts'
import { lookAt, memorySlope, type Sample } from './samples.ts'
import { SOAK_MODEL, startTraffic } from './traffic.ts'
import { startTrouble } from './trouble.ts'

export interface SoakOptions {
  readonly runtime: RuntimeName
  readonly seconds: number
  readonly requestsPerSecond: number
  /** Between two troubles. */
  readonly troubleEverySeconds: number
  readonly onSample?: (sample: Sample) => void
}

export interface SoakReport {
  readonly runtime: RuntimeName
  readonly seconds: number
  readonly requestsPerSecond: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly troubles: Readonly<Record<string, number>>
  readonly samples: readonly Sample[]
  readonly memoryMbPerMinute: number
  /** Before the first request, and once all had ended. */
  readonly before: Sample
  readonly after: Sample
  /** Requests that workers thought they still had at the end. */
  readonly leftAtWorkers: number
}

const ADMIN_KEY = 'soak-operator-key'
const WORKERS = 3

/** Connections that are kept for the next request close after a while without one. */
const SETTLE_MS = 8_000
const IDLE_WITHIN_MS = 90_000

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { runtime, seconds, requestsPerSecond, troubleEverySeconds } = options
  const workers = await Promise.all(
    Array.from({ length: WORKERS }, (_, seed) =>
      startSimulatedWorker({ port: 0, models: [SOAK_MODEL], seed, itlMs: 15, prefillOverheadMs: 20, maxNumSeqs: 256 }),
    ),
  )
  const configs = ['least_load', 'round_robin', 'cache_aware'].map((policy) =>
    configText(
      workers.map(({ url }) => url),
      policy,
    ),
  )
  const [workersYaml = ''] = configs
  const usual = { upstreamPorts: [], profileDirectory: null, extraConfig: '' }
  const router = await startTarget('router', { ...usual, runtime, workersYaml })
  const url = `http://127.0.0.1:${router.port}`
  const admin = adminClient(() => url, ADMIN_KEY)
  const startedMs = performance.now()
  const look = async () => lookAt(router.pid, (performance.now() - startedMs) / 1_000, await inFlightOf(admin))
  try {
    const before = await look()
    const traffic = startTraffic(url, requestsPerSecond)
    const trouble = startTrouble({ workers, admin, configs, everyMs: troubleEverySeconds * 1_000 })
    const samples = await watch(look, options)
    await trouble.stop()
    await traffic.stop()
    const isIdle = async () => (await inFlightOf(admin)) === 0
    await until(
      isIdle,
      IDLE_WITHIN_MS,
      () => `${runtime} still has leases ${IDLE_WITHIN_MS / 1_000} s after the last request`,
    )
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    return {
      runtime,
      seconds,
      requestsPerSecond,
      outcomes: Object.fromEntries(traffic.outcomes),
      troubles: trouble.counts,
      samples,
      memoryMbPerMinute: memorySlope(samples),
      before,
      after: await look(),
      leftAtWorkers: workers.reduce((sum, worker) => sum + worker.state().running, 0),
    }
  } finally {
    await router.stop()
    await Promise.all(workers.map((worker) => worker.close()))
  }
}

async function watch(
  look: () => Promise<Sample>,
  { seconds, onSample }: Pick<SoakOptions, 'seconds' | 'onSample'>,
): Promise<readonly Sample[]> {
  const everyMs = Math.max(1_000, (seconds * 1_000) / 240)
  const samples: Sample[] = []
  for (const untilMs = performance.now() + seconds * 1_000; performance.now() < untilMs;) {
    await new Promise((resolve) => setTimeout(resolve, everyMs))
    const sample = await look()
    samples.push(sample)
    onSample?.(sample)
  }
  return samples
}

function configText(urls: readonly string[], policy: string): string {
  return JSON.stringify({
    admin_api_key: ADMIN_KEY,
    workers: urls.map((url, at) => ({ id: `w${at}`, url, models: [SOAK_MODEL] })),
    policy,
    log_level: 'warn',
    timeouts: { first_byte: '3s' },
    health_check: { check_interval_secs: 1 },
    circuit_breaker: { timeout_duration_secs: 1 },
  })
}

async function inFlightOf(admin: AdminClient): Promise<number> {
  const answer = await admin.get('/admin/stats')
  const inFlight: unknown = answer.status === 200 ? answer.json().in_flight : null
  if (typeof inFlight !== 'number') throw new Error(`/admin/stats answered ${answer.status}: ${answer.text}`)
  return inFlight
}

// What the suites about streams share: one router in a process of its own, a simulated worker with endless answers, a
// raw socket for what a server would not send, and a small fleet.

import { parseEvents } from './dialect.ts'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import type { FaultRuleInput } from '../../src/simulator/fault-schema.ts'
import { send, type SendOptions } from '../support/http-client.ts'
import { type LaunchedRouter, launchRouter, type RuntimeName, until } from '../support/launch.ts'
import { type RawWorker, startRawWorker } from '../support/raw-worker.ts'
import { STREAM_ROUTES, type StreamRoute } from '../support/stream-routes.ts'

/** How soon a worker must be rid of a request whose client has left: before any timeout would have seen to it. */
export const ABORT_MS = 2_000

export const FIRST_BYTE_MS = 2_500
export const IDLE_MS = 3_000

/** Answers so long that none ends by itself within a test. */
export const ENDLESS_TOKENS = 5_000

/** How the simulator can cut a stream. */
export const DEATHS = ['rst', 'fin', 'clean', 'mid_event', 'done_without_finish'] as const

export interface Bench {
  readonly router: LaunchedRouter
  /** Serves model `sim`. */
  readonly sim: StartedWorker
  /** Serves model `raw`. */
  readonly raw: RawWorker
  /** Serve model `fleet` together. */
  readonly fleet: readonly StartedWorker[]
  /** A new request id, to find the record by. */
  id(): string
  /** The record of a request, once it has ended. */
  record(requestId: string): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export const chat = STREAM_ROUTES.find(({ name }) => name === 'chat') as StreamRoute

export async function openBench(runtime: RuntimeName): Promise<Bench> {
  const quick = { port: 0, prefillOverheadMs: 2, itlMs: 2, logRequests: 0 }
  const sim = await startSimulatedWorker({
    ...quick,
    logRequests: 100,
    models: ['sim'],
    itlMs: 10,
    outputTokens: ENDLESS_TOKENS,
  })
  const raw = await startRawWorker('raw')
  const fleet = await Promise.all(
    [1, 2, 3].map((seed) => startSimulatedWorker({ ...quick, seed, models: ['fleet'], allowRequestFaults: true })),
  )
  const workers = [
    { id: 'sim', url: sim.url },
    { id: 'raw', url: raw.url },
  ].concat(fleet.map(({ url }, index) => ({ id: `fleet-${index}`, url })))
  const router = await launchRouter(runtime, {
    config: JSON.stringify({
      workers,
      policy: 'least_load',
      forward_headers: ['x-sim-fault'],
      timeouts: { first_byte: `${FIRST_BYTE_MS}ms`, idle: `${IDLE_MS}ms` },
      // One worker fails on purpose, case after case: what is looked at is each failure, not what they come to.
      disable_circuit_breaker: true,
    }),
  })
  let count = 0
  return {
    router,
    sim,
    raw,
    fleet,
    id: () => `${runtime}-${++count}`,
    record: (requestId) => router.record((record) => record['request_id'] === requestId),
    async close() {
      await router.stop()
      await Promise.all([sim, raw, ...fleet].map((worker) => worker.close()))
    },
  }
}

/** Sends a stream request of `route`. */
export function ask(bench: Bench, route: StreamRoute, model: string, options: SendOptions & { tokens?: number } = {}) {
  const id = bench.id()
  const { tokens, headers, ...rest } = options
  const body = route.body(model, tokens === undefined ? {} : { tokens })
  return { id, ...send(bench.router.url + route.path, body, { ...rest, headers: { 'x-request-id': id, ...headers } }) }
}

export async function askWhole(
  bench: Bench,
  route: StreamRoute,
  model: string,
  options: SendOptions & { tokens?: number } = {},
) {
  const { id, reply } = ask(bench, route, model, options)
  const { status, headers, rest } = await reply
  const bytes = await rest()
  return { id, status, headers, bytes, events: parseEvents(bytes) }
}

export async function untilAborted(sim: StartedWorker, aborted: number): Promise<void> {
  await until(
    () => sim.state().running === 0 && sim.state().aborted === aborted,
    ABORT_MS,
    () => `running ${sim.state().running}, aborted ${sim.state().aborted} instead of ${aborted}`,
  )
}

export async function within(settled: Promise<void> | null, limitMs: number): Promise<void> {
  let isSettled = false
  void settled?.then(() => (isSettled = true))
  await until(
    () => isSettled,
    limitMs,
    () => `it took longer than ${limitMs} ms`,
  )
}

export async function withFaults(sim: StartedWorker, faults: FaultRuleInput, task: () => Promise<void>): Promise<void> {
  await sim.setFaults(faults)
  try {
    await task()
  } finally {
    await sim.setFaults([])
  }
}

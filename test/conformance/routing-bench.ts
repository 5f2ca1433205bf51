// What the suites about routing share: three workers of one model behind a policy, and requests whose worker and record
// are looked at.

import { expect } from 'vitest'
import type { SimulatedWorkerOptions } from '../../src/simulator/options.ts'
import { fetchWhole, send, type Sent } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

export type WorkerName = 'a' | 'b' | 'c'

export const NAMES: readonly WorkerName[] = ['a', 'b', 'c']

/** As the record lists it. */
export interface Candidate {
  readonly worker: string
  readonly score: number | null
  readonly parts?: Readonly<Record<string, number>>
  readonly veto?: string
}

export interface Routed {
  readonly status: number
  /** Id of the worker that answered, from the answer's header. */
  readonly worker: string
  readonly record: Readonly<Record<string, unknown>>
  readonly candidates: readonly Candidate[]
}

export interface RouteOptions {
  readonly model?: string
  readonly prompt?: string
  readonly headers?: Readonly<Record<string, string>>
  /** More fields of the body. */
  readonly body?: object
}

export interface RoutingBench {
  readonly fleet: LiveFleet<WorkerName>
  /** Sends a chat request and reads its answer and record. */
  route(options?: RouteOptions): Promise<Routed>
  /** Ids of the workers that `count` requests went to, one after the other; all must succeed. */
  routeMany(count: number, options?: (index: number) => RouteOptions): Promise<string[]>
  /** Opens streams that take seconds; resolves once the workers run them all. */
  occupy(count: number, options?: RouteOptions): Promise<{ release(): Promise<void> }>
  running(): number[]
}

export interface RoutingBenchOptions {
  readonly policy: string | object
  /** Options by worker beside the usual ones. */
  readonly workers?: Partial<Record<WorkerName, SimulatedWorkerOptions>>
  /** Fields of the configuration by worker, such as its weight. */
  readonly entries?: Partial<Record<WorkerName, object>>
  /** More entries of `workers` in the configuration. */
  readonly more?: readonly object[]
  readonly args?: readonly string[]
}

/** Registers start and end with the enclosing `describe`. */
export function routingBench(runtime: RuntimeName, options: RoutingBenchOptions): RoutingBench {
  const usual = { models: ['m'], itlMs: 1, outputTokens: 2_000, logRequests: 200 }
  const own = options.workers ?? {}
  const fleet = liveFleet<WorkerName>(runtime, {
    workers: { a: { ...usual, ...own.a }, b: { ...usual, ...own.b }, c: { ...usual, ...own.c } },
    config: (urls) => ({
      workers: [...NAMES.map((id) => ({ id, url: urls[id], ...options.entries?.[id] })), ...(options.more ?? [])],
      policy: options.policy,
    }),
    args: options.args ?? [],
  })
  let count = 0
  const running = () => NAMES.map((name) => fleet.worker(name).state().running)

  async function route({ model = 'm', prompt = 'hello', headers, body }: RouteOptions = {}): Promise<Routed> {
    const id = `${runtime}-routing-${++count}`
    const messages = [{ role: 'user', content: prompt }]
    const answer = await fetchWhole(
      `${fleet.url}/v1/chat/completions`,
      { model, messages, max_tokens: 1, ...body },
      { headers: { 'x-request-id': id, ...headers } },
    )
    const requestId = answer.headers['x-request-id']
    const record = await fleet.router.record((line) => line['request_id'] === requestId)
    return {
      status: answer.status,
      worker: String(answer.headers['x-vllm-router-worker']),
      record,
      candidates: (record['candidates'] ?? []) as readonly Candidate[],
    }
  }

  return {
    fleet,
    route,
    async routeMany(many, optionsOf = () => ({})) {
      const workers: string[] = []
      for (let index = 0; index < many; index++) {
        const { status, worker } = await route(optionsOf(index))
        expect(status).toBe(200)
        workers.push(worker)
      }
      return workers
    },
    async occupy(many, { model = 'm', headers = {} } = {}) {
      const before = sum(running())
      const body = { model, messages: [{ role: 'user', content: 'long' }], stream: true }
      const sent: Sent[] = Array.from({ length: many }, () =>
        send(`${fleet.url}/v1/chat/completions`, body, { headers }),
      )
      await until(
        () => sum(running()) === before + many,
        5_000,
        () => `running: ${running().join(', ')}`,
      )
      return {
        async release() {
          for (const { leave } of sent) leave('reset')
          await until(
            () => sum(running()) === before,
            2_000,
            () => `still running: ${running().join(', ')}`,
          )
        },
      }
    },
    running,
  }
}

/** How often each worker occurs. */
export function tally(workers: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const worker of workers) counts[worker] = (counts[worker] ?? 0) + 1
  return counts
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

// What the suites about LMCache share: three workers that report to a control plane, and a router that asks it.

import { afterAll, beforeAll, expect } from 'vitest'
import { startSimulatedController, type StartedController } from '../../src/runtime/node-simulator.ts'
import type { SimulatedControllerOptions } from '../../src/simulator/lmcache/controller-options.ts'
import type { SimulatedWorkerOptions } from '../../src/simulator/options.ts'
import { fetchWhole } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { NAMES, type WorkerName } from './routing-bench.ts'

/** What LMCache cuts prompts into. */
export const CHUNK = 256

export interface Looked {
  readonly status: number
  readonly worker: string
  readonly method: string
  /** As the header has it; `undefined` where it is not there. */
  readonly policy: string
  readonly record: Readonly<Record<string, unknown>>
  /** Outcomes of the steps, by what was asked. */
  readonly steps: Readonly<Record<string, string>>
}

export interface LmcacheBench {
  readonly fleet: LiveFleet<WorkerName>
  readonly controller: () => StartedController
  ask(path: string, body: object, headers?: Readonly<Record<string, string>>): Promise<Looked>
  chat(prompt: string, more?: object): Promise<Looked>
  /** Has a worker compute a prompt, and waits until the control plane knows; resolves with the worker that did. */
  warm(prompt: string): Promise<string>
  /** Requests to the control plane on this path so far. */
  lookups(): number
  /** Questions to workers' tokenizer routes so far. */
  tokenised(): number
}

export interface LmcacheBenchOptions {
  readonly policy?: object
  readonly controller?: SimulatedControllerOptions
  /** More options of each worker. */
  readonly worker?: Partial<SimulatedWorkerOptions>
  readonly type?: 'legacy' | 'coordinator'
  /** More of the configuration. */
  readonly config?: () => object | Promise<object>
}

/** Registers start and end with the enclosing `describe`. */
export function lmcacheBench(runtime: RuntimeName, options: LmcacheBenchOptions = {}): LmcacheBench {
  const { type = 'legacy' } = options
  const path = type === 'legacy' ? '/lookup' : '/directory/lookup'
  let started: StartedController | null = null
  const controller = () => {
    if (started === null) throw new Error('the controller has not been started')
    return started
  }
  beforeAll(async () => {
    started = await startSimulatedController({ port: 0, controlPort: 0, logRequests: 1_000, ...options.controller })
  })
  afterAll(() => started?.close())
  const reporting = {
    models: ['m'],
    lmcacheReportMs: 1,
    apiKey: 'worker-key',
    ...options.worker,
    // Read once the controller has an address.
    get lmcacheController() {
      return controller().url
    },
  }
  const fleet = liveFleet<WorkerName>(runtime, {
    workers: { a: reporting, b: reporting, c: reporting },
    config: async (urls) => ({
      workers: NAMES.map((id) => ({ id, url: urls[id], api_key: 'worker-key', models: ['m'] })),
      policy: {
        type: 'lmcache_aware',
        controller_url: controller().url,
        controller_type: type,
        lookup_mode: 'prefix_lookup',
        // Far more than it takes, also on a machine that is busy with something else.
        lookup_budget_ms: 10_000,
        controller_timeout_ms: 10_000,
        poll_interval_secs: 3_600,
        ...options.policy,
      },
      ...(await options.config?.()),
    }),
  })
  let count = 0

  async function ask(route: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Looked> {
    const id = `${runtime}-lmcache-${type}-${++count}`
    const answer = await fetchWhole(`${fleet.url}${route}`, body, { headers: { 'x-request-id': id, ...headers } })
    const requestId = answer.headers['x-request-id']
    const record = await fleet.router.record((line) => line['request_id'] === requestId)
    const steps = (record['steps'] ?? []) as readonly { readonly step: string; readonly outcome: string }[]
    return {
      status: answer.status,
      worker: String(answer.headers['x-vllm-router-worker']),
      method: String(answer.headers['x-vllm-router-method']),
      policy: String(answer.headers['x-vllm-router-policy']),
      record,
      steps: Object.fromEntries(steps.map(({ step, outcome }) => [step, outcome])),
    }
  }
  const chat = (prompt: string, more: object = {}) =>
    ask('/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: prompt }], max_tokens: 1, ...more })

  return {
    fleet,
    controller,
    ask,
    chat,
    async warm(prompt) {
      const before = sumOf(controller().state().keys)
      const { status, worker } = await chat(prompt)
      expect(status).toBe(200)
      await until(
        () => sumOf(controller().state().keys) > before,
        10_000,
        () => `the controller has ${JSON.stringify(controller().state().keys)}`,
      )
      return worker
    },
    lookups: () =>
      controller()
        .state()
        .requests.filter(({ target }) => target === path).length,
    tokenised: () =>
      NAMES.flatMap((name) => fleet.worker(name).state().requests).filter(({ target }) => target === '/tokenize')
        .length,
  }
}

/** A prompt of at least this many chunks; the same beginning for the same name. */
export function promptOf(name: string, chunks: number): string {
  return Array.from({ length: chunks * CHUNK }, (_, index) => `${name}${index}`).join(' ')
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

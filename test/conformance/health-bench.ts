// What the suites about health share: three workers of one model, a router that operators may ask, and steady traffic.

import { adminClient } from '../support/admin-client.ts'
import { fetchWhole } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import type { SimulatedWorkerOptions } from '../../src/simulator/options.ts'

export type Name = 'a' | 'b' | 'c'

export const NAMES: readonly Name[] = ['a', 'b', 'c']

const CHAT = '/v1/chat/completions'
const ADMIN_KEY = 'operator'

/** What the admin routes show of a worker, as far as these suites look. */
export interface Shown {
  readonly id: string
  readonly availability: string
  readonly reason: string
  readonly share: number
  readonly busy_until: string | null
  readonly load: number
  readonly breaker: { readonly state: string; readonly error_rate: number | null }
  readonly drain: { readonly state: string; readonly in_flight: number; readonly left_running: number | null } | null
}

export interface Asked {
  readonly status: number
  /** Id of the worker that answered or was tried last. */
  readonly worker: string
  readonly attempts: number
  readonly text: string
}

export interface Traffic {
  /** Ends it once what is under way has ended; every answer so far. */
  stop(): Promise<readonly Asked[]>
}

export interface HealthBench {
  readonly fleet: LiveFleet<Name>
  readonly admin: ReturnType<typeof adminClient>
  chat(model?: string, more?: object): Promise<Asked>
  /** `clients` at a time, one request after the other. */
  traffic(clients: number, more?: object): Traffic
  worker(name: Name): Promise<Shown>
  /** Waits until the router says this of a worker; what it asks for meanwhile makes it learn what the fleet knows. */
  untilWorker(name: Name, holds: (shown: Shown) => boolean, limitMs?: number): Promise<Shown>
  /** When records say that an attempt at a worker ended, in milliseconds since the epoch. */
  attemptsAt(name: Name): readonly number[]
}

export interface HealthBenchOptions {
  readonly config?: object
  readonly workers?: Partial<Record<Name, SimulatedWorkerOptions>>
}

/** Registers start and end with the enclosing `describe`. */
export function healthBench(runtime: RuntimeName, { config = {}, workers = {} }: HealthBenchOptions): HealthBench {
  const optionsOf = (name: Name): SimulatedWorkerOptions => ({
    models: ['m', `only-${name}`],
    logRequests: 100_000,
    ...workers[name],
  })
  const fleet = liveFleet<Name>(runtime, {
    workers: { a: optionsOf('a'), b: optionsOf('b'), c: optionsOf('c') },
    config: (urls) => ({
      admin_api_key: ADMIN_KEY,
      workers: NAMES.map((id) => ({ id, url: urls[id] })),
      policy: 'round_robin',
      ...config,
    }),
  })
  const admin = adminClient(() => fleet.url, ADMIN_KEY)

  async function chat(model = 'm', more: object = {}): Promise<Asked> {
    const body = { model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 2, ...more }
    const { status, headers, text } = await fetchWhole(fleet.url + CHAT, body)
    const worker = String(headers['x-vllm-router-worker'])
    return { status, worker, attempts: Number(headers['x-vllm-router-attempts']), text }
  }
  const worker = async (name: Name): Promise<Shown> => (await admin.get(`/workers/${name}`)).json()
  return {
    fleet,
    admin,
    chat,
    worker,
    traffic(clients, more = {}) {
      const answers: Asked[] = []
      let isOver = false
      const client = async () => {
        while (!isOver) answers.push(await chat('m', more))
      }
      const running = Array.from({ length: clients }, client)
      return {
        async stop() {
          isOver = true
          await Promise.all(running)
          return answers
        },
      }
    },
    async untilWorker(name, holds, limitMs = 8_000) {
      let shown = await worker(name)
      await until(
        async () => {
          shown = await worker(name)
          return holds(shown)
        },
        limitMs,
        () => `${name} is ${JSON.stringify(shown)}`,
      )
      return shown
    },
    attemptsAt: (name) =>
      fleet.router
        .records()
        .filter((record) => (record['attempts'] as { worker: string }[]).some(({ worker: id }) => id === name))
        .map(({ timestamp }) => Date.parse(String(timestamp))),
  }
}

// What the suites about client libraries share: a router with keys on both sides, and three workers of one model.

import type { StartedWorker } from '../../src/runtime/node-simulator.ts'
import type { FaultRuleInput } from '../../src/simulator/fault-schema.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

/** The key applications have; workers have another one that never leaves the router. */
export const INBOUND_KEY = 'application-key-1'
const WORKER_KEY = 'worker-key-1'

export const MODEL = 'org/chat'

/** Served by one worker, whose answers take seconds. */
export const SLOW_MODEL = 'org/slow'

type WorkerName = 'a' | 'b' | 'c' | 'slow'

export interface ClientBench {
  readonly fleet: LiveFleet<WorkerName>
  /** The three workers of `MODEL`. */
  workers(): readonly StartedWorker[]
  /** Sets the same faults on all three workers, until the test ends. */
  fail(faults: FaultRuleInput): Promise<void>
  /** Waits until the slow worker has aborted everything it had; rejects after half a second. */
  untilAborted(): Promise<void>
}

/** Registers start and end of its processes with the enclosing `describe`. */
export function clientBench(runtime: RuntimeName): ClientBench {
  const options = { models: [MODEL], apiKey: WORKER_KEY, outputTokens: 8 }
  const fleet = liveFleet<WorkerName>(runtime, {
    workers: {
      a: options,
      b: { ...options, loras: ['org/chat-lora'] },
      c: options,
      slow: { ...options, models: [SLOW_MODEL], outputTokens: 1_000, itlMs: 5 },
    },
    config: (urls) => ({
      workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
      policy: 'round_robin',
      api_key: WORKER_KEY,
      inbound_api_key: INBOUND_KEY,
    }),
  })
  const workers = () => (['a', 'b', 'c'] as const).map((name) => fleet.worker(name))
  return {
    fleet,
    workers,
    async fail(faults) {
      await Promise.all(workers().map((worker) => worker.setFaults(faults)))
    },
    async untilAborted() {
      const state = () => fleet.worker('slow').state()
      await until(
        () => state().running === 0 && state().waiting === 0 && state().aborted > 0,
        500,
        () => `running ${state().running}, aborted ${state().aborted}`,
      )
    },
  }
}

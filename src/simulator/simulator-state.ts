// What a worker tells tests about itself.

import type { WorkerContext } from './exchange.ts'
import type { FaultRule } from './fault-schema.ts'
import type { LoggedRequest } from './request-log.ts'

/** One data-parallel rank. */
export interface RankState {
  readonly running: number
  readonly waiting: number
  readonly promptTokens: number
  readonly generationTokens: number
  readonly prefixCacheQueries: number
  readonly prefixCacheHits: number
  readonly kvCacheUsage: number
}

/** Body of GET /sim/state. */
export interface SimulatorState {
  readonly running: number
  readonly waiting: number
  /** Sequences the engine stopped because the client went, or a fault cut the stream. */
  readonly aborted: number
  readonly finished: { readonly stop: number; readonly length: number; readonly abort: number }
  /** Requests of any kind whose client left before the answer was complete. */
  readonly disconnects: number
  /** Every request but those under /sim. */
  readonly requestsSeen: number
  /** The last of them, oldest first. */
  readonly requests: readonly LoggedRequest[]
  readonly faults: readonly FaultRule[]
  readonly ranks: readonly RankState[]
}

/** A snapshot. */
export function toSimulatorState(worker: WorkerContext): SimulatorState {
  const all = worker.engines.map((engine) => engine.stats)
  const sum = (read: (stats: (typeof all)[number]) => number): number =>
    all.reduce((total, one) => total + read(one), 0)
  const aborted = sum((stats) => stats.finished.abort)
  return {
    running: sum((stats) => stats.running),
    waiting: sum((stats) => stats.waiting),
    aborted,
    finished: {
      stop: sum((stats) => stats.finished.stop),
      length: sum((stats) => stats.finished.length),
      abort: aborted,
    },
    disconnects: worker.log.disconnects,
    requestsSeen: worker.log.seen,
    requests: worker.log.list(worker.sha256),
    faults: worker.faults.rules,
    ranks: worker.engines.map(({ stats, cache }) => ({
      running: stats.running,
      waiting: stats.waiting,
      promptTokens: stats.promptTokens,
      generationTokens: stats.generationTokens,
      prefixCacheQueries: stats.prefixCacheQueries,
      prefixCacheHits: stats.prefixCacheHits,
      kvCacheUsage: cache.usage,
    })),
  }
}

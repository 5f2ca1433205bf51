// The contract for where records of Router Replay are kept. Implementations: replay-memory.ts, replay-redis.ts,
// replay-postgres.ts, replay-bucket.ts, durable-replay.ts with runtime/cloudflare-replay-log.ts. Each keeps the records of a
// decision apart from those of others, no more of them than it is told, and none beyond its time.

import type { ReplayRecord } from '../capture/replay-record.ts'
import type { ReplayBackend } from '../config/router-replay-schema.ts'
import type { DecisionFilters, Position } from './decision-log.ts'

/** How much is kept, and for how long: comes with every write, so that a change of the configuration arrives with it. */
export interface ReplayKeeping {
  /** Of the namespace that is written to. */
  readonly maxRecords: number
  /** Of the records that are written; null to keep them until newer ones take their place. */
  readonly ttlMs: number | null
}

export interface ReplayFilters extends DecisionFilters {
  /** Answers from a cache, or streamed ones. */
  readonly cacheStatus?: 'cached' | 'streamed' | undefined
}

export interface ReplayQuery {
  readonly filters: ReplayFilters
  /** Only what comes after this one in the order of the list; null to begin. */
  readonly after: Position | null
  /** How many of what then comes to leave out. */
  readonly offset: number
  readonly limit: number
}

/** Newest first. */
export interface ReplayPage {
  readonly records: readonly ReplayRecord[]
  /** How many there are, on this page and all others. */
  readonly total: number
  /** Where the next page begins; null when there is none. A page may end early when its records are big. */
  readonly end: Position | null
}

/** Every call may reject: what keeps records can be out of reach. */
export interface ReplayStore {
  readonly backend: ReplayBackend
  /** Resolves once the records are kept. One of a known id takes the other's place. */
  put(namespace: string, records: readonly ReplayRecord[], keeping: ReplayKeeping): Promise<void>
  list(query: ReplayQuery): Promise<ReplayPage>
  find(id: string): Promise<ReplayRecord | null>
  close(): Promise<void>
}

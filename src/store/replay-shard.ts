// What an isolate and the objects of class `ReplayLog` say to each other. Each decision has an object of its own; one more
// knows which there are.

import type { ReplayRecord } from '../capture/replay-record.ts'
import type { ReplayPage, ReplayQuery } from './replay-store.ts'
import type { StoredReplay } from './stored-replay.ts'

export const replayDirectoryName = (pool: string): string => `${pool}/replays`

export const replayShardName = (pool: string, namespace: string): string => `${pool}/replays/${namespace}`

/** The methods of a `ReplayLog` object that others call. */
export interface ReplayShard {
  /** Resolves once the records are on disk, and no more of them than that. */
  put(records: readonly StoredReplay[], maxRecords: number): Promise<void>
  list(query: ReplayQuery): Promise<ReplayPage>
  find(id: string): Promise<ReplayRecord | null>
  /** Of the one that knows the others: notes that there is an object for this namespace. */
  announce(namespace: string): Promise<void>
  namespaces(): Promise<readonly string[]>
}

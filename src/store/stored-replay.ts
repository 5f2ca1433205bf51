// A record as stores outside of this process hold it: its JSON, and beside it what it is found by.

import type { ReplayRecord } from '../capture/replay-record.ts'
import { replayPosition } from './replay-page.ts'
import type { ReplayKeeping } from './replay-store.ts'

export interface StoredReplay {
  readonly id: string
  readonly timeMs: number
  /** From when on nobody may see it; null for never. */
  readonly expiresAtMs: number | null
  readonly text: string
}

export function toStoredReplay(record: ReplayRecord, { ttlMs }: Pick<ReplayKeeping, 'ttlMs'>): StoredReplay {
  const { timeMs, id } = replayPosition(record)
  return { id, timeMs, expiresAtMs: ttlMs === null ? null : timeMs + ttlMs, text: JSON.stringify(record) }
}

/** What `toStoredReplay` has written. */
export function parseReplay(text: string): ReplayRecord {
  return JSON.parse(text) as ReplayRecord // nobody else writes there
}

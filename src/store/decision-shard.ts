// What an isolate and the objects of class `DecisionLog` say to each other.

import { hash64 } from '../routing/hash.ts'
import type { OpenRecord } from '../record/open-record.ts'
import type { ViewDocument } from '../record/view-document.ts'
import type { RecordBatch } from './record-batch.ts'
import type { DecisionLogStatus, DecisionPage, DecisionQuery, ReadableRecord, TimeRange } from './decision-log.ts'

/** Objects that isolates hand their records to, each isolate to one. There may be several such groups. */
export const DECISION_SHARDS = 8

export const decisionShardName = (pool: string, shard: number): string => `${pool}/decisions/${shard}`

/** Which of the objects of the first group keeps the view document of this hash. */
export const viewShardOf = (hash: string): number => Number.parseInt(hash64(hash).slice(-4), 16) % DECISION_SHARDS

/** How an object exports what it holds. Comes with every batch, so that a change of the configuration arrives with it. */
export interface ShardSettings {
  /** What keys of the bucket begin with: empty, or with a `/` at its end. */
  readonly prefix: string
  readonly exportIntervalMs: number
  /** Null to keep everything. */
  readonly retentionMs: number | null
  /** Of this object's share; null for no limit. */
  readonly retentionBytes: number | null
  readonly exportSample: number
}

/** What of the settings for all shards is one shard's. */
export function toShare(settings: ShardSettings, shards: number): ShardSettings {
  const { retentionBytes } = settings
  return { ...settings, retentionBytes: retentionBytes === null ? null : Math.floor(retentionBytes / shards) }
}

/** The methods of a `DecisionLog` object that others call. */
export interface DecisionShard {
  /** Resolves once the records are on disk; one of a known id is kept once. */
  append(batches: readonly RecordBatch[], settings: ShardSettings): Promise<void>
  noteOpen(records: readonly OpenRecord[], settings: ShardSettings): Promise<void>
  putView(hash: string, text: string, settings: ShardSettings): Promise<void>
  query(query: DecisionQuery): Promise<DecisionPage>
  find(id: string): Promise<ReadableRecord | null>
  findView(hash: string): Promise<ViewDocument | null>
  survey(range: TimeRange): Promise<ShardSurvey>
  /** Lines that were not in a segment when the object was surveyed. */
  unexported(part: UnexportedPart): Promise<UnexportedLines>
  status(): Promise<DecisionLogStatus>
}

/** What an object holds of a time range at one moment. */
export interface ShardSurvey {
  readonly segments: readonly { readonly key: string; readonly firstMs: number }[]
  /** Records behind the first number and up to the second are in none of them. */
  readonly exportedThrough: number
  readonly takenThrough: number
}

export interface UnexportedPart {
  readonly range: TimeRange
  readonly after: number
  readonly through: number
}

export interface UnexportedLines {
  readonly lines: readonly string[]
  /** Where the next part begins. */
  readonly after: number
}

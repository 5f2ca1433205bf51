// What is explained: a record as far as it goes, and what is known besides. And the contract of those who explain.

import type { DecisionsConfig } from '../config/decision-config.ts'
import type { RecordedCandidate } from '../record/schema.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import type { ViewDocument } from '../record/view-document.ts'

/** A record of any version, of a request that has ended, is under way, or was never sent. */
export interface ExplainedRecord extends Omit<StoredRecord, 'status' | 'duration_ms' | 'lifecycle_state'> {
  readonly status?: number | undefined
  readonly duration_ms?: number | undefined
  readonly lifecycle_state?: string | undefined
}

/** What a dry run looked at without using it up, and what it left out. */
export interface DryRun {
  /** How the caller was found out; `assumed` where keys are wanted and none was given. */
  readonly caller: 'key' | 'named' | 'assumed' | 'anybody'
  /** Hooks, and services that check keys, that a live request would have been put to. */
  readonly not_asked: readonly string[]
  /** What the tenant's limits leave, as far as it is known here. */
  readonly limits: readonly MeterPeek[]
  /** In words for the caller, when the request would have been refused. */
  readonly message?: string | undefined
}

export interface MeterPeek {
  /** `requests`, `slots` or `tokens`. */
  readonly meter: string
  readonly limit: number
  readonly remaining: number
}

export interface Subject {
  readonly record: ExplainedRecord
  /** What of the fleet changes slowly; null when it is not at hand. */
  readonly view: ViewDocument | null
  /** Null for a request that was really made. */
  readonly dryRun: DryRun | null
  /** The decisions it was made under; absent where they are not at hand. */
  readonly decisions?: DecisionsConfig | null
}

/** Says what it can about one side of a decision, in whole sentences; nothing where there is nothing to say. */
export type Explainer = (subject: Subject) => readonly string[]

/** Whether a response cache had the answer, so that no worker was looked at. */
export function isCacheHit({ method }: ExplainedRecord): boolean {
  return method === 'cache-hit' || method === 'semantic-hit'
}

/** The candidates that could have been chosen, and the one that was. */
export interface Choice {
  readonly record: ExplainedRecord
  readonly chosen: RecordedCandidate
  /** With a score and no veto, in the order of the record; the chosen one is among them. */
  readonly scored: readonly RecordedCandidate[]
  /** How many of them have the chosen one's score. */
  readonly ties: number
}

/** Null when nobody was chosen, or the record doesn't tell among whom. */
export function toChoice(record: ExplainedRecord): Choice | null {
  const { candidates = [], worker } = record
  const scored = candidates.filter(({ score, veto }) => score !== undefined && veto === undefined)
  const chosen = scored.find((candidate) => candidate.worker === worker)
  if (chosen === undefined) return null
  return { record, chosen, scored, ties: scored.filter(({ score }) => score === chosen.score).length }
}

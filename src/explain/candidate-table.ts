// The candidates of a decision as a table: what each scored, of what, and what was known of it.

import { fromRecordedNow, isKnownNow } from '../record/candidate-now.ts'
import type { RecordedCandidate } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import { type ExplainedRecord, toChoice } from './subject.ts'
import { shortVeto } from './veto-words.ts'

/** `not_looked_at`: the policy gave it neither score nor veto. */
export type Standing = 'chosen' | 'eligible' | 'not_looked_at' | 'left_out'

export interface CandidateRow {
  readonly worker: string
  readonly standing: Standing
  /** Why, in a few words. */
  readonly why: string
  readonly score: number | null
  readonly parts: Readonly<Record<string, number>>
  readonly veto: string | null
  readonly note: string | null
  /** Null where the view document is not at hand. */
  readonly weight: number | null
  /** What the decision saw of it; null in records that don't tell. */
  readonly seen: SeenCandidate | null
}

export interface SeenCandidate {
  readonly availability: string
  readonly share: number
  readonly in_flight_here: number
  readonly in_flight_elsewhere: number
  readonly metrics: MetricsSeen | null
}

export interface MetricsSeen {
  readonly running: number
  readonly waiting: number
  readonly kv_usage: number | null
  /** When the decision was made. */
  readonly age_ms: number
}

export interface CandidateTable {
  /** Names of the parts that any score was made of, in order. */
  readonly parts: readonly string[]
  /** The chosen one first, then by score, then those that were left out. */
  readonly rows: readonly CandidateRow[]
  /** Candidates that the record does not list. */
  readonly omitted: number
}

/** Null for a record without candidates. */
export function toTable(record: ExplainedRecord, view: ViewDocument | null): CandidateTable | null {
  const { candidates, candidates_omitted: omitted = 0 } = record
  if (candidates === undefined) return null
  const weights = new Map(view?.candidates.map(({ id, weight }) => [id, weight]))
  const chosen = toChoice(record)?.chosen ?? null
  const rows = candidates.map((candidate) =>
    toRow(record, candidate, { chosen, weight: weights.get(candidate.worker) }),
  )
  const parts = new Set(rows.flatMap((row) => Object.keys(row.parts)))
  return { parts: [...parts], rows: rows.toSorted(inOrder), omitted }
}

interface RowContext {
  readonly chosen: RecordedCandidate | null
  readonly weight: number | undefined
}

function toRow(record: ExplainedRecord, candidate: RecordedCandidate, { chosen, weight }: RowContext): CandidateRow {
  const { worker, score, parts = {}, veto, note } = candidate
  const standing = standingOf(candidate, chosen)
  return {
    worker,
    standing,
    why: whyOf(candidate, standing, chosen),
    score: score ?? null,
    parts,
    veto: veto ?? null,
    note: note ?? null,
    weight: weight ?? null,
    seen: seenOf(record, candidate),
  }
}

function standingOf(candidate: RecordedCandidate, chosen: RecordedCandidate | null): Standing {
  if (candidate.veto !== undefined) return 'left_out'
  if (candidate === chosen) return 'chosen'
  return candidate.score === undefined ? 'not_looked_at' : 'eligible'
}

function whyOf({ veto, note, score }: RecordedCandidate, standing: Standing, chosen: RecordedCandidate | null): string {
  const remark = note === undefined ? '' : ` (${note})`
  switch (standing) {
    case 'left_out':
      return `left out: ${shortVeto(veto ?? '')}`
    case 'chosen':
      return `chosen${remark}`
    case 'not_looked_at':
      return `not looked at${remark}`
    case 'eligible':
      return `${chosen !== null && score === chosen.score ? 'as good; the draw decided' : 'not the best'}${remark}`
  }
}

function seenOf({ view }: ExplainedRecord, { now }: RecordedCandidate): SeenCandidate | null {
  // Before version 4 nothing of it was kept; since then, what is as usual is left out.
  if (view === undefined || !isKnownNow(now ?? 0)) return null
  const { availability, share, inFlightHere, inFlightElsewhere, scraped } = fromRecordedNow(now ?? 0)
  return {
    availability,
    share,
    in_flight_here: inFlightHere,
    in_flight_elsewhere: inFlightElsewhere,
    metrics:
      scraped === null
        ? null
        : {
            running: scraped.running,
            waiting: scraped.waiting,
            kv_usage: scraped.kvUsage,
            age_ms: scraped.ageMs + view.age_ms,
          },
  }
}

const ORDER: Readonly<Record<Standing, number>> = { chosen: 0, eligible: 1, not_looked_at: 2, left_out: 3 }

/** Stable: what is equal stays in the order of the view. */
function inOrder(one: CandidateRow, other: CandidateRow): number {
  if (one.standing !== other.standing) return ORDER[one.standing] - ORDER[other.standing]
  return (other.score ?? Number.NEGATIVE_INFINITY) - (one.score ?? Number.NEGATIVE_INFINITY) || 0
}

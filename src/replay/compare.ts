// What a request came to, beside what it would have come to.

import type { StoredRecord } from '../record/stored-record.ts'
import type { Assumption, Cause, Outcome } from './outcome.ts'
import type { Document, Redecider } from './redecide.ts'

export type Verdict = 'same' | 'different' | 'newly_refused' | 'newly_served' | 'neither' | 'not_comparable'

export interface Comparison {
  readonly verdict: Verdict
  /** Null for what did not change. */
  readonly cause: Cause | null
  /** Why it is not comparable; null when it is. */
  readonly why: string | null
  /** Workers; null where there was none. Both are null for what is not comparable. */
  readonly before: string | null
  readonly after: string | null
  readonly assumed: readonly Assumption[]
}

/** What the record says of itself. */
export function recordedOutcome(record: StoredRecord): Outcome {
  const { worker, model = null, candidates } = record
  if (worker !== undefined) return { kind: 'worker', worker, model, assumed: NOTHING }
  return candidates === undefined ? { kind: 'ended' } : { kind: 'refused', model, cause: null }
}

export interface Sides {
  readonly before: Outcome
  readonly after: Outcome
}

export function compare(record: StoredRecord, document: Document, sides: Sides, redecider: Redecider): Comparison {
  const { before, after } = sides
  if (before.kind === 'unknown') return notComparable(before)
  if (after.kind === 'unknown') return notComparable(after)
  const [from, to] = [workerOf(before), workerOf(after)]
  const verdict = verdictOf(from, to)
  const isChanged = verdict !== 'same' && verdict !== 'neither'
  const cause = isChanged ? causeOf(record, document, sides, redecider) : null
  return { verdict, cause, why: null, before: from, after: to, assumed: assumedBy(before, after) }
}

function verdictOf(before: string | null, after: string | null): Verdict {
  if (before === null) return after === null ? 'neither' : 'newly_served'
  if (after === null) return 'newly_refused'
  return before === after ? 'same' : 'different'
}

function causeOf(record: StoredRecord, document: Document, { before, after }: Sides, redecider: Redecider): Cause {
  if (after.kind === 'refused' && after.cause !== null) return after.cause
  const model = modelOf(before)
  if (modelOf(after) !== model) return 'rule'
  const amongThose = redecider.decideAmongThose(record, document, model)
  return amongThose !== null && workerOf(amongThose) === workerOf(before) ? 'workers' : 'policy'
}

function notComparable({ cause, why }: Extract<Outcome, { readonly kind: 'unknown' }>): Comparison {
  return { verdict: 'not_comparable', cause, why, before: null, after: null, assumed: NOTHING }
}

function workerOf(outcome: Outcome): string | null {
  return outcome.kind === 'worker' ? outcome.worker : null
}

function modelOf(outcome: Outcome): string | null {
  return outcome.kind === 'worker' || outcome.kind === 'refused' ? outcome.model : null
}

function assumedBy(before: Outcome, after: Outcome): readonly Assumption[] {
  const one = before.kind === 'worker' ? before.assumed : NOTHING
  const other = after.kind === 'worker' ? after.assumed : NOTHING
  if (one.length === 0) return other
  return [...new Set([...one, ...other])]
}

const NOTHING: readonly Assumption[] = []

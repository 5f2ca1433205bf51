// The candidates of a decision as a record lists them: all of a small fleet, of a large one those that the policy looked
// at, and of the rest only what a second decision needs.

import { type Decision, type FleetView, type ScoredCandidate, VETO } from '../routing/decide.ts'
import { toRecordedNow } from './candidate-now.ts'
import { MAX_RECORDED_CANDIDATES } from './format.ts'
import type { DecisionRecord, RecordedCandidate } from './schema.ts'

export type RecordedCandidates = Pick<DecisionRecord, 'candidates' | 'candidates_omitted' | 'others'>

/** `decision` was made on `view`. */
export function toRecordedCandidates(decision: Decision, view: Pick<FleetView, 'candidates'>): RecordedCandidates {
  const { candidates: scored } = decision
  if (scored.length <= MAX_RECORDED_CANDIDATES) {
    return { candidates: scored.map((candidate, at) => toRecorded(candidate, view, at)) }
  }
  const listed = listedOf(decision)
  const candidates: RecordedCandidate[] = []
  const others: NonNullable<RecordedCandidates['others']>[number][] = []
  scored.forEach((candidate, at) => {
    if (listed.has(candidate.id)) candidates.push(toRecorded(candidate, view, at))
    else others.push(nowOf(view, at) ?? 0)
  })
  const omitted = others.length
  while (others.at(-1) === 0) others.pop()
  return {
    candidates,
    candidates_omitted: omitted === 0 ? undefined : omitted,
    others: others.length === 0 ? undefined : others,
  }
}

function toRecorded(
  { id, score, parts, veto, note }: ScoredCandidate,
  view: Pick<FleetView, 'candidates'>,
  at: number,
): RecordedCandidate {
  return {
    worker: id,
    score: score ?? undefined,
    parts: toRecordedParts(parts),
    veto: veto ?? undefined,
    note,
    now: nowOf(view, at),
  }
}

/** Undefined for none. A policy may be somebody's JavaScript: what is no number can't be written. */
function toRecordedParts(parts: ScoredCandidate['parts']): ScoredCandidate['parts'] | undefined {
  const values = Object.values(parts)
  if (values.length === 0) return undefined
  if (values.every(Number.isFinite)) return parts
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => Number.isFinite(value)))
}

function nowOf({ candidates }: Pick<FleetView, 'candidates'>, at: number) {
  const candidate = candidates[at]
  return candidate === undefined ? undefined : toRecordedNow(candidate)
}

/** The ids to list of a large fleet: the chosen one, and the best of those that the policy looked at. */
function listedOf({ candidates, chosen }: Decision): ReadonlySet<string> {
  const looked = candidates.filter(isLookedAt)
  const best = looked.length <= MAX_RECORDED_CANDIDATES ? looked : bestOf(looked)
  const ids = new Set(chosen === null ? [] : [chosen.id])
  for (const { id } of best) if (ids.size < MAX_RECORDED_CANDIDATES) ids.add(id)
  return ids
}

/** The best, and those as good as the last of them. */
function bestOf(candidates: readonly ScoredCandidate[]): readonly ScoredCandidate[] {
  const least = leastOfBest(candidates.map(rankOf), MAX_RECORDED_CANDIDATES)
  return candidates.filter((candidate) => rankOf(candidate) >= least)
}

/** The least of the `count` highest; sorting all of a large fleet for them would cost more than its decision. */
function leastOfBest(ranks: readonly number[], count: number): number {
  const best = new Float64Array(count).fill(-Infinity)
  for (const rank of ranks) {
    if (rank <= (best[0] ?? 0)) continue
    let at = 1
    for (; at < count && (best[at] ?? 0) < rank; at += 1) best[at - 1] = best[at] ?? 0
    best[at - 1] = rank
  }
  return best[0] ?? -Infinity
}

/** Those that the policy left out come after those it could have chosen. */
function rankOf({ score, veto }: ScoredCandidate): number {
  return score === null || veto !== null ? -Infinity : score
}

const OUR_VETOES: ReadonlySet<string> = new Set(Object.values(VETO))

function isLookedAt({ score, veto }: ScoredCandidate): boolean {
  return score !== null || (veto !== null && !OUR_VETOES.has(veto))
}

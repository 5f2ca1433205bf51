// A view of the fleet as JSON can hold it: what a record stores, and what replay decides on again.

import type { FleetView } from './decide.ts'
import type { CandidateView } from './policy.ts'

export interface PlainCandidate extends Omit<CandidateView, 'models'> {
  /** Sorted, so that the same fleet has the same bytes. */
  readonly models: readonly string[] | null
}

export interface PlainView extends Omit<FleetView, 'candidates'> {
  readonly candidates: readonly PlainCandidate[]
}

/** The view with lists for sets. `decide` gives the same decision for `fromPlainView` of it. */
export function toPlainView(view: FleetView): PlainView {
  return {
    ...view,
    candidates: view.candidates.map((candidate) => ({
      ...candidate,
      models: candidate.models === null ? null : [...candidate.models].sort(),
    })),
  }
}

/** The view that `toPlainView` was given, also after a passage through JSON. */
export function fromPlainView(plain: PlainView): FleetView {
  return {
    ...plain,
    candidates: plain.candidates.map((candidate) => ({
      ...candidate,
      models: candidate.models === null ? null : new Set(candidate.models),
    })),
  }
}

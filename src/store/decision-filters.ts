// Whether a record is one that a reader asked for: the same answer in every store.

import type { DecisionFilters } from './decision-log.ts'

/** What filters look at. Every record has these fields under these names; an index keeps them apart from the rest. */
export interface DecisionFacets {
  readonly decision_id?: string | null | undefined
  readonly request_id?: string | null | undefined
  readonly session_id?: string | null | undefined
  readonly model?: string | null | undefined
  readonly original_model?: string | null | undefined
  readonly worker?: string | null | undefined
  readonly tenant?: string | null | undefined
  readonly policy?: string | null | undefined
  readonly method?: string | null | undefined
  readonly status?: number | null | undefined
  readonly decision?: string | null | undefined
  readonly error?: string | null | undefined
}

/** All but the time, which stores find records by. */
export function matches(filters: DecisionFilters, facets: DecisionFacets): boolean {
  const { worker, model, status, text } = filters
  return (
    isWanted(filters.tenant, facets.tenant) &&
    isWanted(filters.policy, facets.policy) &&
    isWanted(filters.method, facets.method) &&
    isWanted(filters.decision, facets.decision) &&
    isWanted(filters.sessionId, facets.session_id) &&
    (worker === undefined || isWorker(worker, facets.worker)) &&
    (model === undefined || facets.model === model || facets.original_model === model) &&
    (status === undefined || isBetween(status, facets.status)) &&
    (text === undefined || holdsText(text.toLowerCase(), facets))
  )
}

export function isInTime({ sinceMs, untilMs }: DecisionFilters, timeMs: number): boolean {
  return (sinceMs === undefined || timeMs >= sinceMs) && (untilMs === undefined || timeMs < untilMs)
}

/** Whether every record is wanted, as far as `matches` says. */
export function wantsAll({ sinceMs: _since, untilMs: _until, ...rest }: DecisionFilters): boolean {
  return Object.values(rest).every((filter) => filter === undefined)
}

function isWanted(wanted: string | undefined, value: string | null | undefined): boolean {
  return wanted === undefined || wanted === value
}

function isWorker(wanted: string, worker: string | null | undefined): boolean {
  // Ids hold no `@`: what follows one is the rank.
  return worker === wanted || (worker?.startsWith(`${wanted}@`) ?? false)
}

function isBetween({ from, to }: NonNullable<DecisionFilters['status']>, status: number | null | undefined): boolean {
  return typeof status === 'number' && status >= from && status <= to
}

function holdsText(lowerCase: string, facets: DecisionFacets): boolean {
  const { decision_id: id, request_id: requestId, session_id: session, model, original_model: asked } = facets
  const { worker, error } = facets
  return [id, requestId, session, model, asked, worker, error].some(
    (value) => value?.toLowerCase().includes(lowerCase) ?? false,
  )
}

// A recorded decision's input and view, put together again so that `decide` can be asked once more.

import { type DecisionInput, type FleetView, VETO } from '../routing/decide.ts'
import type { CandidateView } from '../routing/policy.ts'
import type { ClusterFact } from '../routing/semantic-cluster.ts'
import { type FastFacts, fromRecordedNow, isKnownNow } from './candidate-now.ts'
import type { RecordedCandidate, RecordedNow } from './schema.ts'
import type { StoredRecord } from './stored-record.ts'
import type { SlowCandidate } from './view-document.ts'

/** What a request offered when its last decision was made. */
export function toDecisionInput(record: StoredRecord): DecisionInput {
  return {
    model: record.model ?? null,
    affinity: record.affinity ?? null,
    ticket: record.ticket ?? null,
    prefix: toPrefixFact(record),
    lmcache: toLmcacheFact(record),
    cluster: toClusterFact(record),
    tried: record.tried ?? [],
    pinnedWorkerId: record.pinned ?? null,
  }
}

function toPrefixFact({ prefix }: StoredRecord): DecisionInput['prefix'] {
  if (prefix === undefined) return null
  const { prompt_tokens: promptTokens, cached = NONE, backlog = NONE, prefill_ms_per_token: prefillMsPerToken } = prefix
  return { promptTokens, cachedTokens: cached, backlogTokens: backlog, prefillMsPerToken }
}

function toLmcacheFact({ lmcache }: StoredRecord): DecisionInput['lmcache'] {
  if (lmcache === undefined) return null
  return {
    matchedTokens: lmcache.matched ?? null,
    promptTokens: lmcache.prompt_tokens ?? null,
    chunkCounts: lmcache.chunks ?? null,
    prefillMsPerToken: lmcache.prefill_ms_per_token,
  }
}

function toClusterFact({ clusters }: StoredRecord): ClusterFact | null {
  if (clusters === undefined) return null
  const ranked = clusters.ranked.map(({ name, similarity, workers = [], labels = null }) => {
    return { name, similarity, workers, labels }
  })
  return { threshold: clusters.threshold, basis: clusters.basis, ranked }
}

const NONE: Readonly<Record<string, number>> = Object.freeze({})

/** What is known of the candidates besides the record. At least one of them is needed. */
export interface ViewSources {
  /** What the view document of the record says (`fromViewDocument`); null when it is not at hand. */
  readonly document: readonly SlowCandidate[] | null
  /** The candidates of a configuration (`candidatesOf`), to decide among instead; null for those of the document. */
  readonly configured: readonly SlowCandidate[] | null
}

export type RebuiltView =
  | {
      readonly kind: 'view'
      readonly view: FleetView
      /** Candidates that the record knows nothing of: in the view they are idle, and nobody has asked them yet. */
      readonly newcomers: readonly string[]
    }
  /** Why the view can't be had, in words for a report. */
  | { readonly kind: 'missing'; readonly why: string }

/** The view that a record was decided on, or the same moment with the candidates of a configuration. */
export function toFleetView(record: StoredRecord, { document, configured }: ViewSources): RebuiltView {
  const { candidates: listed, candidates_omitted: omitted = 0, view } = record
  if (listed === undefined || view === undefined) return missing('the record has no candidates')
  const known = configured ?? document
  if (known === null) return missing('its view document is not at hand')
  const find = omitted === 0 ? createFinder(listed) : createFullFinder(record, listed, document)
  if (find === null) return missing('it does not list all candidates, and its view document is not at hand')
  const candidates: CandidateView[] = []
  const newcomers: string[] = []
  for (const slow of known) {
    const now = find(slow.id)
    if (now === null) newcomers.push(slow.id)
    else if (!isKnownNow(now)) return missing(`\`${slow.id}\` was in a state that this version does not know`)
    candidates.push({ ...slow, ...(now === null ? NEWCOMER : fromRecordedNow(now)) })
  }
  return { kind: 'view', view: { source: view.source, ageMs: view.age_ms, candidates }, newcomers }
}

/**
 * The same candidates with models where a configuration leaves them to the workers, as far as the record tells: one that
 * was left out for its model does not serve it, and one that was not does.
 */
export function withRecordedModels(known: readonly SlowCandidate[], record: StoredRecord): readonly SlowCandidate[] {
  const { model, candidates: listed = [] } = record
  if (model === undefined || known.every(({ models }) => models !== null)) return known
  const byId = new Map(listed.map((candidate) => [candidate.worker, candidate]))
  return known.map((slow) => {
    const candidate = byId.get(slow.id)
    return slow.models === null && candidate !== undefined ? { ...slow, models: modelsBehind(candidate, model) } : slow
  })
}

function modelsBehind({ veto }: RecordedCandidate, model: string): ReadonlySet<string> | null {
  if (veto === VETO.modelsUnknown) return null
  return new Set(veto === VETO.wrongModel ? [] : [model])
}

const NEWCOMER: FastFacts = { ...fromRecordedNow(0), availability: 'unknown' }

/** Finds what a record says of a candidate; null for one it does not know. */
type Finder = (id: string) => RecordedNow | 0 | null

function createFinder(listed: readonly RecordedCandidate[]): Finder {
  let byId: ReadonlyMap<string, RecordedCandidate> | null = null
  let at = 0
  return (id) => {
    // As a rule they are asked for in the order they are listed in, and no map is needed.
    const next = listed[at]
    if (byId === null && next?.worker === id) {
      at += 1
      return next.now ?? 0
    }
    byId ??= new Map(listed.map((candidate) => [candidate.worker, candidate]))
    const found = byId.get(id)
    return found === undefined ? null : (found.now ?? 0)
  }
}

/** Where some are not listed, the document tells whose turn it is in `others`. Null without the right one. */
function createFullFinder(
  { others = [], candidates_omitted: omitted = 0 }: StoredRecord,
  listed: readonly RecordedCandidate[],
  document: readonly SlowCandidate[] | null,
): Finder | null {
  const byId = new Map<string, RecordedNow | 0>(listed.map(({ worker, now }) => [worker, now ?? 0]))
  let skipped = 0
  for (const { id } of document ?? []) if (!byId.has(id)) byId.set(id, others[skipped++] ?? 0)
  return skipped === omitted ? (id) => byId.get(id) ?? null : null
}

function missing(why: string): RebuiltView {
  return { kind: 'missing', why }
}

// What of a fleet changes slowly, as a document of its own: stored once, and named by its hash in every record that was
// decided on it.

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import * as z from 'zod'
import type { WorkerConfig } from '../config/config.ts'
import type { CandidateView } from '../routing/policy.ts'

/** A candidate without what changes from one request to the next. */
export type SlowCandidate = Pick<CandidateView, 'id' | 'workerId' | 'rank' | 'weight' | 'labels' | 'models'>

const documentCandidate = z.object({
  id: z.string(),
  worker_id: z.string(),
  rank: z.int().min(0).nullable(),
  weight: z.number(),
  labels: z.record(z.string(), z.string()),
  /** Sorted; null when nobody knew them. */
  models: z.array(z.string()).nullable(),
})

export const viewDocumentSchema = z.object({
  /** First 16 hexadecimal digits of the SHA-256 of the JSON of `candidates`, its keys in the order they have here. */
  view_hash: z.string().regex(/^[0-9a-f]{16}$/),
  /** In the order of the view, which policies may depend on. */
  candidates: z.array(documentCandidate),
})

export type ViewDocument = Readonly<z.output<typeof viewDocumentSchema>>

/** The document of a view's candidates. Equal fleets have equal documents, to the byte. */
export function toViewDocument({ candidates }: { readonly candidates: readonly SlowCandidate[] }): ViewDocument {
  const listed = candidates.map(({ id, workerId, rank, weight, labels, models }) => ({
    id,
    worker_id: workerId,
    rank,
    weight,
    labels: Object.fromEntries(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1))),
    models: models === null ? null : [...models].sort(),
  }))
  return { view_hash: hashOf(listed), candidates: listed }
}

/** The candidates that `toViewDocument` was given. */
export function fromViewDocument({ candidates }: ViewDocument): readonly SlowCandidate[] {
  return candidates.map(({ id, worker_id: workerId, rank, weight, labels, models }) => ({
    id,
    workerId,
    rank,
    weight,
    labels,
    models: models === null ? null : new Set(models),
  }))
}

/** The candidates that a configuration makes of its workers, in the order of its views. */
export function candidatesOf(workers: readonly WorkerConfig[]): readonly SlowCandidate[] {
  return workers.flatMap(({ id, weight, labels, models, dataParallelSize: ranks }): SlowCandidate[] => {
    const shared = { workerId: id, weight, labels, models: models === null ? null : new Set(models) }
    if (ranks === 1) return [{ id, rank: null, ...shared }]
    return Array.from({ length: ranks }, (_, rank) => ({ id: `${id}@${rank}`, rank, ...shared }))
  })
}

/** Whether a document that was stored is still the one its hash names. */
export function isIntact({ view_hash: hash, candidates }: ViewDocument): boolean {
  return hashOf(candidates) === hash
}

function hashOf(candidates: ViewDocument['candidates']): string {
  return bytesToHex(sha256(utf8ToBytes(JSON.stringify(candidates)))).slice(0, 16)
}

/** The documents of a router's views: the same one for as long as a fleet stays what it is. */
export interface ViewDocuments {
  of(view: { readonly candidates: readonly SlowCandidate[] }): ViewDocument
}

/** Remembers the last fleet, so that a request costs a comparison and no hash. */
export function createViewDocuments(): ViewDocuments {
  let known: readonly SlowCandidate[] = []
  let document = toViewDocument({ candidates: known })
  return {
    of({ candidates }) {
      if (areSame(candidates, known)) return document
      known = candidates
      const fresh = toViewDocument({ candidates })
      // A fleet joined anew is equal more often than not; whoever keeps documents then meets the one it has.
      if (fresh.view_hash !== document.view_hash) document = fresh
      return document
    },
  }
}

/** Labels and models are compared by identity: a fleet makes them anew when it may have changed, not for a request. */
function areSame(some: readonly SlowCandidate[], others: readonly SlowCandidate[]): boolean {
  if (some.length !== others.length) return false
  for (let at = 0; at < some.length; at += 1) {
    const one = some[at]
    const other = others[at]
    if (one === other) continue
    if (one?.id !== other?.id || one?.models !== other?.models || one?.labels !== other?.labels) return false
    if (one?.weight !== other?.weight || one?.rank !== other?.rank || one?.workerId !== other?.workerId) return false
  }
  return true
}

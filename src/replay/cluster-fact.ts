// How near a recorded request was to the clusters of a configuration: as the record says, where both mean the same examples.

import type { SemanticClusterConfig } from '../config/config.ts'
import { toDecisionInput } from '../record/fleet-view.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import type { ClusterFact } from '../routing/semantic-cluster.ts'

export type KnownClusters =
  | { readonly kind: 'known'; readonly cluster: ClusterFact | null }
  | { readonly kind: 'missing'; readonly why: string }

const NONE: KnownClusters = { kind: 'known', cluster: null }

/** `isOwn`: the record was made under this very configuration, and what it does not say nobody knew then. */
export function clustersFor(record: StoredRecord, config: SemanticClusterConfig | null, isOwn: boolean): KnownClusters {
  if (config === null || record.pinned !== undefined) return NONE
  const recorded = toDecisionInput(record).cluster ?? null
  if (isOwn) return { kind: 'known', cluster: recorded }
  if (recorded === null) return { kind: 'missing', why: 'it does not say how near its text was to the clusters' }
  if (recorded.basis !== config.basis) {
    return {
      kind: 'missing',
      why: 'its text was compared with examples, or by a model, that this configuration has not',
    }
  }
  // Who belongs to a cluster, and what is near enough, may have changed: that is what replay can tell.
  const members = new Map(config.clusters.map((cluster) => [cluster.name, cluster]))
  const ranked = recorded.ranked.map(({ name, similarity }) => {
    const { workers = [], labels = null } = members.get(name) ?? {}
    return { name, similarity, workers, labels }
  })
  return { kind: 'known', cluster: { threshold: config.threshold, basis: config.basis, ranked } }
}

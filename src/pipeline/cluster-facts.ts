// Which clusters a request's text is near, found out before the decision. Whatever can't be found out in time is not
// known, and the request is routed as if there were no clusters.

import { judgedPart } from '../routing/judged-part.ts'
import { type ClusterFact, rankClusters } from '../routing/semantic-cluster.ts'
import type { ClusterIndex } from './cluster-index.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { SPAN_ROUTING_CLUSTER } from '../tracing/span-names.ts'
import { embedRequestText, type EmbeddingParts } from './request-embedding.ts'
import { toRequestView } from './request-view.ts'
import { endSpan } from './step.ts'
import { beginStage } from './tracing.ts'

export interface ClusterParts extends EmbeddingParts {
  /** Null where there are no clusters. */
  readonly clusters: ClusterIndex | null
}

/** Never rejects for what a server does; null when nothing is known. */
export async function gatherClusterFact(
  parts: ClusterParts,
  exchange: Exchange,
  request: Pick<InferenceRequest, 'json' | 'headers' | 'signal' | 'pinnedWorkerId'>,
): Promise<ClusterFact | null> {
  const { clusters } = parts
  const { semanticCluster: config } = exchange.config
  if (clusters === null || config === null || request.json === null || request.pinnedWorkerId !== null) return null
  // The same text that signals are read from, so that one vector serves both.
  const { text } = toRequestView(exchange, request)
  if (text.trim() === '') return null
  const { server, timeoutMs: budgetMs } = config
  const { waitUntil } = exchange.context
  const span = beginStage(exchange, SPAN_ROUTING_CLUSTER)
  // Side by side: an isolate that has just started needs both.
  const [centroids, embedded] = await Promise.all([
    clusters.centroids({ waitUntil, budgetMs }),
    embedRequestText(parts, exchange, {
      server,
      text: judgedPart(text),
      budgetMs,
      signal: request.signal,
      below: span,
    }),
  ])
  if (embedded.kind === 'failure') {
    endSpan(span, embedded.reason)
    return null
  }
  const ranked = centroids === null ? null : rankClusters(embedded.vector, centroids)
  if (ranked === null) {
    if (centroids !== null) clusters.dropFor(embedded.vector.length)
    const outcome = centroids === null ? 'not_ready' : 'dimension_mismatch'
    exchange.steps.push({ step: 'clusters', outcome, ms: 0 })
    endSpan(span, outcome)
    return null
  }
  const [nearest] = ranked
  const isNear = nearest !== undefined && nearest.similarity >= config.threshold
  endSpan(span, isNear ? 'ok' : 'below_threshold', {
    'routing.cluster': isNear ? nearest.name : null,
    'routing.similarity': nearest?.similarity,
  })
  const members = new Map(config.clusters.map((cluster) => [cluster.name, cluster]))
  return {
    threshold: config.threshold,
    basis: config.basis,
    ranked: ranked.map(({ name, similarity }) => {
      const { workers = [], labels = null } = members.get(name) ?? {}
      return { name, similarity, workers, labels }
    }),
  }
}

// `embedding`: how near what is asked is to the candidates of a rule.

import { cosine } from '../semantic-cluster.ts'
import type { SignalOutcome } from './signal.ts'

export interface EmbeddingRule {
  readonly name: string
  /** From this similarity up the rule matches. */
  readonly threshold: number
  readonly candidates: readonly string[]
  /** `mean` is over all candidates; `max` and `any` are the nearest. */
  readonly aggregation_method: 'mean' | 'max' | 'any'
}

/** `vectors` has a vector for each candidate that the server took. All are at length one. */
export function embeddingOutcome(
  rule: EmbeddingRule,
  query: Float32Array,
  vectors: ReadonlyMap<string, Float32Array>,
): SignalOutcome {
  const similarities: number[] = []
  for (const candidate of rule.candidates) {
    const vector = vectors.get(candidate)
    if (vector === undefined) continue
    const similarity = cosine(query, vector)
    if (similarity === null) return { kind: 'unknown', because: 'dimension_mismatch' }
    similarities.push(similarity)
  }
  if (similarities.length === 0) return { kind: 'unknown', because: 'no_candidates' }
  const score = rounded(aggregate(similarities, rule.aggregation_method))
  const confidence = Math.max(0, Math.min(1, score))
  const because = `similarity ${score}, ${rule.threshold} is enough`
  return { kind: score >= rule.threshold ? 'matched' : 'not_matched', confidence, because }
}

function aggregate(similarities: readonly number[], method: EmbeddingRule['aggregation_method']): number {
  if (method !== 'mean') return Math.max(...similarities)
  return similarities.reduce((sum, similarity) => sum + similarity, 0) / similarities.length
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6
}

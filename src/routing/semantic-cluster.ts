// Clusters of workers for kinds of requests: how near a request's text is to the examples of each, and which of them
// takes it. Vectors are at length one throughout, so that a product is a cosine.

import type { CandidateView } from './policy.ts'
import { type Ruling, VETO } from './ruling.ts'

/** Who belongs to a cluster: the workers listed, and those that have every one of the labels. */
export interface ClusterMembers {
  readonly workers: readonly string[]
  /** Null for none, not for everybody. */
  readonly labels: Readonly<Record<string, string>> | null
}

export interface RankedCluster extends ClusterMembers {
  readonly name: string
  /** Cosine of the request's text and the cluster's examples, six decimals. */
  readonly similarity: number
}

/** What a decision can know of the clusters: plain values, which are recorded and decided on again. */
export interface ClusterFact {
  /** From here up a cluster is near enough. */
  readonly threshold: number
  /** Stands for the model and the examples that the similarities come from. */
  readonly basis: string
  /** The nearest clusters, best first. */
  readonly ranked: readonly RankedCluster[]
}

export interface ClusterCentroid {
  readonly name: string
  readonly vector: Float32Array
}

/** Clusters that a fact lists at most: nobody gets to the ninth because eight have no worker. */
const MAX_RANKED = 8

/** The mean of the vectors, at length one; null when there are none, or they cancel each other out. */
export function centroidOf(vectors: readonly Float32Array[]): Float32Array | null {
  const [first] = vectors
  if (first === undefined) return null
  const sum = new Float64Array(first.length)
  for (const vector of vectors) for (const [at, value] of vector.entries()) sum[at] = (sum[at] ?? 0) + value
  const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0))
  return length > 1e-9 ? Float32Array.from(sum, (value) => value / length) : null
}

/** Cosine of two unit vectors; null when they have not the same length. */
export function cosine(left: Float32Array, right: Float32Array): number | null {
  if (left.length !== right.length) return null
  let product = 0
  for (let at = 0; at < left.length; at += 1) product += (left[at] ?? 0) * (right[at] ?? 0)
  return product
}

/** The nearest first; equals in the order given. Null when a length differs, since then nothing can be compared. */
export function rankClusters(
  query: Float32Array,
  centroids: readonly ClusterCentroid[],
): readonly { readonly name: string; readonly similarity: number }[] | null {
  const ranked: { name: string; similarity: number }[] = []
  for (const { name, vector } of centroids) {
    const similarity = cosine(query, vector)
    if (similarity === null) return null
    ranked.push({ name, similarity: Math.round(similarity * 1e6) / 1e6 })
  }
  return ranked.sort((one, other) => other.similarity - one.similarity).slice(0, MAX_RANKED)
}

/** A ruling within one cluster, and which. */
export interface ClusterRuling {
  readonly ruling: Ruling
  /** Null when no cluster is near enough and has somebody. */
  readonly cluster: string | null
}

/** Leaves out who is not in the nearest cluster that has somebody; nobody, when none of those near enough has. */
export function ruleByCluster(
  ruling: Ruling,
  candidates: readonly CandidateView[],
  fact: ClusterFact | null,
): ClusterRuling {
  const taking = fact === null ? undefined : clusterThatTakes(fact, ruling.eligible)
  if (taking === undefined) return { ruling, cluster: null }
  const vetoes = ruling.vetoes.map((veto, at) => {
    const candidate = candidates[at]
    return veto === null && candidate !== undefined && !isMember(candidate, taking) ? VETO.otherCluster : veto
  })
  const notes = new Map([...ruling.notes].filter(([at]) => vetoes[at] === null))
  const eligible = ruling.eligible.filter((candidate) => isMember(candidate, taking))
  return { ruling: { ...ruling, vetoes, notes, eligible }, cluster: taking.name }
}

function clusterThatTakes({ ranked, threshold }: ClusterFact, eligible: readonly CandidateView[]) {
  return ranked.find((cluster) => {
    return cluster.similarity >= threshold && eligible.some((candidate) => isMember(candidate, cluster))
  })
}

function isMember({ workerId, labels }: CandidateView, cluster: ClusterMembers): boolean {
  if (cluster.workers.includes(workerId)) return true
  const wanted = Object.entries(cluster.labels ?? {})
  return wanted.length > 0 && wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value)
}

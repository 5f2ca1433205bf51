// What is known of the clusters of one configuration: centroids of their examples, computed once, and how asking for
// vectors goes.

import { equalSettings } from '../secret.ts'
import type { SemanticClusterConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import { centroidOf, type ClusterCentroid } from '../routing/semantic-cluster.ts'
import type { Embedders } from '../upstream/embedders.ts'
import type { VectorKeeper } from './vector-keeper.ts'
import {
  type EnsureOptions,
  ReferenceShelf,
  type ReferenceStatus,
  type ReferenceVectors,
} from '../upstream/reference-vectors.ts'

/** A change of state that operators should know of. `why` holds no address and no text of a request. */
export interface ReferenceChange {
  /** Section of the configuration that the texts are from. */
  readonly of: string
  readonly status: ReferenceStatus
}

export interface ClusterIndexOptions {
  readonly platform: Pick<Platform, 'now' | 'after' | 'wakesAcrossRequests'>
  readonly embedders: Embedders
  readonly vectorKeeper: VectorKeeper
  onChange(change: ReferenceChange): void
}

export class ClusterIndex {
  readonly #config: SemanticClusterConfig
  readonly #shelf: ReferenceShelf
  #centroids: { readonly of: ReferenceVectors; readonly list: readonly ClusterCentroid[] } | null = null

  constructor(config: SemanticClusterConfig, { platform, embedders, vectorKeeper, onChange }: ClusterIndexOptions) {
    this.#config = config
    const texts = [...new Set(config.clusters.flatMap(({ examples }) => examples))]
    this.#shelf = new ReferenceShelf({
      texts,
      embedder: embedders.of(config.server),
      kept: vectorKeeper.of(config.server),
      platform,
      onChange: (status) => onChange({ of: 'semantic_cluster', status }),
    })
  }

  status(): ReferenceStatus {
    return this.#shelf.status()
  }

  warm(): void {
    this.#shelf.warm()
  }

  /** Null while there are none; a request then goes without. */
  async centroids(options: EnsureOptions): Promise<readonly ClusterCentroid[] | null> {
    const vectors = await this.#shelf.ensure(options)
    if (vectors === null) return null
    if (this.#centroids?.of !== vectors) this.#centroids = { of: vectors, list: this.#compute(vectors) }
    return this.#centroids.list
  }

  /** A request's vector has another length than the examples': the server has another model by now. */
  dropFor(dimensions: number): void {
    this.#shelf.drop(dimensions)
  }

  #compute(vectors: ReferenceVectors): readonly ClusterCentroid[] {
    return this.#config.clusters.flatMap(({ name, examples }) => {
      const vector = centroidOf(examples.flatMap((example) => vectors.get(example) ?? []))
      return vector === null ? [] : [{ name, vector }]
    })
  }
}

/** The index of a configuration; the earlier one where nothing of it has changed. */
export function clusterIndexFor(
  config: SemanticClusterConfig | null,
  options: ClusterIndexOptions,
  earlier: readonly [SemanticClusterConfig | null, ClusterIndex | null] | null,
): ClusterIndex | null {
  if (config === null) return null
  const [before, index] = earlier ?? [null, null]
  const isSame = before !== null && before.basis === config.basis && sameServer(before, config)
  return isSame && index !== null ? index : new ClusterIndex(config, options)
}

function sameServer(one: SemanticClusterConfig, other: SemanticClusterConfig): boolean {
  return equalSettings(one.server, other.server)
}

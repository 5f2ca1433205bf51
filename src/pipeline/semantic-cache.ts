// The semantic cache as the pipeline asks it: the nearest question of the same partition, if its vector can be had in time.

import { HeardPurges } from '../cache/heard-purges.ts'
import type { Partition, StoreSize } from '../cache/response-store.ts'
import type { PurgeNews, PurgeScope } from '../store/purge-log.ts'
import type { KeptQuestion, SemanticLookup, SemanticQuery, SemanticStore } from '../cache/semantic-store.ts'
import type { SemanticCacheConfig } from '../config/config.ts'
import type { SemanticCachePluginConfig } from '../config/decision-config.ts'
import { serverKey } from '../upstream/embedders.ts'
import { CacheCalls } from './cache-calls.ts'
import { budgetOf, isOf, type ResponseCacheOptions } from './response-cache.ts'

/** How a request is looked up; decisions may have it their way. */
export interface SemanticTerms {
  readonly threshold: number
  readonly ttlMs: number
}

export class SemanticCache {
  readonly config: SemanticCacheConfig
  readonly #store: SemanticStore
  readonly #calls: CacheCalls
  readonly #purges: () => PurgeNews | null
  readonly #heard = new HeardPurges()
  readonly #now: () => number

  constructor({ config, store, platform, events, purges }: ResponseCacheOptions<SemanticCacheConfig, SemanticStore>) {
    this.config = config
    this.#store = store
    this.#calls = new CacheCalls({ backend: store.backend, budgetMs: budgetOf(config), platform, events })
    this.#purges = purges
    this.#now = platform.now
  }

  get backend(): SemanticStore['backend'] {
    return this.#store.backend
  }

  /** Null for what is kept elsewhere. */
  get size(): StoreSize | null {
    return this.#store.backend === 'memory' ? this.#store.size : null
  }

  /** Vectors of two models can't be compared, so what they come from is a part of every partition. */
  get basis(): string {
    return `semantic ${serverKey({ ...this.config.server, apiKey: null })}`
  }

  /** Null for a request that is not to be looked up. */
  termsFor(plugin: SemanticCachePluginConfig | null): SemanticTerms | null {
    const { isEnabled, threshold, ttlMs } = this.config
    if (!(plugin?.isEnabled ?? isEnabled)) return null
    return { threshold: plugin?.similarityThreshold ?? threshold, ttlMs: plugin?.ttlMs ?? ttlMs }
  }

  /** Null when the store could not be asked. Never rejects. */
  async nearest(
    asked: Pick<SemanticQuery, 'partitionKey' | 'vector'> & { readonly partition: Partition },
    { threshold, ttlMs }: SemanticTerms,
    signal: AbortSignal,
  ): Promise<SemanticLookup | null> {
    const store = this.#store
    // A place that others ask too has marks of its own.
    if (store.backend === 'memory') for (const scope of this.#heard.take(this.#purges())) store.purge(scope)
    const query = { ...asked, threshold, storedAfterMs: this.#now() - ttlMs }
    const lookup =
      store.backend === 'memory'
        ? store.nearest(query)
        : await this.#calls.read(signal, (own) => store.nearest(query, own))
    const nearest = lookup?.nearest ?? null
    if (lookup === null || nearest === null || isOf(asked.partition, nearest.answer)) return lookup
    return { ...lookup, nearest: null }
  }

  /** Never rejects. */
  async put(kept: KeptQuestion): Promise<void> {
    const store = this.#store
    if (store.backend === 'memory') return store.put(kept)
    return this.#calls.write((own) => store.put(kept, own))
  }

  /** Rejects when the store can't be reached. */
  async purge(scope: PurgeScope): Promise<void> {
    const store = this.#store
    if (store.backend === 'memory') return store.purge(scope)
    return this.#calls.order((own) => store.purge(scope, own))
  }
}

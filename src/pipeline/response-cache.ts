// The exact response cache as the pipeline asks it, with one request for equal misses where requests may wait for each
// other.

import type { Lookup, Partition, ResponseStore, StoredAnswer, StoreSize } from '../cache/response-store.ts'
import type { PurgeNews, PurgeScope } from '../store/purge-log.ts'
import { HeardPurges } from '../cache/heard-purges.ts'
import { SingleFlight } from '../cache/single-flight.ts'
import type { ResponseCacheConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import { CacheCalls, type CacheEvents } from './cache-calls.ts'

/** How long a store off this machine may take, where nothing says otherwise. */
const STORE_MS = 500

export interface ResponseCacheOptions<Config, Store> {
  readonly config: Config
  readonly store: Store
  readonly platform: Pick<Platform, 'now' | 'after' | 'wakesAcrossRequests'>
  readonly events: CacheEvents
  /** What is known now of the fleet's purges. */
  purges(): PurgeNews | null
}

export class ResponseCache {
  readonly config: ResponseCacheConfig
  /** Null where a request may not wait for another. */
  readonly flights: SingleFlight<StoredAnswer> | null
  readonly #store: ResponseStore
  readonly #calls: CacheCalls
  readonly #purges: () => PurgeNews | null
  readonly #heard = new HeardPurges()
  readonly #now: () => number

  constructor({ config, store, platform, events, purges }: ResponseCacheOptions<ResponseCacheConfig, ResponseStore>) {
    this.config = config
    this.flights = platform.wakesAcrossRequests ? new SingleFlight() : null
    this.#store = store
    this.#calls = new CacheCalls({ backend: store.backend, budgetMs: budgetOf(config), platform, events })
    this.#purges = purges
    this.#now = platform.now
  }

  get backend(): ResponseStore['backend'] {
    return this.#store.backend
  }

  /** Null for what is kept elsewhere. */
  get size(): StoreSize | null {
    return this.#store.backend === 'memory' ? this.#store.size : null
  }

  /** Null when the store could not be asked: then nothing can be kept either, as it is not known what was purged. */
  async find(key: string, partition: Partition, signal: AbortSignal): Promise<Lookup | null> {
    const store = this.#store
    // A place that others ask too has marks of its own.
    if (store.backend === 'memory') for (const scope of this.#heard.take(this.#purges())) store.purge(scope)
    const lookup =
      store.backend === 'memory'
        ? store.find(key, partition)
        : await this.#calls.read(signal, (own) => store.find(key, partition, own))
    const answer = lookup?.answer ?? null
    if (lookup === null || answer === null) return lookup
    const isGood = isOf(partition, answer) && ageMs(answer, this.#now()) < this.config.ttlMs
    return isGood ? lookup : { ...lookup, answer: null }
  }

  /** Never rejects. */
  async put(key: string, answer: StoredAnswer): Promise<void> {
    const store = this.#store
    if (store.backend === 'memory') return store.put(key, answer)
    return this.#calls.write((own) => store.put(key, answer, own))
  }

  /** Rejects when the store can't be reached. */
  async purge(scope: PurgeScope): Promise<void> {
    const store = this.#store
    if (store.backend === 'memory') return store.purge(scope)
    return this.#calls.order((own) => store.purge(scope, own))
  }
}

export function budgetOf({ redis }: Pick<ResponseCacheConfig, 'redis'>): number {
  return redis?.commandTimeoutMs ?? STORE_MS
}

/** Whatever became of keys, where others write too: nobody gets what was made for another. */
export function isOf({ party, model }: Partition, answer: StoredAnswer): boolean {
  return answer.party === party && answer.model === model
}

/** Never below zero, whatever other clocks say. */
export function ageMs({ storedAtMs }: Pick<StoredAnswer, 'storedAtMs'>, nowMs: number): number {
  return Math.max(0, nowMs - storedAtMs)
}

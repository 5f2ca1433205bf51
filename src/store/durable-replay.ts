// ReplayStore over the Durable Objects of class `ReplayLog`, as an isolate sees it: an object for each decision, which
// nobody but this decision's requests can fill up.

import type { ReplayRecord } from '../capture/replay-record.ts'
import { mergeReplayPages } from './replay-page.ts'
import { replayDirectoryName, type ReplayShard, replayShardName } from './replay-shard.ts'
import type { ReplayKeeping, ReplayPage, ReplayQuery, ReplayStore } from './replay-store.ts'
import { toStoredReplay } from './stored-replay.ts'

export interface DurableReplayOptions {
  /** The object of a name. Stubs belong to one request, so each call asks anew. */
  namespace(objectName: string): ReplayShard
  readonly pool: string
}

export class DurableReplayStore implements ReplayStore {
  readonly backend = 'durable_object'
  readonly #options: DurableReplayOptions
  /** Namespaces that the directory is known to have. */
  readonly #announced = new Set<string>()

  constructor(options: DurableReplayOptions) {
    this.#options = options
  }

  async put(namespace: string, records: readonly ReplayRecord[], keeping: ReplayKeeping): Promise<void> {
    // First, so that nothing is ever kept where nobody looks.
    if (!this.#announced.has(namespace)) {
      await this.#directory().announce(namespace)
      this.#announced.add(namespace)
    }
    const stored = records.map((record) => toStoredReplay(record, keeping))
    await this.#shard(namespace).put(stored, keeping.maxRecords)
  }

  async list(query: ReplayQuery): Promise<ReplayPage> {
    const namespaces = await this.#directory().namespaces()
    // What the whole list leaves out may all be of one object.
    const wide = { ...query, offset: 0, limit: query.offset + query.limit }
    return mergeReplayPages(await Promise.all(namespaces.map((name) => this.#shard(name).list(wide))), query)
  }

  async find(id: string): Promise<ReplayRecord | null> {
    const namespaces = await this.#directory().namespaces()
    const found = await Promise.all(namespaces.map((name) => this.#shard(name).find(id)))
    return found.find((record) => record !== null) ?? null
  }

  async close(): Promise<void> {}

  #directory(): ReplayShard {
    return this.#options.namespace(replayDirectoryName(this.#options.pool))
  }

  #shard(namespace: string): ReplayShard {
    return this.#options.namespace(replayShardName(this.#options.pool, namespace))
  }
}

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

/** Records that are passed over in one go. */
const MAX_SKIPPED = 1_000

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
    const [only] = namespaces
    if (only !== undefined && namespaces.length === 1) return this.#shard(only).list(query)
    // What the whole list leaves out may all be of one object, which answers with few at a time when their bodies are long.
    let { after, offset } = query
    while (offset > 0) {
      const skipped = await this.#merged(namespaces, {
        ...query,
        after,
        offset: 0,
        limit: Math.min(offset, MAX_SKIPPED),
      })
      if (skipped.end === null) return { ...skipped, records: [] }
      offset -= skipped.records.length
      after = skipped.end
    }
    return this.#merged(namespaces, { ...query, after, offset })
  }

  async find(id: string): Promise<ReplayRecord | null> {
    const namespaces = await this.#directory().namespaces()
    const found = await Promise.all(namespaces.map((name) => this.#shard(name).find(id)))
    return found.find((record) => record !== null) ?? null
  }

  async close(): Promise<void> {}

  async #merged(namespaces: readonly string[], query: ReplayQuery): Promise<ReplayPage> {
    return mergeReplayPages(await Promise.all(namespaces.map((name) => this.#shard(name).list(query))), query.limit)
  }

  #directory(): ReplayShard {
    return this.#options.namespace(replayDirectoryName(this.#options.pool))
  }

  #shard(namespace: string): ReplayShard {
    return this.#options.namespace(replayShardName(this.#options.pool, namespace))
  }
}

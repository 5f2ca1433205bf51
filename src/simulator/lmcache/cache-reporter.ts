// A simulated worker's side of LMCache: turns what its engines cache and evict into reports to a controller. Reports are
// sent a little late and never sent twice: one that does not arrive leaves the controller wrong, as in LMCache.

import type { Clock } from '../clock.ts'
import type { CacheWatcher } from '../engine.ts'
import type { CacheReport, ReportReply } from './report-schema.ts'

/** What a worker is known by at the controller. */
export interface WorkerIdentity {
  readonly instanceId: string
  readonly ip: string
  readonly port: number
}

export interface ReporterOptions {
  readonly clock: Clock
  /** How long events are gathered before they are sent. */
  readonly delayMs: number
  send(report: CacheReport): Promise<ReportReply>
}

export class CacheReporter {
  readonly #ranks: RankReporter[]

  constructor(options: ReporterOptions, ranks: number) {
    this.#ranks = Array.from({ length: ranks }, (_, rank) => new RankReporter(options, rank))
  }

  /** Makes the worker known to the controller; nothing is sent before. */
  register(identity: WorkerIdentity): void {
    for (const rank of this.#ranks) rank.register(identity)
  }

  watcherOf(rank: number): CacheWatcher | null {
    return this.#ranks[rank] ?? null
  }

  /** The caches are empty: the controller hears so. */
  reset(): void {
    for (const rank of this.#ranks) rank.reset()
  }
}

class RankReporter implements CacheWatcher {
  readonly #options: ReporterOptions
  readonly #rank: number
  /** Chunk by the block that ends it. Blocks of several models can end the same chunk. */
  readonly #chunkOf = new Map<number, number>()
  readonly #blocksOf = new Map<number, number>()
  readonly #stored = new Set<number>()
  readonly #evicted = new Set<number>()
  #identity: WorkerIdentity | null = null
  #isSnapshot = false
  #isScheduled = false

  constructor(options: ReporterOptions, rank: number) {
    this.#options = options
    this.#rank = rank
  }

  register(identity: WorkerIdentity): void {
    this.#identity = identity
    this.#schedule()
  }

  stored(block: number, chunk: number): void {
    if (this.#chunkOf.has(block)) return
    this.#chunkOf.set(block, chunk)
    const blocks = (this.#blocksOf.get(chunk) ?? 0) + 1
    this.#blocksOf.set(chunk, blocks)
    if (blocks > 1) return
    this.#evicted.delete(chunk)
    this.#stored.add(chunk)
    this.#schedule()
  }

  evicted(block: number): void {
    const chunk = this.#chunkOf.get(block)
    if (chunk === undefined) return
    this.#chunkOf.delete(block)
    const blocks = (this.#blocksOf.get(chunk) ?? 1) - 1
    if (blocks > 0) return void this.#blocksOf.set(chunk, blocks)
    this.#blocksOf.delete(chunk)
    this.#stored.delete(chunk)
    this.#evicted.add(chunk)
    this.#schedule()
  }

  reset(): void {
    this.#chunkOf.clear()
    this.#blocksOf.clear()
    this.#sendAll()
  }

  #schedule(): void {
    const identity = this.#identity
    if (this.#isScheduled || identity === null) return
    this.#isScheduled = true
    this.#options.clock.after(this.#options.delayMs, () => void this.#send(identity))
  }

  #sendAll(): void {
    this.#isSnapshot = true
    this.#evicted.clear()
    this.#stored.clear()
    for (const chunk of this.#blocksOf.keys()) this.#stored.add(chunk)
    this.#schedule()
  }

  async #send({ instanceId, ip, port }: WorkerIdentity): Promise<void> {
    this.#isScheduled = false
    const report: CacheReport = {
      instance_id: instanceId,
      worker_id: this.#rank,
      ip,
      port,
      stored: [...this.#stored],
      evicted: [...this.#evicted],
      is_snapshot: this.#isSnapshot,
    }
    this.#stored.clear()
    this.#evicted.clear()
    this.#isSnapshot = false
    try {
      const { wants_snapshot: wantsAll } = await this.#options.send(report)
      if (wantsAll) this.#sendAll()
    } catch {
      // Nobody was there to hear it; the worker goes on serving, and the controller stays behind.
    }
  }
}

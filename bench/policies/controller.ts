// LMCache's controller in virtual time: engines report to it late, a lookup names the first holder of each chunk, and
// what it says is read by the router's own code.

import { CacheReporter } from '../../src/simulator/lmcache/cache-reporter.ts'
import { ChunkIndex } from '../../src/simulator/lmcache/chunk-index.ts'
import { layoutOf } from '../../src/simulator/lmcache/routes-legacy.ts'
import type { CacheWatcher } from '../../src/simulator/engine.ts'
import type { VirtualClock } from '../../src/simulator/clock.ts'
import type { LmcacheLookupNeeds, LmcacheNeeds } from '../../src/routing/policy.ts'
import { toMatchedTokens } from '../../src/upstream/lmcache/instance-matches.ts'
import { CHUNK_TOKENS, readLayout } from '../../src/upstream/lmcache/layout-info.ts'
import { readPlacements } from '../../src/upstream/lmcache/placements.ts'
import type { PreparedRequest } from './prepared.ts'

export interface ControllerModel {
  /** How long a worker gathers what it stored and evicted. */
  readonly reportMs: number
  /** How long a report takes to become visible. */
  readonly lagMs: number
}

/** How the router asks. */
export interface LookupRules {
  readonly controllerType: LmcacheNeeds['controllerType']
  readonly lookup: LmcacheLookupNeeds
}

export class VirtualController {
  readonly #clock: VirtualClock
  readonly #model: ControllerModel
  readonly #index = new ChunkIndex()

  constructor(clock: VirtualClock, model: ControllerModel) {
    this.#clock = clock
    this.#model = model
  }

  /** What the engine of this worker tells of its cache. */
  watcherFor(workerId: string): CacheWatcher | null {
    const { reportMs, lagMs } = this.#model
    const reporter = new CacheReporter(
      {
        clock: this.#clock,
        delayMs: reportMs,
        send: (report) => {
          this.#index.touch(report, this.#clock.now())
          this.#clock.after(lagMs, () => this.#index.apply(report))
          return Promise.resolve({ wants_snapshot: false })
        },
      },
      1,
    )
    reporter.register({ instanceId: workerId, ip: '10.0.0.1', port: 8_000 })
    return reporter.watcherOf(0)
  }

  /** Leading tokens by worker, as far as the router takes them from an answer; `sentTokens` is what it has sent itself. */
  lookUp(
    { chunkKeys }: PreparedRequest,
    { controllerType: type, lookup: { maxTokens, assumesChains } }: LookupRules,
    sentTokens: () => Readonly<Record<string, number>>,
  ): Readonly<Record<string, number>> {
    const keys = chunkKeys.slice(0, Math.floor(maxTokens / CHUNK_TOKENS))
    const tokens = keys.length * CHUNK_TOKENS
    const matches =
      type === 'legacy'
        ? readLayout({ layout_info: layoutOf(this.#index, keys) }, { tokens, assumesChains })
        : readPlacements({ chunks: keys.length, results: keys.map((key) => this.#placementsOf(key)) }, tokens)
    if (matches === null) throw new Error('the simulated controller gave an answer that the router cannot read')
    return toMatchedTokens(matches, (instanceId) => [instanceId], sentTokens)
  }

  #placementsOf(key: number): object {
    const placements = this.#index.holders(key).map(({ instanceId }) => ({ instance_id: instanceId, tier: 'l1' }))
    return { placements }
  }

  /** Chunks by worker. */
  occupancy(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#index.workers().map(({ instanceId, keys }) => [instanceId, keys.size]))
  }
}

// How full LMCache's caches are, as its control plane last told the one prober of the pool, and what of that may be used.

/** One LMCache instance: an engine, or under the coordinator a node's server. */
export interface LmcacheInstance {
  readonly instanceId: string
  /** The address it registered with; null where it did not say. */
  readonly ip: string | null
  /** Chunks it holds, ranks divided out; null where that is not known. */
  readonly chunks: number | null
}

/**
 * How a poll ended: `unreachable` no connection, `timeout` no whole answer in time, `bad_status` another status,
 * `bad_answer` of no shape that is known.
 */
export type PollOutcome = 'ok' | 'unreachable' | 'timeout' | 'bad_status' | 'bad_answer'

/** What the prober of the pool has heard, by its own clock. */
export interface HeardOccupancy {
  /** As the last poll that went well had them; empty before the first. */
  readonly instances: readonly LmcacheInstance[]
  readonly saidAtMs: number | null
  readonly lastPoll: PollOutcome
}

/** What travels with a snapshot. */
export interface LmcacheOccupancy {
  /** As the last poll that went well had them; empty before the first. */
  readonly instances: readonly LmcacheInstance[]
  /** How long ago that was when the snapshot was taken, in milliseconds; null before the first. */
  readonly ageMs: number | null
  readonly lastPoll: PollOutcome
}

/** The same as a request may use it. */
export interface LmcacheOccupancyView {
  /** Every `chunks` is null unless `state` is `fresh`: who is there changes seldom, how full they are does not. */
  readonly instances: readonly LmcacheInstance[]
  /** Since the control plane said so; null when it never did. */
  readonly ageMs: number | null
  /** `fresh`, `stale` when it was too long ago, `unknown` when it never said, or so long ago that it says nothing. */
  readonly state: 'fresh' | 'stale' | 'unknown'
  readonly lastPoll: PollOutcome
}

export function toOccupancy({ instances, saidAtMs, lastPoll }: HeardOccupancy, nowMs: number): LmcacheOccupancy {
  return { instances, ageMs: saidAtMs === null ? null : Math.max(0, nowMs - saidAtMs), lastPoll }
}

/** As many polls may be missed until how full caches are counts as unknown. */
const STALE_POLLS = 3

/** Copies of the fleet's state that decisions are made on may be this old besides. */
const COPY_MS = 2_000

/** After this long not even who is there is believed. */
const FORGET_MS = 600_000

export class OccupancyViews {
  #from: readonly LmcacheInstance[] | null = null
  #withoutChunks: readonly LmcacheInstance[] = []

  /** Makes no new list as long as `occupancy` has the same one. `sinceMs`: since the snapshot was taken. */
  of(occupancy: LmcacheOccupancy, sinceMs: number, pollIntervalMs: number): LmcacheOccupancyView {
    const { instances, lastPoll } = occupancy
    const ageMs = occupancy.ageMs === null ? null : occupancy.ageMs + Math.max(0, sinceMs)
    const staleMs = STALE_POLLS * pollIntervalMs + COPY_MS
    if (ageMs === null || ageMs > Math.max(FORGET_MS, staleMs)) {
      return { instances: [], ageMs, state: 'unknown', lastPoll }
    }
    if (ageMs <= staleMs) return { instances, ageMs, state: 'fresh', lastPoll }
    return { instances: this.#unknown(instances), ageMs, state: 'stale', lastPoll }
  }

  #unknown(instances: readonly LmcacheInstance[]): readonly LmcacheInstance[] {
    if (this.#from !== instances) {
      this.#from = instances
      this.#withoutChunks = instances.map(({ instanceId, ip }) => ({ instanceId, ip, chunks: null }))
    }
    return this.#withoutChunks
  }
}

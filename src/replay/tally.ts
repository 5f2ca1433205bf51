// Everything that is counted of the comparisons under one configuration. Memory is bounded by the number of workers, models
// and groups, not by that of records.

import type { StoredRecord } from '../record/stored-record.ts'
import type { Comparison } from './compare.ts'
import { count, type Counts, GroupedCounts, noCounts, ReasonCounts } from './counts.ts'
import { LatencyHistogram } from './latency.ts'
import { LoadShares } from './load-shares.ts'
import { ASSUMPTIONS, type Assumption, type Cause, CAUSES } from './outcome.ts'
import { PrefixCaches, type PrefixCacheOptions } from './prefix-cache.ts'

export const GROUP_KEYS = ['model', 'tenant', 'hour'] as const

export type GroupKey = (typeof GROUP_KEYS)[number]

export interface TallyOptions {
  readonly by: GroupKey | null
  /** Null to model none: caches need records in the order of time, and all of them. */
  readonly prefixCache: PrefixCacheOptions | null
}

export class Tally {
  readonly counts: Counts = noCounts()
  readonly exact = { same: 0, different: 0 }
  readonly modelled = { same: 0, different: 0 }
  readonly assumptions: Record<Assumption, number> = zeros(ASSUMPTIONS)
  readonly causes: Record<Cause, number> = zeros(CAUSES)
  readonly ownConfiguration = { records: 0, different: 0 }
  readonly reasons = new ReasonCounts<Cause>()
  readonly policies = new GroupedCounts()
  readonly models = new GroupedCounts()
  readonly groups = new GroupedCounts()
  readonly before = new LoadShares()
  readonly after = new LoadShares()
  readonly left = new LoadShares()
  readonly came = new LoadShares()
  readonly latency = new LatencyHistogram()
  readonly caches: { readonly before: PrefixCaches; readonly after: PrefixCaches } | null
  prefixRecords = 0
  /** First and last end of a request as records write it. */
  period: { from: string; to: string } | null = null
  readonly #by: GroupKey | null

  constructor({ by, prefixCache }: TallyOptions) {
    this.#by = by
    const create = (options: PrefixCacheOptions) => new PrefixCaches(options)
    this.caches = prefixCache === null ? null : { before: create(prefixCache), after: create(prefixCache) }
  }

  /** `isOwn`: the record was made under the very configuration that it was decided under again. */
  add(record: StoredRecord, comparison: Comparison, isOwn: boolean): void {
    const { verdict, cause, why } = comparison
    count(this.counts, verdict)
    if (cause !== null) this.causes[cause] += 1
    if (why !== null && cause !== null) this.reasons.add(why, cause)
    this.policies.add(record.policy, verdict)
    this.models.add(record.model, verdict)
    if (this.#by !== null) this.groups.add(groupOf(record, this.#by), verdict)
    this.#noteTime(record.timestamp)
    if (record.worker !== undefined) this.latency.add(record.duration_ms)
    this.#noteWorkers(comparison)
    if (isOwn) this.#noteOwn(comparison)
    this.#notePrefix(record, comparison)
  }

  #noteWorkers({ verdict, before, after, assumed }: Comparison): void {
    if (before !== null) this.before.add(before)
    if (after !== null) this.after.add(after)
    if (before !== after && before !== null) this.left.add(before)
    if (before !== after && after !== null) this.came.add(after)
    if (verdict !== 'same' && verdict !== 'different') return
    const part = assumed.length === 0 ? this.exact : this.modelled
    part[verdict] += 1
    for (const assumption of assumed) this.assumptions[assumption] += 1
  }

  #noteOwn({ verdict }: Comparison): void {
    if (verdict === 'neither' || verdict === 'not_comparable') return
    this.ownConfiguration.records += 1
    if (verdict !== 'same') this.ownConfiguration.different += 1
  }

  #notePrefix({ prefix_hashes: hashes }: StoredRecord, { before, after }: Comparison): void {
    const { caches } = this
    if (caches === null || hashes === undefined || hashes.length === 0 || before === null || after === null) return
    this.prefixRecords += 1
    caches.before.use(before, hashes)
    caches.after.use(after, hashes)
  }

  #noteTime(timestamp: string): void {
    const { period } = this
    if (period === null) this.period = { from: timestamp, to: timestamp }
    else if (timestamp > period.to) period.to = timestamp
    else if (timestamp < period.from) period.from = timestamp
  }
}

/** Models are the ones asked for: those routed to have a table of their own. */
function groupOf({ original_model: model, tenant, timestamp }: StoredRecord, by: GroupKey): string | undefined {
  if (by === 'model') return model
  if (by === 'tenant') return tenant
  const timeMs = Date.parse(timestamp)
  // Written as a time and none all the same, such as the 30th of February.
  return Number.isNaN(timeMs) ? undefined : `${new Date(timeMs).toISOString().slice(0, 13)}:00Z`
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number> // one entry for each name
}

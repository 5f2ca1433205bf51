// From what was counted to the report.

import type { Counts } from './counts.ts'
import type { NamedConfig } from './named-config.ts'
import type { PrefixCacheOptions, PrefixCaches } from './prefix-cache.ts'
import type { ReplayLines, ReplayOutput, ReplayReport } from './report-schema.ts'
import { REPORT_VERSION } from './report-version.ts'
import { sentenceFor } from './sentence.ts'
import type { GroupKey, Tally } from './tally.ts'

export interface ReportOptions {
  readonly configuration: NamedConfig
  readonly against: NamedConfig | null
  /** Ids of all there were to choose from. */
  readonly workersBefore: readonly string[]
  readonly workersAfter: readonly string[]
  readonly by: GroupKey | null
  readonly prefixCache: PrefixCacheOptions | null
}

export function toReport(tally: Tally, options: ReportOptions): ReplayReport {
  const { counts } = tally
  const configuration = toConfiguration(options.configuration)
  const against = options.against === null ? null : toConfiguration(options.against)
  const instead = against === null ? recordedPolicies(tally) : [against.policy]
  return {
    report_version: REPORT_VERSION,
    sentence: sentenceFor({ policy: configuration.policy, instead, counts }),
    configuration,
    against,
    total: counts.total,
    same: counts.same,
    different: counts.different,
    no_worker: counts.newly_refused + counts.newly_served + counts.neither,
    newly_refused: counts.newly_refused,
    newly_served: counts.newly_served,
    neither: counts.neither,
    not_comparable: counts.not_comparable,
    exact: { ...tally.exact },
    modelled: { ...tally.modelled, assumptions: { ...tally.assumptions } },
    same_configuration: { ...tally.ownConfiguration },
    causes: { ...tally.causes },
    not_comparable_reasons: tally.reasons.entries().map(({ why, detail, count }) => ({ why, cause: detail, count })),
    policies: toGroups(tally.policies.entries()),
    models: toGroups(tally.models.entries()),
    by: options.by === null ? null : { key: options.by, groups: toGroups(tally.groups.entries()) },
    before: toSide(tally.before, options.workersBefore.length),
    after: toSide(tally.after, options.workersAfter.length),
    workers: toWorkers(tally, [...options.workersBefore, ...options.workersAfter]),
    latency_ms: toLatency(tally),
    prefix: toPrefix(tally, options.prefixCache),
    period: tally.period === null ? null : { ...tally.period },
  }
}

function toConfiguration({ name, config }: NamedConfig) {
  return { name, hash: config.hash, policy: config.policy.name }
}

/** Those that chose a worker that is compared, most frequent first. */
function recordedPolicies({ policies }: Tally): readonly string[] {
  const compared = ({ same, different }: Counts) => same + different
  return policies
    .entries()
    .filter(([, counts]) => compared(counts) > 0)
    .sort(([, one], [, other]) => compared(other) - compared(one))
    .map(([name]) => name)
}

function toGroups(entries: readonly (readonly [string, Counts])[]): Record<string, Counts> {
  return Object.fromEntries(entries.map(([name, counts]) => [name, { ...counts }]))
}

function toSide(shares: Tally['before'], workers: number): ReplayReport['before'] {
  return { workers, requests: shares.total, hotspot: shares.hotspot(workers) }
}

/** With the candidates that nobody went to: the hotspot is reckoned with them, too. */
function toWorkers({ before, after, left, came }: Tally, candidates: readonly string[]): ReplayReport['workers'] {
  const ids = [...new Set([...candidates, ...before.workers(), ...after.workers()])].sort()
  return Object.fromEntries(
    ids.map((id) => [id, { before: before.of(id), after: after.of(id), left: left.of(id), came: came.of(id) }]),
  )
}

function toLatency({ latency }: Tally): ReplayReport['latency_ms'] {
  const { histogram, ...summary } = latency.summary()
  return { ...summary, histogram: histogram.map(([end, count]) => [end, count]) }
}

function toPrefix({ prefixRecords, caches }: Tally, options: PrefixCacheOptions | null): ReplayReport['prefix'] {
  if (prefixRecords === 0 || caches === null || options === null) return null
  return {
    records: prefixRecords,
    cache_blocks: options.cacheBlocks,
    block_tokens: options.blockTokens,
    before: toPrefixSide(caches.before),
    after: toPrefixSide(caches.after),
  }
}

function toPrefixSide(caches: PrefixCaches) {
  const { tokens, cached } = caches.totals()
  return { tokens, cached_tokens: cached }
}

/** What `--json` prints: the report itself, or one for each configuration. */
export function toOutput(reports: readonly ReplayReport[], lines: ReplayLines): ReplayOutput {
  const [report] = reports
  if (report !== undefined && reports.length === 1) return { ...report, lines }
  return { report_version: REPORT_VERSION, lines, reports: [...reports] }
}

// Metrics as OTLP's JSON has them (opentelemetry-proto 1.x, ExportMetricsServiceRequest).

import type { Family, Series } from '../metrics/metric-store.ts'
import { type Resource, SCOPE_NAME, toKeyValues, toNanoseconds } from './otlp-json.ts'

/** Every number is all that was counted since `sinceMs`. */
export const CUMULATIVE = 2

/** When the numbers hold, and since when they are counted. */
export interface MetricTimes {
  readonly sinceMs: number
  readonly atMs: number
}

export function toMetricsJson(families: readonly Family[], resource: Resource, times: MetricTimes): string {
  const scope = { name: SCOPE_NAME, version: resource['service.version'] }
  const metrics = families.filter(({ series }) => series.length > 0).map((family) => toMetric(family, times))
  return JSON.stringify({
    resourceMetrics: [{ resource: { attributes: toKeyValues(resource) }, scopeMetrics: [{ scope, metrics }] }],
  })
}

/** Seconds only: for other units collectors would add a word to the name. */
export function unitOf({ name }: Pick<Family, 'name'>): string {
  return name.endsWith('_seconds') ? 's' : ''
}

function toMetric(family: Family, times: MetricTimes) {
  const { name, definition, series } = family
  const metric = { name, description: definition.help, unit: unitOf(family) }
  const { buckets, type } = definition
  const aggregationTemporality = CUMULATIVE
  if (buckets !== undefined) {
    const dataPoints = series.map((each) => toDistribution(each, buckets, times))
    return { ...metric, histogram: { aggregationTemporality, dataPoints } }
  }
  const dataPoints = series.map((each) => ({ ...toPoint(each, times), asDouble: each.row[0] ?? 0 }))
  if (type === 'gauge') return { ...metric, gauge: { dataPoints } }
  return { ...metric, sum: { aggregationTemporality, isMonotonic: true, dataPoints } }
}

function toPoint({ labels }: Series, { sinceMs, atMs }: MetricTimes) {
  return {
    attributes: toKeyValues(labels),
    startTimeUnixNano: String(toNanoseconds(sinceMs)),
    timeUnixNano: String(toNanoseconds(atMs)),
  }
}

function toDistribution(series: Series, explicitBounds: readonly number[], times: MetricTimes) {
  const counts = series.row.slice(0, -1)
  return {
    ...toPoint(series, times),
    count: String(counts.reduce((total, count) => total + count, 0)),
    sum: series.row.at(-1) ?? 0,
    bucketCounts: counts.map(String),
    explicitBounds,
  }
}

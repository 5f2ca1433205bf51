// The same metrics as OTLP's protocol buffers (opentelemetry-proto 1.x, metrics/v1/metrics.proto). Numbers are those of the
// fields there.

import type { Family, Series } from '../metrics/metric-store.ts'
import { CUMULATIVE, type MetricTimes, unitOf } from './metrics-json.ts'
import { type Resource, SCOPE_NAME, toNanoseconds } from './otlp-json.ts'
import { writeAttributes } from './otlp-protobuf.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

export function toMetricsProtobuf(
  families: readonly Family[],
  resource: Resource,
  times: MetricTimes,
): Uint8Array<ArrayBuffer> {
  const request = new ProtobufWriter()
  request.message(1, (resourceMetrics) => {
    resourceMetrics.message(1, (writer) => writeAttributes(writer, 1, resource))
    resourceMetrics.message(2, (scopeMetrics) => {
      scopeMetrics.message(1, (scope) => {
        scope.text(1, SCOPE_NAME)
        scope.text(2, String(resource['service.version'] ?? ''))
      })
      for (const family of families) {
        if (family.series.length > 0) scopeMetrics.message(2, (writer) => writeMetric(writer, family, times))
      }
    })
  })
  return request.bytes()
}

function writeMetric(writer: ProtobufWriter, family: Family, times: MetricTimes): void {
  const { name, definition, series } = family
  const { type, help, buckets } = definition
  writer.text(1, name)
  writer.text(2, help)
  writer.text(3, unitOf(family))
  writer.message({ gauge: 5, counter: 7, histogram: 9 }[type], (data) => {
    for (const each of series) {
      data.message(1, (point) => {
        if (buckets === undefined) writePoint(point, each, times)
        else writeDistribution(point, each, { bounds: buckets, times })
      })
    }
    if (type !== 'gauge') data.integer(2, CUMULATIVE)
    if (type === 'counter') data.integer(3, 1)
  })
}

function writePoint(point: ProtobufWriter, { labels, row }: Series, times: MetricTimes): void {
  writeTimes(point, times)
  point.double(4, row[0] ?? 0)
  writeAttributes(point, 7, labels)
}

interface Distribution {
  readonly bounds: readonly number[]
  readonly times: MetricTimes
}

function writeDistribution(point: ProtobufWriter, { labels, row }: Series, { bounds, times }: Distribution): void {
  const counts = row.slice(0, -1)
  writeTimes(point, times)
  point.fixed64(4, BigInt(counts.reduce((total, count) => total + count, 0)))
  point.double(5, row.at(-1) ?? 0)
  point.packedFixed64(6, counts.map(BigInt))
  point.packedDoubles(7, bounds)
  writeAttributes(point, 9, labels)
}

function writeTimes(point: ProtobufWriter, { sinceMs, atMs }: MetricTimes): void {
  point.fixed64(2, toNanoseconds(sinceMs))
  point.fixed64(3, toNanoseconds(atMs))
}

// What a collector makes of the messages of metrics that it got: by the field numbers of opentelemetry-proto, with nothing of
// ours.

import type { Scrape } from './metrics.ts'
import {
  attributesOf,
  type Fields,
  fromJsonPairs,
  messagesOf,
  type OtlpReceiver,
  readFields,
  textOf,
} from './otlp-receiver.ts'

export interface ReceivedPoint {
  readonly name: string
  readonly kind: 'sum' | 'gauge' | 'histogram'
  /** 2 for all that was ever counted; null of a gauge. */
  readonly temporality: number | null
  readonly isMonotonic: boolean
  readonly unit: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly startNs: bigint
  readonly atNs: bigint
  /** Of a histogram its sum. */
  readonly value: number
  readonly count: number | null
  readonly buckets: readonly number[]
  readonly bounds: readonly number[]
  readonly resource: Readonly<Record<string, unknown>>
}

/** Messages of metrics so far, each as its points. */
export function metricMessages({ messages }: Pick<OtlpReceiver, 'messages'>): readonly (readonly ReceivedPoint[])[] {
  return messages
    .filter(({ path }) => path === '/v1/metrics')
    .map(({ headers, bytes }) => {
      if (headers['content-type'] === 'application/json') return readJson(JSON.parse(bytes.toString()))
      if (headers['content-type'] === 'application/x-protobuf') return readProtobuf(bytes)
      throw new Error(`metrics as ${headers['content-type']}`)
    })
}

/** Values by series, as a scrape has them: of a histogram its count. */
export function toScrape(points: readonly ReceivedPoint[]): Scrape {
  return new Map(
    points.map(({ name, attributes, value, count }) => {
      const labels = Object.entries(attributes).map(([label, of]) => `${label}="${String(of)}"`)
      const series = name.replace('vllm_router_', '') + (labels.length === 0 ? '' : `{${labels.join(',')}}`)
      return [series, count ?? value] as const
    }),
  )
}

type Json = ReturnType<typeof JSON.parse>

function readJson(message: Json): readonly ReceivedPoint[] {
  return message.resourceMetrics.flatMap(({ resource, scopeMetrics }: Json) =>
    scopeMetrics.flatMap(({ metrics }: Json) =>
      metrics.flatMap((metric: Json): readonly ReceivedPoint[] => {
        const { name, unit, sum, gauge, histogram } = metric
        const data = sum ?? gauge ?? histogram
        return data.dataPoints.map((point: Json): ReceivedPoint => {
          return {
            name,
            unit,
            kind: sum !== undefined ? 'sum' : gauge !== undefined ? 'gauge' : 'histogram',
            temporality: data.aggregationTemporality ?? null,
            isMonotonic: data.isMonotonic ?? false,
            attributes: fromJsonPairs(point.attributes),
            startNs: BigInt(point.startTimeUnixNano),
            atNs: BigInt(point.timeUnixNano),
            value: point.asDouble ?? point.sum,
            count: point.count === undefined ? null : Number(point.count),
            buckets: (point.bucketCounts ?? []).map(Number),
            bounds: point.explicitBounds ?? [],
            resource: fromJsonPairs(resource.attributes),
          }
        })
      }),
    ),
  )
}

const KINDS = { 5: 'gauge', 7: 'sum', 9: 'histogram' } as const

function readProtobuf(bytes: Buffer): readonly ReceivedPoint[] {
  return messagesOf(readFields(bytes), 1).flatMap((resourceMetrics) => {
    const resource = messagesOf(resourceMetrics, 1).map((each) => attributesOf(each, 1))[0] ?? {}
    return messagesOf(resourceMetrics, 2).flatMap((scopeMetrics) =>
      messagesOf(scopeMetrics, 2).flatMap((metric) =>
        ([5, 7, 9] as const).flatMap((field) =>
          messagesOf(metric, field).flatMap((data) =>
            messagesOf(data, 1).map((point) => toPoint(point, { metric, data, kind: KINDS[field], resource })),
          ),
        ),
      ),
    )
  })
}

interface Around {
  readonly metric: Fields
  readonly data: Fields
  readonly kind: ReceivedPoint['kind']
  readonly resource: Readonly<Record<string, unknown>>
}

function toPoint(point: Fields, { metric, data, kind, resource }: Around): ReceivedPoint {
  const isHistogram = kind === 'histogram'
  return {
    name: textOf(metric, 1),
    unit: textOf(metric, 3),
    kind,
    temporality: kind === 'gauge' ? null : Number(data.get(2)?.[0] ?? 0),
    isMonotonic: data.get(3)?.[0] === 1 && !isHistogram,
    attributes: attributesOf(point, isHistogram ? 9 : 7),
    startNs: point.get(2)?.[0] as bigint,
    atNs: point.get(3)?.[0] as bigint,
    value: doubleOf(point.get(isHistogram ? 5 : 4)?.[0] as bigint),
    count: isHistogram ? Number(point.get(4)?.[0]) : null,
    buckets: isHistogram ? packed(point, 6).map((at) => Number(at.readBigUInt64LE())) : [],
    bounds: isHistogram ? packed(point, 7).map((at) => at.readDoubleLE()) : [],
    resource,
  }
}

function doubleOf(bits: bigint): number {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(bits)
  return bytes.readDoubleLE()
}

function packed(point: Fields, field: number): readonly Buffer[] {
  const all = (point.get(field)?.[0] ?? Buffer.alloc(0)) as Buffer
  return Array.from({ length: all.length / 8 }, (_, at) => all.subarray(8 * at, 8 * at + 8))
}

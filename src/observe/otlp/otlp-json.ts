// Spans as OTLP's JSON has them (opentelemetry-proto 1.x, ExportTraceServiceRequest).

import { type Attributes, type AttributeValue, type EndedSpan, SPAN_KIND } from '../../tracing/request-trace.ts'

/** Who sends: attributes of the resource. */
export type Resource = Attributes

export const SCOPE_NAME = 'vllm-edge-router'
export const STATUS_ERROR = 2

export function toOtlpJson(spans: readonly EndedSpan[], resource: Resource): string {
  const scope = { name: SCOPE_NAME, version: resource['service.version'] }
  return JSON.stringify({
    resourceSpans: [
      { resource: { attributes: toKeyValues(resource) }, scopeSpans: [{ scope, spans: spans.map(toSpan) }] },
    ],
  })
}

function toSpan(span: EndedSpan) {
  const { traceId, spanId, parentSpanId, traceState, name, kind, startMs, endMs, attributes, events, error } = span
  return {
    traceId,
    spanId,
    ...(traceState === null ? {} : { traceState }),
    ...(parentSpanId === null ? {} : { parentSpanId }),
    name,
    kind: SPAN_KIND[kind],
    startTimeUnixNano: String(toNanoseconds(startMs)),
    endTimeUnixNano: String(toNanoseconds(endMs)),
    attributes: toKeyValues(attributes),
    events: events.map(({ name: event, atMs }) => ({ name: event, timeUnixNano: String(toNanoseconds(atMs)) })),
    status: error === null ? {} : { code: STATUS_ERROR, message: error },
  }
}

/** Exact: a number of nanoseconds since the epoch has more digits than a double. */
export function toNanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1_000)) * 1_000n
}

export function toKeyValues(attributes: Attributes) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toAnyValue(value) }))
}

function toAnyValue(value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  return { arrayValue: { values: value.map(toAnyValue) } }
}

// The same spans as OTLP's protocol buffers (opentelemetry-proto 1.x, trace/v1/trace.proto and common/v1/common.proto).
// Numbers are those of the fields there.

import { type Attributes, type AttributeValue, type EndedSpan, SPAN_KIND } from '../../tracing/request-trace.ts'
import { type Resource, SCOPE_NAME, STATUS_ERROR, toNanoseconds } from './otlp-json.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

export function toOtlpProtobuf(spans: readonly EndedSpan[], resource: Resource): Uint8Array<ArrayBuffer> {
  const request = new ProtobufWriter()
  request.message(1, (resourceSpans) => {
    resourceSpans.message(1, (writer) => writeAttributes(writer, 1, resource))
    resourceSpans.message(2, (scopeSpans) => {
      scopeSpans.message(1, (scope) => {
        scope.text(1, SCOPE_NAME)
        scope.text(2, String(resource['service.version'] ?? ''))
      })
      for (const span of spans) scopeSpans.message(2, (writer) => writeSpan(writer, span))
    })
  })
  return request.bytes()
}

function writeSpan(writer: ProtobufWriter, span: EndedSpan): void {
  writer.hex(1, span.traceId)
  writer.hex(2, span.spanId)
  if (span.traceState !== null) writer.text(3, span.traceState)
  if (span.parentSpanId !== null) writer.hex(4, span.parentSpanId)
  writer.text(5, span.name)
  writer.integer(6, SPAN_KIND[span.kind])
  writer.fixed64(7, toNanoseconds(span.startMs))
  writer.fixed64(8, toNanoseconds(span.endMs))
  writeAttributes(writer, 9, span.attributes)
  for (const { name, atMs } of span.events) {
    writer.message(11, (event) => {
      event.fixed64(1, toNanoseconds(atMs))
      event.text(2, name)
    })
  }
  const { error } = span
  if (error === null) return
  writer.message(15, (status) => {
    status.text(2, error)
    status.integer(3, STATUS_ERROR)
  })
}

export function writeAttributes(writer: ProtobufWriter, field: number, attributes: Attributes): void {
  for (const [key, value] of Object.entries(attributes)) {
    writer.message(field, (pair) => {
      pair.text(1, key)
      pair.message(2, (any) => writeValue(any, value))
    })
  }
}

function writeValue(writer: ProtobufWriter, value: AttributeValue): void {
  if (typeof value === 'string') writer.text(1, value)
  else if (typeof value === 'boolean') writer.integer(2, value ? 1 : 0)
  else if (typeof value !== 'number') {
    writer.message(5, (array) => {
      for (const each of value) array.message(1, (any) => writeValue(any, each))
    })
  } else if (Number.isSafeInteger(value)) writer.integer(3, value)
  else writer.double(4, value)
}

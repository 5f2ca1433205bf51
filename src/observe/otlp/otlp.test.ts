// Spans on the wire: what a receiver reads off the JSON and off the protocol buffers is the same, and what was meant.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OtlpReceiver, startOtlpReceiver } from '../../../test/support/otlp-receiver.ts'
import type { EndedSpan } from '../../tracing/request-trace.ts'
import { toOtlpJson } from './otlp-json.ts'
import { toOtlpProtobuf } from './otlp-protobuf.ts'

const RESOURCE = { 'service.name': 'edge', 'service.version': '1.2.3' }

const SPAN: EndedSpan = {
  name: 'POST /v1/chat/completions',
  kind: 'server',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: null,
  traceState: null,
  startMs: 1_767_000_000_000.125,
  endMs: 1_767_000_001_234.5,
  attributes: {
    text: 'späße',
    count: 300,
    big: 2 ** 40,
    below: -7,
    part: 0.25,
    yes: true,
    no: false,
    list: ['a', 'b'],
  },
  events: [{ name: 'first_byte', atMs: 1_767_000_000_500 }],
  error: 'truncated',
}

const CHILD: EndedSpan = {
  ...SPAN,
  name: 'worker.forward',
  kind: 'client',
  spanId: '00f067aa0ba902b7',
  parentSpanId: SPAN.spanId,
  traceState: 'vendor=x',
  attributes: {},
  events: [],
  error: null,
}

let receiver: OtlpReceiver

beforeAll(async () => void (receiver = await startOtlpReceiver()))
afterAll(() => receiver.close())

test.each([
  ['application/json', () => toOtlpJson([SPAN, CHILD], RESOURCE)],
  ['application/x-protobuf', () => toOtlpProtobuf([SPAN, CHILD], RESOURCE)],
])('%s', async (type, encode) => {
  const before = receiver.spans().length
  const answer = await fetch(receiver.url, { method: 'POST', headers: { 'content-type': type }, body: encode() })
  expect(answer.status).toBe(200)
  const [span, child] = receiver.spans().slice(before)
  expect(span).toEqual({
    traceId: SPAN.traceId,
    spanId: SPAN.spanId,
    parentSpanId: '',
    traceState: '',
    name: SPAN.name,
    kind: 2,
    startNs: 1_767_000_000_000_125_000n,
    endNs: 1_767_000_001_234_500_000n,
    attributes: { ...SPAN.attributes, list: type === 'application/json' ? expect.anything() : ['a', 'b'] },
    events: [{ name: 'first_byte', atNs: 1_767_000_000_500_000_000n }],
    error: 'truncated',
    resource: RESOURCE,
  })
  expect(child).toMatchObject({
    parentSpanId: SPAN.spanId,
    traceState: 'vendor=x',
    kind: 3,
    error: null,
    attributes: {},
  })
})

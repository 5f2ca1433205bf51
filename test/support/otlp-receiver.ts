// A collector that takes spans over HTTP, as JSON and as protocol buffers, and puts their trees together again. It reads the
// wire by the field numbers of opentelemetry-proto, with nothing of ours.

import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { until } from './launch.ts'

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: number
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly { readonly name: string; readonly atNs: bigint }[]
  /** Message of an error; null for a span that did not fail. */
  readonly error: string | null
  readonly resource: Readonly<Record<string, unknown>>
}

/** A span's name with the trees below it, in the order they began. */
export interface SpanTree {
  readonly span: ReceivedSpan
  readonly below: readonly SpanTree[]
}

export interface OtlpReceiver {
  readonly url: string
  readonly port: number
  /** Headers of every message, and its bytes. */
  readonly messages: readonly { readonly headers: IncomingHttpHeaders; readonly path: string; readonly bytes: Buffer }[]
  spans(): readonly ReceivedSpan[]
  /** The tree of the request with this id, once it has come. */
  treeOf(requestId: string): Promise<SpanTree>
  /** What it answers from now on; 0 for never. */
  answerWith(status: number): void
  close(): Promise<void>
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const messages: { headers: IncomingHttpHeaders; path: string; bytes: Buffer }[] = []
  const received: ReceivedSpan[] = []
  let status = 200
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const bytes = Buffer.concat(parts)
      messages.push({ headers: request.headers, path: request.url ?? '', bytes })
      if (status === 0) return
      if (status === 200 && request.url !== '/v1/metrics')
        received.push(...read(request.headers['content-type'] ?? '', bytes))
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on a port
  const findRoot = (requestId: string) =>
    received.find(({ attributes, kind }) => kind === 2 && attributes['vllm.router.request_id'] === requestId)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    messages,
    spans: () => received,
    async treeOf(requestId) {
      await until(
        () => findRoot(requestId) !== undefined,
        15_000,
        () => `no trace of ${requestId}; there are ${received.map(({ name }) => name).join(', ')}`,
      )
      const root = findRoot(requestId)
      if (root === undefined) throw new Error('it was there a moment ago')
      const all = received.filter(({ traceId }) => traceId === root.traceId)
      // Several requests of one caller's trace are several trees.
      if (root.parentSpanId === '') checkWhole(root, all)
      return growTree(root, all)
    },
    answerWith(next) {
      status = next
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Names, with what went wrong behind them, indented by their depth. */
export function outline({ span, below }: SpanTree, depth = 0): string {
  const fault = span.error === null ? '' : ` (${span.error})`
  return [`${'  '.repeat(depth)}${span.name}${fault}`, ...below.map((tree) => outline(tree, depth + 1))].join('\n')
}

/** Throws for a span that is below none, or outlasts the request. */
function checkWhole(root: ReceivedSpan, all: readonly ReceivedSpan[]): void {
  for (const { name, spanId, parentSpanId, startNs, endNs } of all) {
    const isBelow = spanId === root.spanId || all.some((other) => other.spanId === parentSpanId)
    if (!isBelow) throw new Error(`${name} is below nothing`)
    if (startNs > endNs || endNs > root.endNs) throw new Error(`${name} lasts from ${startNs} to ${endNs}`)
  }
}

function growTree(span: ReceivedSpan, all: readonly ReceivedSpan[]): SpanTree {
  const below = all.filter(({ parentSpanId }) => parentSpanId === span.spanId)
  return { span, below: below.map((each) => growTree(each, all)) }
}

function read(type: string, bytes: Buffer): readonly ReceivedSpan[] {
  if (type === 'application/json') return readJson(JSON.parse(bytes.toString()))
  if (type === 'application/x-protobuf') return readProtobuf(bytes)
  throw new Error(`spans as ${type}`)
}

type Json = ReturnType<typeof JSON.parse>

export function readJson(message: Json): readonly ReceivedSpan[] {
  return message.resourceSpans.flatMap(({ resource, scopeSpans }: Json) =>
    scopeSpans.flatMap(({ spans }: Json) =>
      spans.map((span: Json): ReceivedSpan => {
        return {
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId ?? '',
          traceState: span.traceState ?? '',
          name: span.name,
          kind: span.kind,
          startNs: BigInt(span.startTimeUnixNano),
          endNs: BigInt(span.endTimeUnixNano),
          attributes: fromJsonPairs(span.attributes),
          events: span.events.map((event: Json) => ({ name: event.name, atNs: BigInt(event.timeUnixNano) })),
          error: span.status?.code === 2 ? (span.status.message ?? '') : null,
          resource: fromJsonPairs(resource.attributes),
        }
      }),
    ),
  )
}

export function fromJsonPairs(pairs: Json): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value }: Json) => {
      const [[kind, plain] = ['', null]] = Object.entries<Json>(value)
      return [key, kind === 'intValue' ? Number(plain) : plain]
    }),
  )
}

/** Values of a message by field number: numbers of varints, bigints of fixed64, bytes of everything with a length. */
export type Fields = ReadonlyMap<number, readonly (number | bigint | Buffer)[]>

export function readFields(bytes: Buffer): Fields {
  const fields = new Map<number, (number | bigint | Buffer)[]>()
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at)
      at += 1
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const values = fields.get(tag >> 3) ?? []
    fields.set(tag >> 3, values)
    if ((tag & 7) === 0) values.push(Number(BigInt.asIntN(64, varint())))
    else if ((tag & 7) === 1) {
      values.push(bytes.readBigUInt64LE(at))
      at += 8
    } else if ((tag & 7) === 2) {
      const length = Number(varint())
      values.push(bytes.subarray(at, at + length))
      at += length
    } else throw new Error(`wire type ${tag & 7}`)
  }
  if (at !== bytes.length) throw new Error('a field goes beyond its message')
  return fields
}

export const messagesOf = (fields: Fields, field: number) =>
  (fields.get(field) ?? []).map((each) => readFields(each as Buffer))
export const textOf = (fields: Fields, field: number) => (fields.get(field)?.[0] ?? '').toString()
const hexOf = (fields: Fields, field: number) => (fields.get(field)?.[0] as Buffer | undefined)?.toString('hex') ?? ''

function readProtobuf(bytes: Buffer): readonly ReceivedSpan[] {
  return messagesOf(readFields(bytes), 1).flatMap((resourceSpans) => {
    const resource = messagesOf(resourceSpans, 1).map((each) => attributesOf(each, 1))[0] ?? {}
    return messagesOf(resourceSpans, 2).flatMap((scopeSpans) =>
      messagesOf(scopeSpans, 2).map((span): ReceivedSpan => {
        const status = messagesOf(span, 15)[0]
        return {
          traceId: hexOf(span, 1),
          spanId: hexOf(span, 2),
          parentSpanId: hexOf(span, 4),
          traceState: textOf(span, 3),
          name: textOf(span, 5),
          kind: Number(span.get(6)?.[0] ?? 0),
          startNs: span.get(7)?.[0] as bigint,
          endNs: span.get(8)?.[0] as bigint,
          attributes: attributesOf(span, 9),
          events: messagesOf(span, 11).map((event) => ({
            name: textOf(event, 2),
            atNs: event.get(1)?.[0] as bigint,
          })),
          error: status?.get(3)?.[0] === 2 ? textOf(status, 2) : null,
          resource,
        }
      }),
    )
  })
}

export function attributesOf(fields: Fields, field: number): Record<string, unknown> {
  return Object.fromEntries(
    messagesOf(fields, field).map((pair) => {
      const value = messagesOf(pair, 2)[0] ?? new Map()
      return [textOf(pair, 1), anyValueOf(value)]
    }),
  )
}

function anyValueOf(value: Fields): unknown {
  if (value.has(1)) return textOf(value, 1)
  if (value.has(2)) return value.get(2)?.[0] === 1
  if (value.has(3)) return value.get(3)?.[0]
  if (value.has(4)) {
    const bits = Buffer.alloc(8)
    bits.writeBigUInt64LE(value.get(4)?.[0] as bigint)
    return bits.readDoubleLE()
  }
  return messagesOf(value, 5).flatMap((array) => messagesOf(array, 1).map(anyValueOf))
}

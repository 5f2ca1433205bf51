// The spans of one request: one tree, from the request's arrival to the end of its answer. Times are the platform's; nobody
// but the one request touches it.

import { writeTraceparent } from './trace-context.ts'
import { type Random, toSpanId } from './trace-ids.ts'

export type AttributeValue = string | number | boolean | readonly string[]
export type Attributes = Readonly<Record<string, AttributeValue>>

/** What the OpenTelemetry protocol calls them; numbers are its own. */
export const SPAN_KIND = { internal: 1, server: 2, client: 3 } as const
export type SpanKind = keyof typeof SPAN_KIND

export interface SpanEvent {
  readonly name: string
  readonly atMs: number
}

/** A span that has ended, ready to be sent. */
export interface EndedSpan {
  readonly name: string
  readonly kind: SpanKind
  readonly traceId: string
  readonly spanId: string
  /** Null for the first of a trace that began here. */
  readonly parentSpanId: string | null
  /** The caller's `tracestate`, where it sent one. */
  readonly traceState: string | null
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  /** Why it failed, in words without addresses or text of callers; null when it did not. */
  readonly error: string | null
}

export interface OpenTrace {
  now(): number
  readonly random: Random
  readonly traceId: string
  /** The caller's span; null for a trace that begins here. */
  readonly parentSpanId: string | null
  /** What the caller sent with it; null when it sent none. */
  readonly traceState: string | null
  /** What sampling came to: told to whoever is called. Spans are kept of others, too, where those of failures are wanted. */
  readonly isSampled: boolean
}

export class RequestTrace {
  readonly #open: OpenTrace
  readonly #spans: Span[] = []
  readonly isRecorded = true
  /** The server's span: all others are below it. */
  readonly root: Span

  constructor(open: OpenTrace, name: string) {
    this.#open = open
    this.root = this.#begin({ name, kind: 'server', startMs: open.now() }, open.parentSpanId)
  }

  get traceId(): string {
    return this.#open.traceId
  }

  get isSampled(): boolean {
    return this.#open.isSampled
  }

  get traceState(): string | null {
    return this.#open.traceState
  }

  begin(parent: Span, name: string, options: BeginOptions = {}): Span {
    return this.#begin(
      { name, startMs: options.startMs ?? this.#open.now(), kind: options.kind ?? 'internal' },
      parent.spanId,
    )
  }

  /** All of its spans; those that are still open end now, and with `error` where the request failed. */
  end(error: string | null): readonly EndedSpan[] {
    const endMs = this.#open.now()
    const { traceId, traceState } = this.#open
    return this.#spans.map((span) => span.ended({ traceId, traceState, endMs, error }))
  }

  /** For a request that goes out on behalf of a span; null for the server's. */
  traceparent(span: Span | null): string {
    const { spanId } = span ?? this.root
    return writeTraceparent({ traceId: this.#open.traceId, spanId, isSampled: this.#open.isSampled })
  }

  #begin(start: SpanStart, parentSpanId: string | null): Span {
    const span = new Span({ ...start, spanId: toSpanId(this.#open.random), parentSpanId }, this.#open.now)
    this.#spans.push(span)
    return span
  }
}

export interface BeginOptions {
  readonly kind?: SpanKind
  /** When it began, where that is past. */
  readonly startMs?: number
}

interface SpanStart {
  readonly name: string
  readonly kind: SpanKind
  readonly startMs: number
}

export class Span {
  readonly spanId: string
  readonly #start: SpanStart & { readonly parentSpanId: string | null }
  readonly #now: () => number
  readonly #attributes: Record<string, AttributeValue> = {}
  readonly #events: SpanEvent[] = []
  #name: string | null = null
  #error: string | null = null
  #endMs: number | null = null

  constructor(start: SpanStart & Pick<EndedSpan, 'spanId' | 'parentSpanId'>, now: () => number) {
    this.spanId = start.spanId
    this.#start = start
    this.#now = now
  }

  get name(): string {
    return this.#name ?? this.#start.name
  }

  /** What it turned out to be, once that is known. */
  rename(name: string): void {
    this.#name = name
  }

  /** Undefined and null say nothing. */
  set(attributes: Readonly<Record<string, AttributeValue | null | undefined>>): void {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) this.#attributes[name] = value
    }
  }

  note(event: string, atMs: number): void {
    this.#events.push({ name: event, atMs })
  }

  /** Null takes it back: what failed was tried again. */
  fail(error: string | null): void {
    this.#error = error
  }

  /** Only the first call counts. */
  end(): void {
    this.#endMs ??= this.#now()
  }

  /** The same for one that turns out to have been over for a while. */
  endAfter(durationMs: number): void {
    this.#endMs ??= this.#start.startMs + durationMs
  }

  /** `endMs` and `error` are for one that is open. */
  ended({
    traceId,
    traceState,
    endMs,
    error,
  }: Pick<EndedSpan, 'traceId' | 'traceState' | 'endMs' | 'error'>): EndedSpan {
    const { kind, startMs, parentSpanId } = this.#start
    return {
      name: this.name,
      kind,
      traceId,
      spanId: this.spanId,
      parentSpanId,
      traceState,
      startMs,
      endMs: Math.max(startMs, this.#endMs ?? endMs),
      attributes: this.#attributes,
      events: this.#events,
      error: this.#error ?? (this.#endMs === null ? error : null),
    }
  }
}

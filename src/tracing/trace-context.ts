// Trace context of callers (https://www.w3.org/TR/trace-context/, https://www.w3.org/TR/baggage/): passed on where it is
// what it should be. A trace that can't be read is none, so workers begin their own.

/** Version, trace, parent, flags; later versions may add fields behind these. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** The most that baggage may be for everybody to pass it on. */
const MAX_BAGGAGE_BYTES = 8_192

/** Takes out what is no trace context. `tracestate` says nothing without its `traceparent`. */
export function dropBadTraceContext(headers: Record<string, string>): void {
  const { traceparent: parent, baggage = '' } = headers
  if (parent === undefined || !isTraceparent(parent)) {
    delete headers['traceparent']
    delete headers['tracestate']
  }
  if (baggage.length > MAX_BAGGAGE_BYTES) delete headers['baggage']
}

export function isTraceparent(value: string): boolean {
  return readTraceparent(value) !== null
}

/** What a caller's trace says of itself. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** Of the caller's span, 16 hexadecimal digits. */
  readonly spanId: string
  /** Whether the caller records it. */
  readonly isSampled: boolean
}

/** Null for what is no trace context. */
export function readTraceparent(value: string): TraceParent | null {
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(value) ?? []
  if (version === undefined || version === 'ff' || /^0*$/.test(traceId) || /^0*$/.test(spanId)) return null
  if (version === '00' && more !== undefined) return null
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function writeTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
}

// Trace context of callers (https://www.w3.org/TR/trace-context/, https://www.w3.org/TR/baggage/): passed on where it is
// what it should be. A trace that can't be read is none, so workers begin their own.

/** Version, trace, parent, flags; later versions may add fields behind these. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/

/** The most that baggage may be for everybody to pass it on. */
const MAX_BAGGAGE_BYTES = 8_192

/** Takes out what is no trace context. `tracestate` says nothing without its `traceparent`. */
export function dropBadTraceContext(headers: Headers): void {
  const parent = headers.get('traceparent')
  if (parent === null || !isTraceparent(parent)) {
    headers.delete('traceparent')
    headers.delete('tracestate')
  }
  if ((headers.get('baggage')?.length ?? 0) > MAX_BAGGAGE_BYTES) headers.delete('baggage')
}

export function isTraceparent(value: string): boolean {
  const [, version, trace = '', parent = '', more] = TRACEPARENT.exec(value) ?? []
  if (version === undefined || version === 'ff' || /^0*$/.test(trace) || /^0*$/.test(parent)) return false
  return version !== '00' || more === undefined
}

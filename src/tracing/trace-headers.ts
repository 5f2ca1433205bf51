// The trace context that goes out with a call to a service beside the workers. No baggage: it is the caller's, for workers.

import { readTraceparent } from './trace-context.ts'

export type TraceHeaders = Readonly<Partial<Record<'traceparent' | 'tracestate', string>>>

export const NO_TRACE: TraceHeaders = {}

/** As the caller sent it; nothing where that can't be read. */
export function callerTrace(headers: Headers): TraceHeaders {
  const traceparent = headers.get('traceparent')
  if (traceparent === null || readTraceparent(traceparent) === null) return NO_TRACE
  return withState(traceparent, headers.get('tracestate'))
}

export function withState(traceparent: string, tracestate: string | null): TraceHeaders {
  // Runtimes disagree on how to send what is not plain ASCII.
  const isPlain = tracestate !== null && /^[\x20-\x7e]+$/.test(tracestate)
  return isPlain ? { traceparent, tracestate } : { traceparent }
}

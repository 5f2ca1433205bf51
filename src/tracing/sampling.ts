// Whether a request's spans are sent: what its caller decided, else by a share of all traces.

import type { TraceParent } from './trace-context.ts'

/**
 * What sampling goes by of the last 56 bits of a trace id, which W3C Trace Context level 2 says are random: the first 52 of
 * them, as many as a number holds.
 */
const FROM = -14
const TO = -1
const RANGE = 16 ** (TO - FROM)

/** `ratio` from 0 to 1. The same trace comes to the same at every router, so that its spans are all there or none is. */
export function isSampled(traceId: string, parent: TraceParent | null, ratio: number): boolean {
  if (parent !== null) return parent.isSampled
  if (ratio >= 1) return true
  return Number.parseInt(traceId.slice(FROM, TO), 16) >= (1 - ratio) * RANGE
}

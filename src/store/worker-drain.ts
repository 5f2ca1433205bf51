// A worker that an operator takes out: no new requests, what runs may end, and then it is parked until it is wanted again.

import type { DrainPhase } from './fleet-store.ts'

/** What is kept of a drain. */
export interface DrainMemo {
  readonly state: DrainPhase
  readonly sinceMs: number
  readonly deadlineMs: number
  readonly leftRunning: number | null
}

/** Asked again, it sets the deadline anew; one that is parked stays so. */
export function startDrain(known: DrainMemo | null, deadlineMs: number, nowMs: number): DrainMemo {
  if (known?.state === 'parked') return known
  return { state: 'draining', sinceMs: known?.sinceMs ?? nowMs, deadlineMs, leftRunning: null }
}

export interface KnownWork {
  readonly inFlight: number
  /** From when on nothing in flight means that nothing is: before, not every router has heard, and been heard. */
  readonly provenFromMs: number
}

/** Where a drain stands now. */
export function moveDrain(drain: DrainMemo, { inFlight, provenFromMs }: KnownWork, nowMs: number): DrainMemo {
  if (drain.state === 'parked') return drain
  if (inFlight === 0 && nowMs >= provenFromMs) return { ...drain, state: 'parked' }
  if (nowMs < drain.deadlineMs) return drain
  return { ...drain, state: 'parked', leftRunning: inFlight }
}

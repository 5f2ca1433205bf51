// How many times its reference a part costs: both in turn, in many short rounds, and the least of each. A round is shorter
// than the time a scheduler gives, so that even on a crowded machine some rounds have a core for themselves. V8 must run as one
// thread (`--single-threaded`), or its collector and compiler would wait for helpers that get no core. Clocks of CPU time
// are too coarse for rounds this short on some machines.

import type { Part } from './parts.ts'
import { REFERENCES } from './reference.ts'

export interface MeasureOptions {
  readonly rounds: number
  readonly roundMs: number
}

type Task = () => void | Promise<unknown>

/** Times its reference, at the least that was seen of both. */
export async function measureRatio(part: Part, { rounds, roundMs }: MeasureOptions): Promise<number> {
  const reference = REFERENCES[part.reference]
  const [calls, referenceCalls] = [await callsIn(part.task, roundMs), await callsIn(reference, roundMs)]
  let [least, leastReference] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let round = 0; round < rounds; round += 1) {
    leastReference = Math.min(leastReference, await timeOf(reference, referenceCalls))
    least = Math.min(least, await timeOf(part.task, calls))
  }
  return least / leastReference
}

/** Warms the code up, and finds out how many calls make a round. */
async function callsIn(task: Task, roundMs: number): Promise<number> {
  let calls = 1
  for (let warm = 0; warm < 30;) {
    const tookMs = (await timeOf(task, calls)) * calls
    if (tookMs < roundMs / 2) calls *= 2
    else warm += 1
  }
  return calls
}

/** Milliseconds a call. */
async function timeOf(task: Task, calls: number): Promise<number> {
  const begin = performance.now()
  for (let call = 0; call < calls; call += 1) {
    const pending = task()
    // Awaiting what is no promise would time the microtask queue.
    if (pending !== undefined) await pending
  }
  return (performance.now() - begin) / calls
}

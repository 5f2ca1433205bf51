// Times code of this very process, in rounds: the least is what the code costs, the median what a busy machine makes
// of it. CPU time, not the clock: others share these cores.

import { type Spread, spreadOf } from './statistics.ts'

export interface RoundsOptions {
  readonly rounds?: number
  /** How long a round takes, about. */
  readonly roundMs?: number
}

/** Microseconds of CPU per call, those of the garbage collector's threads included. */
export async function measureMicroseconds(
  task: () => void | Promise<unknown>,
  { rounds = 15, roundMs = 60 }: RoundsOptions = {},
): Promise<Spread> {
  const calls = await callsIn(task, roundMs)
  const costs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage()
    await repeat(task, calls)
    const { user, system } = process.cpuUsage(before)
    costs.push((user + system) / calls)
  }
  return spreadOf(costs)
}

/** Warms the code up, and finds out how many calls make a round. */
async function callsIn(task: () => void | Promise<unknown>, roundMs: number): Promise<number> {
  let calls = 1
  for (let warm = 0; warm < 3;) {
    const begin = performance.now()
    await repeat(task, calls)
    const tookMs = performance.now() - begin
    if (tookMs < roundMs / 2) calls *= 2
    else warm += 1
  }
  return calls
}

async function repeat(task: () => void | Promise<unknown>, calls: number): Promise<void> {
  for (let call = 0; call < calls; call += 1) {
    const pending = task()
    // Awaiting what is no promise would time the microtask queue.
    if (pending !== undefined) await pending
  }
}

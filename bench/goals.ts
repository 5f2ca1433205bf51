// Which figures of a comparison have a goal, and whether it was reached.

import type { Comparison, Ratio } from './compare.ts'
import { RUNTIMES, type RuntimeName } from './targets.ts'

export interface Goal {
  readonly what: string
  readonly found: string
  readonly limit: string
  readonly isMet: boolean
}

/** The least share of the pass-through's requests per second, for 2 KB chats under load. */
const FLOORS: Readonly<Record<RuntimeName, number>> = { workerd: 0.8, node: 0.75, bun: 0.75, deno: 0.75 }

/** Added latency over one connection. */
const MAX_ADDED_P50_MS = 0.3

/** Requests per second of the router on Node over Portkey's. */
const PORTKEY_FACTOR = 4

export function goalsOf(comparisons: readonly Comparison[]): readonly Goal[] {
  return comparisons.filter(({ plan }) => plan.load === 'chat-2kb').flatMap(goalsIn)
}

function goalsIn({ plan: { connections, rate }, ratios }: Comparison): readonly Goal[] {
  const over = `2 KB chats over ${connections === 1 ? '1 connection' : `${connections} connections`}`
  const goals: Goal[] = []
  for (const runtime of RUNTIMES) {
    const bare = ratioOf(ratios, `${runtime} router`, `${runtime} pass-through`)
    if (bare === null || rate !== null) continue
    goals.push(connections === 1 ? latencyGoal(runtime, over, bare) : floorGoal(runtime, over, bare))
  }
  const rival = ratioOf(ratios, 'node router', 'portkey')
  if (rival !== null && connections > 1)
    goals.push(...portkeyGoals(rate === null ? over : `${over}, fixed rate`, rival, rate))
  return goals
}

function ratioOf(ratios: readonly Ratio[], name: string, baseline: string): Ratio | null {
  return ratios.find((ratio) => ratio.name === name && ratio.baseline === baseline) ?? null
}

function latencyGoal(runtime: RuntimeName, over: string, { addedP50Ms: { median } }: Ratio): Goal {
  return {
    what: `${runtime}: added p50, ${over}`,
    found: `${median.toFixed(3)} ms`,
    limit: `at most ${MAX_ADDED_P50_MS} ms`,
    isMet: median <= MAX_ADDED_P50_MS,
  }
}

function floorGoal(runtime: RuntimeName, over: string, { requestsPerSecond: { median } }: Ratio): Goal {
  const floor = FLOORS[runtime]
  return {
    what: `${runtime}: router / pass-through, ${over}`,
    found: median.toFixed(2),
    limit: `at least ${floor}`,
    isMet: median >= floor,
  }
}

function portkeyGoals(over: string, { requestsPerSecond, p99 }: Ratio, rate: number | null): readonly Goal[] {
  const lower = {
    what: `node router / portkey: p99, ${over}`,
    found: p99.median.toFixed(2),
    limit: 'below 1',
    isMet: p99.median < 1,
  }
  if (rate !== null) return [lower]
  const faster = {
    what: `node router / portkey: requests per second, ${over}`,
    found: requestsPerSecond.median.toFixed(2),
    limit: `at least ${PORTKEY_FACTOR}`,
    isMet: requestsPerSecond.median >= PORTKEY_FACTOR,
  }
  return [faster, lower]
}

// Which runs there are. A run is plain data, so that any thread can do it, and says by itself what its figures are of.

import { BASELINE, CONTENDER_NAMES, type ContenderName } from './contenders.ts'
import { CACHE_BLOCKS, SMALL_CACHE_BLOCKS } from './model.ts'

/** One fleet and one trace: has one capacity. */
export interface FleetPlan {
  readonly trace: string
  readonly workers: number
  readonly cacheBlocks: number
}

export interface RunPlan extends FleetPlan {
  readonly contender: ContenderName
  /** Offered, as a share of the fleet's capacity. */
  readonly load: number
  readonly routers: number
}

export interface Extent {
  readonly traces: readonly string[]
  readonly fleets: readonly number[]
  readonly loads: readonly number[]
  readonly contenders: readonly ContenderName[]
}

/** Where the goals are stated. */
export const GOAL_WORKERS = 8
export const GOAL_LOAD = 0.85

/** Routers beside each other that know nothing of each other's prompts. */
export const MANY_ROUTERS = 4

/** What is asked about several routers: the baseline, and whoever knows of caches. */
const AMONG_ROUTERS: readonly ContenderName[] = [
  BASELINE,
  'consistent_hash',
  'cache_aware',
  'lmcache_aware (prefix_lookup)',
]

/** Every policy at every load on every fleet. */
export function mainRuns({ traces, fleets, loads, contenders }: Extent): readonly RunPlan[] {
  return traces.flatMap((trace) =>
    fleets.flatMap((workers) =>
      loads.flatMap((load) =>
        contenders.map((contender) => ({ trace, workers, cacheBlocks: CACHE_BLOCKS, contender, load, routers: 1 })),
      ),
    ),
  )
}

/** The goals' fleet and load with several routers. */
export function routerRuns({ traces, contenders }: Extent): readonly RunPlan[] {
  const fleet = { workers: GOAL_WORKERS, cacheBlocks: CACHE_BLOCKS, load: GOAL_LOAD, routers: MANY_ROUTERS }
  const asked = AMONG_ROUTERS.filter((contender) => contenders.includes(contender))
  return traces.flatMap((trace) => asked.map((contender) => ({ ...fleet, trace, contender })))
}

/** The goals' fleet and load with engines that keep their prefixes on the GPU alone. */
export function smallCacheRuns({ traces, contenders }: Extent): readonly RunPlan[] {
  const fleet = { workers: GOAL_WORKERS, cacheBlocks: SMALL_CACHE_BLOCKS, load: GOAL_LOAD, routers: 1 }
  return traces.flatMap((trace) => contenders.map((contender) => ({ ...fleet, trace, contender })))
}

/** The fleets of these runs, each once. */
export function fleetsOf(runs: readonly RunPlan[]): readonly FleetPlan[] {
  const fleets = new Map<string, FleetPlan>()
  for (const run of runs) {
    const { trace, workers, cacheBlocks } = run
    fleets.set(fleetKey(run), { trace, workers, cacheBlocks })
  }
  return [...fleets.values()]
}

export function fleetKey({ trace, workers, cacheBlocks }: FleetPlan): string {
  return `${trace}/${workers}/${cacheBlocks}`
}

export const ALL: Extent = {
  traces: ['synthetic_trace', 'conversation_trace_first_half'],
  fleets: [4, 8, 16],
  loads: [0.6, 0.85, 1.05],
  contenders: CONTENDER_NAMES,
}

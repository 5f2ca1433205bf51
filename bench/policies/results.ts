// What came of the runs, and how to find one of them.

import type { Extent, RunPlan } from './matrix.ts'
import type { Figures } from './outcome.ts'

export interface DoneRun {
  readonly plan: RunPlan
  readonly figures: Figures
}

export interface TraceFacts {
  readonly name: string
  readonly requests: number
  readonly meanPromptTokens: number
  readonly meanOutputTokens: number
  /** Shares of what came before, by tokens of whole prefixes and by blocks. */
  readonly ceiling: number
  readonly blockCeiling: number
}

export interface Results {
  readonly extent: Extent
  readonly traces: readonly TraceFacts[]
  /** Requests a second by fleet, as `fleetKey` names them. */
  readonly capacities: ReadonlyMap<string, number>
  readonly main: readonly DoneRun[]
  readonly routers: readonly DoneRun[]
  readonly smallCaches: readonly DoneRun[]
}

/** The figures of the run that is like `wanted`; null when there is none. */
export function findFigures(runs: readonly DoneRun[], wanted: Partial<RunPlan>): Figures | null {
  return findRuns(runs, wanted)[0]?.figures ?? null
}

/** All runs that are like `wanted`. */
export function findRuns(runs: readonly DoneRun[], wanted: Partial<RunPlan>): readonly DoneRun[] {
  return runs.filter(({ plan }) =>
    PLAN_FIELDS.every((name) => wanted[name] === undefined || wanted[name] === plan[name]),
  )
}

const PLAN_FIELDS = ['trace', 'workers', 'cacheBlocks', 'contender', 'load', 'routers'] as const

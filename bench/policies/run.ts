// Does one run, or measures one fleet, and keeps what it has made of a trace for the next.

import { ceilingOf } from './ceiling.ts'
import { BASELINE, contenderOf } from './contenders.ts'
import type { FleetPlan, RunPlan } from './matrix.ts'
import { CONTROLLER_MODEL, engineModel, FAST_BLOCK_TOKENS, IN_FLIGHT_AT_CAPACITY, SEED } from './model.ts'
import { type Figures, figuresOf } from './outcome.ts'
import { prepare, type PreparedTrace } from './prepared.ts'
import { measureRate, simulate, type Simulation } from './simulate.ts'
import { atRate, readTrace, spreadArrivals, type TraceRequest } from './trace.ts'

export interface TraceSource {
  readonly directory: string
  /** Requests of each trace, from its beginning. */
  readonly limit: number
}

export interface Runner {
  /** Requests a second that the fleet gets done. */
  capacityOf(plan: FleetPlan): number
  figuresOf(plan: RunPlan, capacity: number): Figures
}

interface Loaded {
  readonly requests: readonly TraceRequest[]
  readonly prepared: PreparedTrace
  readonly ceiling: number
}

export function createRunner({ directory, limit }: TraceSource): Runner {
  const traces = new Map<string, Loaded>()
  const load = (name: string): Loaded => {
    const known = traces.get(name)
    if (known !== undefined) return known
    const requests = readTrace(directory, name, limit)
    const prepared = prepare(requests, FAST_BLOCK_TOKENS)
    const loaded = { requests, prepared, ceiling: ceilingOf(requests).tokenShare }
    traces.set(name, loaded)
    return loaded
  }
  return {
    capacityOf(plan) {
      const run = { ...plan, contender: BASELINE, routers: 1 }
      return measureRate(simulationOf(run, load(plan.trace).prepared), IN_FLIGHT_AT_CAPACITY * plan.workers)
    },
    figuresOf(plan, capacity) {
      const { requests, prepared, ceiling } = load(plan.trace)
      const arrivals = atRate(spreadArrivals(requests, SEED), capacity * plan.load)
      return figuresOf(simulate(simulationOf(plan, prepared), arrivals), plan.workers, ceiling)
    },
  }
}

function simulationOf(
  { contender, workers, routers, cacheBlocks }: Omit<RunPlan, 'load'>,
  trace: PreparedTrace,
): Simulation {
  const { policy, isOmniscient } = contenderOf(contender)
  const engine = engineModel(cacheBlocks)
  return { trace, policy, isOmniscient, workers, routers, engine, controller: CONTROLLER_MODEL }
}

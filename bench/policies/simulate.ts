// One run in virtual time: a trace arrives at routers, they decide, engines answer. The same arguments give the same
// outcomes, to the last bit.

import type { Policy } from '../../src/routing/policy.ts'
import { VirtualClock } from '../../src/simulator/clock.ts'
import { type ControllerModel, VirtualController } from './controller.ts'
import { type EngineModel, VirtualWorker } from './fleet.ts'
import { engineKnowledge, IndexKnowledge, type Knowledge, joinKnowledge, lmcacheKnowledge } from './knowledge.ts'
import type { Outcome } from './outcome.ts'
import type { PreparedTrace } from './prepared.ts'
import { type SharedFleet, VirtualRouter } from './router.ts'

export interface Simulation {
  readonly trace: PreparedTrace
  readonly policy: Policy
  /** Whether the policy is told of caches and queues as they are, not as a router can know them. */
  readonly isOmniscient: boolean
  readonly workers: number
  /** Each with an index of its own; requests come to them in turn. */
  readonly routers: number
  readonly engine: EngineModel
  readonly controller: ControllerModel
}

/** Requests come when they come, whatever became of those before: `arrivals` in milliseconds, one for each. */
export function simulate(simulation: Simulation, arrivals: readonly number[]): readonly Outcome[] {
  const { clock, routers } = build(simulation)
  const outcomes: Outcome[] = []
  for (const [at, request] of simulation.trace.requests.entries()) {
    clock.after(arrivals[at] ?? 0, () => {
      routers[at % routers.length]?.handle(request, (outcome) => (outcomes[at] = outcome))
    })
  }
  clock.runAll()
  return outcomes
}

/**
 * Requests come as fast as they are answered: `inFlight` are under way at any time. Returns how many a second were taken
 * up on average, until the last one was.
 */
export function measureRate(simulation: Simulation, inFlight: number): number {
  const { clock, routers } = build(simulation)
  const { requests } = simulation.trace
  // Of a short trace half are left that come at the fleet's own rate.
  const atOnce = Math.min(inFlight, Math.floor(requests.length / 2))
  let next = 0
  let lastAtMs = 0
  const take = (): void => {
    const at = next++
    const request = requests[at]
    if (request === undefined) return
    lastAtMs = clock.now()
    routers[at % routers.length]?.handle(request, take)
  }
  for (let started = 0; started < atOnce; started += 1) take()
  clock.runAll()
  // What was there at the beginning came at no rate.
  return ((requests.length - atOnce) * 1_000) / lastAtMs
}

function build(simulation: Simulation): { readonly clock: VirtualClock; readonly routers: readonly VirtualRouter[] } {
  const { policy, engine } = simulation
  const clock = new VirtualClock()
  const controller = policy.needs.lmcache === undefined ? null : new VirtualController(clock, simulation.controller)
  const workers = Array.from({ length: simulation.workers }, (_, at) => {
    const id = `http://10.0.0.${at + 1}:8000`
    const watcher = controller?.watcherFor(id) ?? null
    return new VirtualWorker(id, { ...engine, seed: at }, { clock, watcher })
  })
  const routers: VirtualRouter[] = []
  let ticket = 0
  const fleet: SharedFleet = { clock, workers, policy, nextTicket: () => ticket++, routers: () => routers }
  for (let at = 0; at < simulation.routers; at += 1) {
    routers.push(new VirtualRouter(fleet, knowledgeOf(simulation, workers, controller)))
  }
  return { clock, routers }
}

function knowledgeOf(
  { policy, trace, isOmniscient, engine }: Simulation,
  workers: readonly VirtualWorker[],
  controller: VirtualController | null,
): Knowledge {
  const { prefix, lmcache } = policy.needs
  if (isOmniscient) return engineKnowledge(workers, costOfToken(engine))
  const ids = workers.map(({ id }) => id)
  const index = prefix === undefined ? null : new IndexKnowledge(trace, prefix, ids)
  const ofLmcache = lmcache === undefined || controller === null ? null : lmcacheKnowledge(controller, lmcache, index)
  return joinKnowledge([index, ofLmcache].filter((part) => part !== null))
}

/** What a token costs in an engine that is busy with prefills: its own time and its part of a full step. */
export function costOfToken({ itlMs, stepTokens, prefillMsPerToken }: EngineModel): number {
  return stepTokens === 0 ? prefillMsPerToken : prefillMsPerToken + itlMs / stepTokens
}

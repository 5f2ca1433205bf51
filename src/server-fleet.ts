// The fleet of a process: its state in memory or shared through Redis, its prober on a timer, and the way from one pool of
// workers to the next.

import type { Config } from './config/config.ts'
import type { Platform } from './platform.ts'
import type { AssembleOptions } from './router.ts'
import type { FleetConfig } from './store/fleet-health.ts'
import type { FleetStore } from './store/fleet-store.ts'
import { type OpenRoot, SHARED_DRAIN_SETTLE_MS } from './store/led-state.ts'
import { createMemoryFleetStore, type MemoryFleetStore } from './store/memory.ts'
import { LEAVING_MS, PoolTransition, PREPARE_MS } from './store/pool-transition.ts'
import { RedisFleet, type RedisFleetOptions } from './store/redis-fleet.ts'
import { createOccupancyPoller } from './upstream/lmcache/occupancy-poller.ts'
import { startOccupancyTimer } from './upstream/lmcache/occupancy-timer.ts'
import { createProber } from './upstream/probe.ts'

export interface ServerFleet {
  readonly store: FleetStore
  /** What the router does about the fleet when its configuration changes. */
  readonly changes: Pick<AssembleOptions, 'prepare' | 'abandon' | 'onConfig'>
  /**
   * Has a router report what it has in flight at the end of each round: what workers then counted can be told apart into
   * its requests and others.
   */
  reportBy(report: () => Promise<void>): void
  /** Stops probing, and leaves the fleet. */
  close(): Promise<void>
}

type FleetPlatform = Pick<Platform, 'now' | 'after' | 'random' | 'randomId' | 'send' | 'binding'>

/** What a process shares its fleet through. */
export type SharedFleet = Pick<RedisFleetOptions, 'link' | 'keyPrefix' | 'onRole'>

interface OpenState extends Partial<OpenRoot> {
  /** Ids of the workers that it is about; all of the pool when left out. */
  readonly only?: ReadonlySet<string>
}

/** `shared` is null for a process that is a fleet of its own. */
export function createServerFleet(config: Config, platform: FleetPlatform, shared: SharedFleet | null): ServerFleet {
  const { now, after } = platform
  const transition = new PoolTransition(config)
  let report: () => Promise<void> = async () => {}

  function openState({ kept = [], mayProbe, only }: OpenState): MemoryFleetStore {
    const pool = () => onlyThese(transition.pool(now()), only ?? null)
    const prober = createProber(platform, pool)
    let isFirst = true
    async function probe(doubted: ReadonlySet<string>) {
      if (mayProbe !== undefined && !(await mayProbe())) return []
      const observations = await prober.round(doubted)
      // Reports wait for the first round, so that one must not wait for them.
      if (!isFirst) await report()
      isFirst = false
      return observations
    }
    const life = platform.randomId()
    const options = { config: pool(), life, kept, now, after, probe, nextProbeMs: () => prober.nextRoundMs() }
    const state = createMemoryFleetStore(
      shared === null ? options : { ...options, drainSettleMs: SHARED_DRAIN_SETTLE_MS },
    )
    // Who looks after a few workers that others do not know leaves the rest to them.
    return only === undefined
      ? withOccupancy(state, { platform, pool, mayPoll: mayProbe ?? (async () => true) })
      : state
  }

  const store = shared === null ? openState({}) : openShared({ platform, shared, openState, transition })
  const configure = () => void store.configure(transition.pool(now()))
  const changes: ServerFleet['changes'] = {
    async prepare(next) {
      const steps = transition.towards(next, now()).map((pool) => store.configure(pool))
      if (transition.mustAsk()) await withinMs(platform, PREPARE_MS, Promise.all(steps))
    },
    abandon() {
      transition.abandon()
      configure()
    },
    onConfig(next) {
      transition.arrive(next, now())
      configure()
      // Once requests under the configuration before have ended, its workers are forgotten.
      after(LEAVING_MS, configure)
    },
  }
  return {
    store,
    changes,
    reportBy(next) {
      report = next
    },
    close: async () => store.close(),
  }
}

interface OccupancyParts {
  readonly platform: FleetPlatform
  readonly pool: () => Config
  mayPoll(): Promise<boolean>
}

/** The state with the polls of LMCache's control plane that go with it. */
function withOccupancy(state: MemoryFleetStore, { platform, pool, mayPoll }: OccupancyParts): MemoryFleetStore {
  const needs = () => pool().policy.needs.lmcache ?? null
  const poller = createOccupancyPoller({ platform, needs, onHeard: state.noteLmcache })
  const timer = startOccupancyTimer(platform, poller, mayPoll)
  return {
    ...state,
    configure(next) {
      timer.look()
      return state.configure(next)
    },
    close() {
      timer.close()
      state.close()
    },
  }
}

/** A fleet that this process holds or takes part in. */
type OwnFleet = FleetStore & { configure(config: FleetConfig): Promise<void>; close(): void | Promise<void> }

interface SharedParts {
  readonly platform: FleetPlatform
  readonly shared: SharedFleet
  readonly transition: PoolTransition<Config>
  openState(options: OpenState): MemoryFleetStore
}

function openShared({ platform, shared, transition, openState }: SharedParts): OwnFleet {
  const { now, after, random, randomId } = platform
  const ownWorkers = {
    workerIds: () => transition.pool(now()).workers.map(({ id }) => id),
    open: (only: ReadonlySet<string>) => openState({ only }),
  }
  return new RedisFleet({ ...shared, now, after, random, randomId, openRoot: openState, ownWorkers })
}

function onlyThese(pool: Config, ids: ReadonlySet<string> | null): Config {
  return ids === null ? pool : { ...pool, workers: pool.workers.filter(({ id }) => ids.has(id)) }
}

async function withinMs({ after }: Pick<Platform, 'after'>, limitMs: number, work: Promise<unknown>): Promise<void> {
  let callOff = () => {}
  const late = new Promise<void>((resolve) => {
    callOff = after(limitMs, resolve)
  })
  await Promise.race([work, late])
  callOff()
}

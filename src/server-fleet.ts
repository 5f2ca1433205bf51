// The fleet of a process: its state in memory, its prober on a timer, and the way from one pool of workers to the next.

import type { Config } from './config/config.ts'
import type { Platform } from './platform.ts'
import type { AssembleOptions } from './router.ts'
import { createMemoryFleetStore, type MemoryFleetStore } from './store/memory.ts'
import { LEAVING_MS, PoolTransition, PREPARE_MS } from './store/pool-transition.ts'
import { createProber } from './upstream/probe.ts'

export interface ServerFleet {
  readonly store: MemoryFleetStore
  /** What the router does about the fleet when its configuration changes. */
  readonly changes: Pick<AssembleOptions, 'prepare' | 'abandon' | 'onConfig'>
  /**
   * Has a router report what it has in flight at the end of each round: what workers then counted can be told apart into
   * its requests and others.
   */
  reportBy(report: () => Promise<void>): void
}

export function createServerFleet(
  config: Config,
  platform: Pick<Platform, 'now' | 'after' | 'random' | 'send' | 'binding'>,
): ServerFleet {
  const { now, after } = platform
  const transition = new PoolTransition(config)
  const prober = createProber(platform, () => transition.pool(now()))
  let report: () => Promise<void> = async () => {}
  let isFirst = true
  async function probe(doubted: ReadonlySet<string>) {
    const observations = await prober.round(doubted)
    // Reports wait for the first round, so that one must not wait for them.
    if (!isFirst) await report()
    isFirst = false
    return observations
  }
  const store = createMemoryFleetStore({ config, now, after, probe, nextProbeMs: () => prober.nextRoundMs() })
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
  }
}

async function withinMs({ after }: Pick<Platform, 'after'>, limitMs: number, work: Promise<unknown>): Promise<void> {
  let callOff = () => {}
  const late = new Promise<void>((resolve) => {
    callOff = after(limitMs, resolve)
  })
  await Promise.race([work, late])
  callOff()
}

// Puts a router together: configuration, platform, and the observers of its pipeline.

import { createApp, type FetchHandler } from './app.ts'
import type { Config } from './config/config.ts'
import { createCounters, type Counters } from './observe/counters.ts'
import { createDecisionRing, type DecisionRing } from './observe/decision-ring.ts'
import { createLog } from './observe/log.ts'
import { fanOut } from './pipeline/events.ts'
import { createHookGroups } from './pipeline/hooks.ts'
import type { Platform } from './platform.ts'
import { FleetMirror } from './store/fleet-mirror.ts'
import { RetryBudget } from './upstream/retry-budget.ts'

export interface Router {
  readonly fetch: FetchHandler
  /** Refuses new work from now on; what runs goes on. */
  drain(): void
  /** Requests that have a worker at the moment, streams included. */
  inFlight(): number
  readonly decisions: Pick<DecisionRing, 'recent'>
  readonly counters: Pick<Counters, 'snapshot'>
}

/** A router for one configuration on one platform. Lives as long as the process or isolate. */
export function assembleRouter(config: Config, platform: Platform): Router {
  const decisions = createDecisionRing()
  const counters = createCounters()
  const events = fanOut([decisions, counters, createLog(config.logLevel, platform.writeLine)])
  const mirror = new FleetMirror({
    store: platform.fleet,
    workers: config.workers,
    now: platform.now,
    random: platform.random,
    randomId: platform.randomId,
    onSyncFailed: events.fleetSyncFailed,
  })
  let isDraining = false
  const fetch = createApp({
    config,
    platform,
    mirror,
    hookGroups: createHookGroups(config.hooks, platform.now),
    events,
    retryBudget: new RetryBudget(toBudget(config), platform.now),
    hedgeBudget: config.hedge === null ? null : new RetryBudget(hedgeShare(config.hedge.maxShare), platform.now),
    isDraining: () => isDraining,
  })
  return {
    fetch,
    drain() {
      isDraining = true
    },
    inFlight: () => mirror.inFlight(),
    decisions,
    counters,
  }
}

function toBudget({ retry: { budget } }: Config) {
  return { ratio: budget.ratio, windowMs: budget.windowMs, minExtra: budget.minRetries }
}

/** Over which time the share of hedged requests is held. */
const HEDGE_WINDOW_MS = 10_000

function hedgeShare(ratio: number) {
  return { ratio, windowMs: HEDGE_WINDOW_MS, minExtra: 0 }
}

// Everything that is made from one configuration. A request belongs to the generation that was current when it came, and
// ends under it.

import { createApp, type FetchHandler } from './app.ts'
import type { Config } from './config/config.ts'
import type { AdminParts } from './control/admin-parts.ts'
import { createCallers } from './pipeline/callers.ts'
import { createHookGroups } from './pipeline/hooks.ts'
import type { RouterParts } from './pipeline/router-parts.ts'
import type { FleetLink } from './store/fleet-link.ts'
import { FleetMirror } from './store/fleet-mirror.ts'
import { RetryBudget, type RetryBudgetOptions } from './upstream/retry-budget.ts'

export interface Generation {
  readonly parts: RouterParts
  readonly fetch: FetchHandler
}

/** What generations have in common: it outlives each of them. */
export interface GenerationContext extends Pick<
  RouterParts,
  'platform' | 'admission' | 'limits' | 'events' | 'viewDocuments' | 'isDraining'
> {
  readonly link: FleetLink
  readonly admin: AdminParts
}

/** `earlier` hands on what has not changed: breakers of hooks, and budgets with what was spent of them. */
export function createGeneration(config: Config, context: GenerationContext, earlier: Generation | null): Generation {
  const { link, admin, ...shared } = context
  const { platform, events } = shared
  const before = earlier?.parts ?? null
  const parts: RouterParts = {
    ...shared,
    config,
    mirror: new FleetMirror(link, config),
    callers: createCallers({
      config,
      platform,
      onKeyServiceFailure: events.keyServiceFailed,
      earlier: before?.callers,
    }),
    hookGroups: createHookGroups(config.hooks, platform.now, before?.hookGroups),
    retryBudget: budgetFor(
      retryOptions(config),
      platform.now,
      before && [retryOptions(before.config), before.retryBudget],
    ),
    hedgeBudget: hedgeBudgetFor(config, before, platform.now),
  }
  return { parts, fetch: createApp(parts, admin) }
}

function hedgeBudgetFor({ hedge }: Config, before: RouterParts | null, now: () => number): RetryBudget | null {
  if (hedge === null) return null
  const earlier = before?.config.hedge ?? null
  const budget = before?.hedgeBudget ?? null
  return budgetFor(hedgeOptions(hedge.maxShare), now, earlier && budget && [hedgeOptions(earlier.maxShare), budget])
}

type EarlierBudget = readonly [RetryBudgetOptions, RetryBudget]

/** The earlier budget where it means the same: a reload must not hand everybody a full one. */
function budgetFor(options: RetryBudgetOptions, now: () => number, earlier: EarlierBudget | null): RetryBudget {
  const isSame = earlier !== null && JSON.stringify(earlier[0]) === JSON.stringify(options)
  return isSame ? earlier[1] : new RetryBudget(options, now)
}

function retryOptions({ retry: { budget } }: Config): RetryBudgetOptions {
  return { ratio: budget.ratio, windowMs: budget.windowMs, minExtra: budget.minRetries }
}

/** Over which time the share of hedged requests is held. */
const HEDGE_WINDOW_MS = 10_000

function hedgeOptions(ratio: number): RetryBudgetOptions {
  return { ratio, windowMs: HEDGE_WINDOW_MS, minExtra: 0 }
}

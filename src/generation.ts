// Everything that is made from one configuration. A request belongs to the generation that was current when it came, and
// ends under it.

import { equalSettings } from './secret.ts'
import { createApp, type FetchHandler } from './app.ts'
import type { CacheRedisConfig } from './config/cache-redis-schema.ts'
import type { Config } from './config/config.ts'
import type { AdminParts } from './control/admin-parts.ts'
import { createCallers } from './pipeline/callers.ts'
import { clusterIndexFor } from './pipeline/cluster-index.ts'
import { createHookGroups } from './pipeline/hooks.ts'
import { responseCachesFor } from './pipeline/open-response-cache.ts'
import { createLmcacheDesk } from './pipeline/lmcache-desk.ts'
import { signalServersFor } from './pipeline/signal-servers.ts'
import type { RouterParts } from './pipeline/router-parts.ts'
import { sharedPrefixesFor } from './pipeline/shared-prefixes.ts'
import { tokenCacheFor } from './pipeline/token-cache.ts'
import { candidatesOf } from './record/view-document.ts'
import { createSpanExporter } from './observe/otlp/span-exporter.ts'
import type { SpanSink } from './pipeline/tracing.ts'
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
  | 'platform'
  | 'admission'
  | 'redis'
  | 'limits'
  | 'promptCaches'
  | 'embedders'
  | 'vectorKeeper'
  | 'events'
  | 'viewDocuments'
  | 'isDraining'
> {
  readonly link: FleetLink
  readonly admin: AdminParts
}

/** `earlier` hands on what has not changed: breakers of hooks, and budgets with what was spent of them. */
export function createGeneration(config: Config, context: GenerationContext, earlier: Generation | null): Generation {
  const { link, admin, ...shared } = context
  const { platform, events, embedders, vectorKeeper } = shared
  const before = earlier?.parts ?? null
  shared.promptCaches.use(config.policy.needs.prefix, placesOf(config.workers))
  shared.redis.keepOnly(redisOf(config))
  const references = { platform, embedders, vectorKeeper, onChange: events.referencesChanged }
  const parts: RouterParts = {
    ...shared,
    config,
    mirror: new FleetMirror(link, config),
    sharedPrefixes: sharedPrefixesFor(config, shared, before),
    callers: createCallers({
      config,
      platform,
      onKeyServiceFailure: events.keyServiceFailed,
      earlier: before?.callers,
    }),
    ...responseCachesFor(config, { ...shared, purges: () => link.snapshot()?.purges ?? null }, before),
    signalServers: signalServersFor(config, references, before && [before.config, before.signalServers]),
    clusters: clusterIndexFor(
      config.semanticCluster,
      references,
      before && [before.config.semanticCluster, before.clusters],
    ),
    lmcache: createLmcacheDesk(config, platform, before?.lmcache ?? null),
    tokenCache: tokenCacheFor(config, shared, before),
    hookGroups: createHookGroups(config.hooks, platform.now, before?.hookGroups),
    retryBudget: budgetFor(
      retryOptions(config),
      platform.now,
      before && [retryOptions(before.config), before.retryBudget],
    ),
    hedgeBudget: hedgeBudgetFor(config, before, platform.now),
    spans: spansFor(config, before, { platform, events }),
  }
  parts.clusters?.warm()
  parts.signalServers.warm()
  return { parts, fetch: createApp(parts, admin) }
}

/** URLs by candidate id. */
function placesOf(workers: Config['workers']): ReadonlyMap<string, string> {
  const urls = new Map(workers.map(({ id, url }) => [id, url]))
  return new Map(candidatesOf(workers).map(({ id, workerId }) => [id, urls.get(workerId) ?? '']))
}

/** Every Redis that this configuration keeps something in. */
function redisOf({ promptCache, sharedPrefixes, responseCache, semanticCache }: Config): readonly CacheRedisConfig[] {
  const hints = sharedPrefixes?.store.kind === 'redis' ? sharedPrefixes.store.redis : null
  return [promptCache?.redis, responseCache?.redis, semanticCache?.redis, hints].filter(
    (redis) => redis !== null && redis !== undefined,
  )
}

function hedgeBudgetFor({ hedge }: Config, before: RouterParts | null, now: () => number): RetryBudget | null {
  if (hedge === null) return null
  const earlier = before?.config.hedge ?? null
  const budget = before?.hedgeBudget ?? null
  return budgetFor(hedgeOptions(hedge.maxShare), now, earlier && budget && [hedgeOptions(earlier.maxShare), budget])
}

/** The earlier exporter where it sends to the same place: it may still have spans to send. */
function spansFor(
  { traces }: Config,
  before: RouterParts | null,
  { platform, events }: Pick<RouterParts, 'platform' | 'events'>,
): SpanSink | null {
  if (traces === null) return null
  const isSame = before !== null && equalSettings(before.config.traces, traces)
  return isSame ? before.spans : createSpanExporter(traces, platform, events.exporterChanged)
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

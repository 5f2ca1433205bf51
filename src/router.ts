// Puts a router together: what lasts as long as it does, and the generation of parts that its configuration makes.

import type { FetchHandler } from './app.ts'
import { recordsAny } from './capture/replay-capture.ts'
import type { Config, ReplayStoreConfig } from './config/config.ts'
import type { AdminParts } from './control/admin-parts.ts'
import { ConfigControl } from './control/config-control.ts'
import { ConfigFollower } from './control/config-follower.ts'
import { type ConfigSource, unchangingSource } from './control/config-source.ts'
import { createGeneration, type Generation } from './generation.ts'
import { createCounters, type Counters } from './observe/counters.ts'
import { DecisionLog } from './observe/decision-log.ts'
import { createLog } from './observe/log/log.ts'
import { createReplayLog, toReplayLogEntry } from './observe/replay-log.ts'
import { createAnalyticsPoints } from './observe/metrics/analytics-points.ts'
import { createMetrics, type MetricSources, modelsOf } from './observe/metrics/metrics.ts'
import { createTenantCounters } from './observe/tenant-counters.ts'
import { AdmissionQueue } from './pipeline/admission-queue.ts'
import { createVectorKeeper } from './pipeline/vector-keeper.ts'
import { fanOut, type PipelineEvents } from './pipeline/events.ts'
import { ticketKey } from './pipeline/facts.ts'
import type { Platform, RequestContext } from './platform.ts'
import { createViewDocuments } from './record/view-document.ts'
import { isLivenessProbe } from './routes/catalogue.ts'
import type { DecisionLogStore, DecisionSource } from './store/decision-log.ts'
import { EVERY_MODEL } from './store/every-model.ts'
import { FleetLink } from './store/fleet-link.ts'
import { LimitDesk } from './store/limit-desk.ts'
import { PromptCaches } from './store/prompt-caches.ts'
import { ReplayDesk } from './store/replay-desk.ts'
import { MemoryReplayStore } from './store/replay-memory.ts'
import { RedisShelf } from './store/redis-shelf.ts'
import type { ReplayStore } from './store/replay-store.ts'
import { openRedis } from './upstream/open-redis.ts'
import { Embedders } from './upstream/embedders.ts'

export interface Router {
  readonly fetch: FetchHandler
  /** Refuses new work from now on; what runs goes on. */
  drain(): void
  /** Requests that have a worker at the moment, streams included. */
  inFlight(): number
  /** Tells the fleet now what is in flight. Never rejects. */
  report(): Promise<void>
  /** The configuration that requests from now on run under. */
  config(): Config
  /** Loads the configuration anew from where it came from. Rejects with what is wrong, and changes nothing then. */
  reload(by: string): Promise<void>
  readonly decisions: Pick<DecisionLog, 'recent' | keyof DecisionSource>
  readonly counters: Pick<Counters, 'snapshot'>
  /** Closes the records of what is cut off, and has every record written. The end of a router that ends. */
  close(): Promise<void>
}

export interface AssembleOptions {
  /** Where other configurations come from; without it the router keeps the one it was given. */
  readonly source?: ConfigSource
  /** Told of each configuration that takes another's place. */
  onConfig?(config: Config): void
  /** Where decision records go besides memory. */
  readonly decisionLog?: DecisionLogStore | null
  /** Where records of Router Replay go; memory without it. */
  openReplayStore?(config: ReplayStoreConfig): ReplayStore
  /** Gets ready for one that is about to. Never rejects. */
  prepare?(config: Config): Promise<void>
  /** What was prepared does not come. */
  abandon?(): void
}

/** A router that begins with one configuration, on one platform. Lives as long as the process or isolate. */
export function assembleRouter(config: Config, platform: Platform, options: AssembleOptions = {}): Router {
  const { source = unchangingSource(config, platform.now), onConfig, decisionLog = null, ...preparation } = options
  const replays = createReplayDesk(config, platform, options)
  const observed = { decisionLog, replays, sources: () => admin }
  const observers = createObservers(() => control.running(), platform, observed)
  const { decisions, counters, log, events, metrics } = observers
  const { link, ...shared } = createShared(platform, events)
  const { admission } = shared
  let isDraining = false
  const control = new ConfigControl({
    ...preparation,
    source,
    config,
    events: log,
    refresh: () => link.refresh({ isUrgent: true }),
    use(next) {
      generation = createGeneration(next, context, generation)
      replays.use(replaySettings(next))
      metrics.use(next)
      onConfig?.(next)
    },
  })
  const follower = source.start === null ? createFollower({ source, control, link, log, now: platform.now }) : null
  const isOneOfMany = follower !== null
  const admin: AdminParts = {
    control,
    events: log,
    startedAtMs: platform.now(),
    isOneOfMany,
    parts: () => generation.parts,
    catchUp: () => catchUp(generation, follower),
    decisions,
    decisionsCover: decisionLog !== null ? 'log' : isOneOfMany ? 'isolate' : 'process',
    replays,
    ...toCounts(observers),
  }
  const viewDocuments = createViewDocuments()
  const context = { platform, link, admin, ...shared, events, viewDocuments, isDraining: () => isDraining }
  let generation: Generation = createGeneration(config, context, null)
  metrics.use(config)
  return {
    fetch(request, requestContext) {
      const following = follow(follower, request.url, requestContext)
      if (following === null) return generation.fetch(request, requestContext)
      return following.then(() => generation.fetch(request, requestContext))
    },
    drain() {
      isDraining = true
      admission.refuseWaiting()
    },
    inFlight: () => link.leases.total(),
    report: () => link.refresh(),
    config: () => control.running(),
    reload: async (by) => void (await control.reload(by)),
    decisions,
    counters,
    close: () =>
      closeAll([decisions, replays, metrics, { close: async () => generation.parts.spans?.close() }], shared),
  }
}

async function catchUp({ parts }: Generation, follower: ConfigFollower | null): Promise<void> {
  await parts.mirror.refreshNow()
  await follower?.catchUp()
}

/** Connections last until what goes over them is written. */
async function closeAll(
  parts: readonly { close(): Promise<void> }[],
  { redis }: Pick<ReturnType<typeof createShared>, 'redis'>,
): Promise<void> {
  await Promise.all(parts.map((part) => part.close()))
  redis.keepOnly([])
}

/** What operators can be told of all requests so far. */
function toCounts({ counters, tenants, metrics }: ReturnType<typeof createObservers>) {
  return { counts: counters.snapshot, tenantCounts: tenants.of, exposeMetrics: metrics.expose }
}

/** Null when there is nothing to wait for. */
function follow(
  follower: ConfigFollower | null,
  url: string,
  { waitUntil }: Pick<RequestContext, 'waitUntil'>,
): Promise<void> | null {
  return follower === null || isLivenessProbe(url) ? null : follower.ensureCurrent(waitUntil)
}

/** What every generation works with. */
function createShared(platform: Platform, events: PipelineEvents) {
  return {
    link: createLink(platform, events),
    embedders: new Embedders(platform),
    vectorKeeper: createVectorKeeper(platform, events),
    admission: new AdmissionQueue({ now: platform.now, mustAsk: !platform.wakesAcrossRequests }),
    limits: createLimits(platform, events),
    promptCaches: new PromptCaches(),
    redis: new RedisShelf((config) => openRedis(platform, config)),
  }
}

function createLink({ fleet: store, now, random, randomId }: Platform, events: PipelineEvents): FleetLink {
  const { fleetSyncFailed: onSyncFailed, workerChanged: onWorkerChanged } = events
  const onSyncRecovered = () => events.storeRecovered('fleet')
  return new FleetLink({ store, now, random, randomId, onSyncFailed, onSyncRecovered, onWorkerChanged })
}

/** Its store is there as soon as some requests leave a record. */
function replaySettings({ routerReplay, decisions }: Config): Config['routerReplay'] {
  return { ...routerReplay, isEnabled: recordsAny(routerReplay, decisions) }
}

function createReplayDesk(
  config: Config,
  { now, after, writeLog }: Platform,
  { openReplayStore: open = () => new MemoryReplayStore({ now }) }: AssembleOptions,
): ReplayDesk {
  const desk = new ReplayDesk({ open, now, after, onChange: (change) => writeLog(toReplayLogEntry(now(), change)) })
  desk.use(replaySettings(config))
  return desk
}

function createLimits({ limits: store, now, after, randomId }: Platform, events: PipelineEvents): LimitDesk {
  return new LimitDesk({
    store,
    now,
    after,
    randomId,
    onStoreFailed: events.limitStoreFailed,
    onStoreRecovered: () => events.storeRecovered('limits'),
  })
}

interface Observed {
  readonly decisionLog: DecisionLogStore | null
  readonly replays: ReplayDesk
  readonly sources: MetricSources
}

function createObservers(running: () => Config, platform: Platform, { decisionLog, replays, sources }: Observed) {
  const { now, random, writeLog: write } = platform
  const decisions = new DecisionLog({ store: decisionLog, now })
  const counters = createCounters()
  const tenants = createTenantCounters()
  const { analytics } = platform
  const points = analytics === undefined ? [] : [createAnalyticsPoints(analytics, modelsOf(sources))]
  const log = createLog({ config: running, now, random, write })
  const metrics = createMetrics(sources, platform, log.exporterChanged)
  return {
    decisions,
    counters,
    tenants,
    metrics,
    log,
    events: fanOut([decisions, counters, tenants, metrics, log, createReplayLog(replays), ...points]),
  }
}

interface FollowerParts {
  readonly source: ConfigSource
  readonly control: ConfigControl
  readonly link: FleetLink
  readonly log: ReturnType<typeof createLog>
  now(): number
}

function createFollower({ source, control, link, log, now }: FollowerParts): ConfigFollower {
  // Before the body is read the model is not known; before the first snapshot the models are not.
  const wantedTurn = () => {
    const { policy, defaultModel } = control.running()
    return ticketKey(policy, link.snapshot() === null ? EVERY_MODEL : defaultModel)
  }
  return new ConfigFollower({ source, control, link, events: log, now, ticketKey: wantedTurn })
}

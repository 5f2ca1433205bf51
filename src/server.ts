// A router as a process of its own: memory or a Redis for what it shares, a listener of the runtime, and an orderly end.

import { isLoopbackHost } from './access/loopback.ts'
import type { CacheRedisConfig } from './config/cache-redis-schema.ts'
import type { Config, RedisConfig, ReplayStoreConfig, WorkerConfig } from './config/config.ts'
import type { ConfigSource } from './control/config-source.ts'
import { toDecisionLogEntry } from './observe/log/decision-log-entry.ts'
import type { LogEntry, Platform, RequestContext } from './platform.ts'
import { createRandomIds } from './random-ids.ts'
import { assembleRouter, type Router } from './router.ts'
import { openServerState } from './server-state.ts'
import { createTimers } from './server-timers.ts'
import { DecisionFile } from './store/decision-file.ts'
import type { LogFiles } from './store/log-files.ts'
import type { DecisionLogChange } from './store/log-health.ts'
import type { RedisCommands } from './store/redis-commands.ts'
import type { RedisLink } from './store/redis-link.ts'
import type { ReplayStore } from './store/replay-store.ts'
import type { VectorStore } from './store/vector-store.ts'
import { listModels } from './upstream/model-list.ts'

/** What a runtime with sockets of its own offers; Cloudflare's has none and is served otherwise. */
export interface ServerRuntime extends Pick<Platform, 'send' | 'classifySendError' | 'showsConnectPhase'> {
  /** Starts to listen; port 0 takes a free one. */
  listen(options: ListenOptions): Promise<Listener>
}

export interface ListenOptions {
  readonly host: string
  readonly port: number
  /** Never rejects. `rawTarget` is the request target as it came, where the runtime shows it. */
  handle(request: Request, rawTarget: string | null): Promise<Response>
}

export interface Listener {
  readonly port: number
  /** Takes no more connections; resolves when those that have work are done. */
  stopAccepting(): Promise<void>
  /** Breaks off what is left. */
  closeAll(): void
}

export interface RunningServer {
  readonly url: string
  readonly router: Router
  /** Stops taking work, lets streams finish for the configured grace time, then closes. Resolves true if all finished. */
  shutdown(): Promise<boolean>
}

export interface StartServerOptions {
  readonly config: Config
  /** Where other configurations come from; without it the router keeps this one. */
  readonly source?: ConfigSource
  readonly runtime: ServerRuntime
  /** Where records of Router Replay go; memory without it. */
  openReplayStore?(config: ReplayStoreConfig): ReplayStore
  /** Where the decision log is exported to; without them it is kept in memory alone. */
  readonly logFiles?: LogFiles
  /** Connects to a Redis that the configuration names; without it the state stays in this process. */
  connectRedis?(redis: RedisConfig): Promise<RedisLink>
  /** Keeps vectors of the configuration's texts, where no Redis shares them. */
  readonly vectorStore?: VectorStore
  /** Opens one that caches are in; without it such a cache misses. */
  openRedis?(redis: CacheRedisConfig): RedisCommands
  writeLog(entry: LogEntry): void
}

/** 512 MiB, as in the Rust router. */
const MAX_PAYLOAD_BYTES = 512 * 1024 * 1024

/** How long connections may take to close once their work is done. */
const CLOSE_MS = 500

export async function startServer(options: StartServerOptions): Promise<RunningServer> {
  const { config, source, runtime, logFiles = null, connectRedis = null, writeLog } = options
  const outgoing = {
    now: () => Date.now(),
    after: createTimers(),
    send: runtime.send,
    random: () => Math.random(),
    randomId: createRandomIds(),
    binding: () => null,
    writeLog,
  }
  const { fleet, limits, vectors, role } = await openServerState(config, outgoing, connectRedis)
  const vectorStore = vectors ?? options.vectorStore
  const platform: Platform = {
    ...outgoing,
    fleet: fleet.store,
    limits,
    ...(vectorStore === undefined ? {} : { vectorStore }),
    ...(options.openRedis === undefined ? {} : { openRedis: options.openRedis }),
    fleetRole: role,
    showsConnectPhase: runtime.showsConnectPhase,
    adminOpenTo: isLoopbackHost(config.host) ? 'loopback' : 'nobody',
    wakesAcrossRequests: true,
    classifySendError: runtime.classifySendError,
    defaultMaxPayloadBytes: MAX_PAYLOAD_BYTES,
  }
  const decisionLog = await openDecisionLog(config, logFiles, platform)
  const router = assembleRouter(config, platform, {
    ...fleet.changes,
    onConfig(next) {
      fleet.changes.onConfig?.(next)
      decisionLog?.use(next.decisionLog)
    },
    decisionLog,
    ...(source === undefined ? {} : { source }),
    ...(options.openReplayStore === undefined ? {} : { openReplayStore: options.openReplayStore }),
  })
  fleet.reportBy(router.report)
  const listener = await runtime.listen({
    host: config.host,
    port: config.port,
    handle: (request, rawTarget) => router.fetch(request, toContext(rawTarget)),
  })

  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${listener.port}`,
    router,
    async shutdown() {
      router.drain()
      // Whoever ends this process before its time finds everything up to now in the log.
      void decisionLog?.flush()
      const quiet = listener.stopAccepting()
      const isIdle = await waitUntilIdle(router, router.config().shutdownGraceMs)
      await Promise.race([quiet, delay(isIdle ? CLOSE_MS : 0)])
      listener.closeAll()
      // What was cut off leaves its record as its connection closes.
      if (!isIdle) await waitUntilIdle(router, CLOSE_MS)
      await router.close()
      await fleet.close()
      return isIdle
    },
  }
}

/** Null where nothing is exported. A file that can't be opened is told of, and tried again. */
async function openDecisionLog(
  { decisionLog: settings }: Config,
  files: LogFiles | null,
  { now, after, writeLog }: Pick<Platform, 'now' | 'after' | 'writeLog'>,
): Promise<DecisionFile | null> {
  const { exportPath } = settings
  if (exportPath === null || files === null) return null
  const onChange = (change: DecisionLogChange) => writeLog(toDecisionLogEntry(now(), change))
  const log = new DecisionFile({ files, path: exportPath, config: settings, now, after, onChange })
  await log.open()
  return log
}

/**
 * Model ids by worker id, asked of the workers themselves; null for one that does not answer in time. Workers behind a
 * binding are left out: only Cloudflare has bindings.
 */
export async function askWorkers(
  runtime: Pick<ServerRuntime, 'send'>,
  workers: readonly WorkerConfig[],
): Promise<ReadonlyMap<string, readonly string[] | null>> {
  const outgoing = { send: runtime.send, after: createTimers(), binding: () => null }
  const direct = workers.filter(({ binding }) => binding === null)
  const answers = await Promise.all(
    direct.map(async (worker) => {
      const entries = await listModels(outgoing, worker)
      return [worker.id, entries?.map(({ id }) => id) ?? null] as const
    }),
  )
  return new Map(answers)
}

/** A process outlives its requests, so work left over from one needs nobody to keep it alive. */
function toContext(rawTarget: string | null): RequestContext {
  return { waitUntil: (task) => void task.catch(() => {}), rawTarget }
}

async function waitUntilIdle(router: Router, graceMs: number): Promise<boolean> {
  const untilMs = Date.now() + graceMs
  while (router.inFlight() > 0) {
    if (Date.now() >= untilMs) return false
    await delay(25)
  }
  return true
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

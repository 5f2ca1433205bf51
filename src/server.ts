// A router as a process of its own: memory for a fleet store, a listener of the runtime, and an orderly end.

import type { Config, WorkerConfig } from './config/config.ts'
import type { Platform, RequestContext } from './platform.ts'
import { assembleRouter, type Router } from './router.ts'
import { createMemoryFleetStore } from './store/memory.ts'
import { listModels, nextProbeMs, probeWorkers } from './upstream/probe.ts'

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
  readonly runtime: ServerRuntime
  writeLine(line: string): void
}

/** 512 MiB, as in the Rust router. */
const MAX_PAYLOAD_BYTES = 512 * 1024 * 1024

/** How long connections may take to close once their work is done. */
const CLOSE_MS = 500

export async function startServer({ config, runtime, writeLine }: StartServerOptions): Promise<RunningServer> {
  const outgoing = {
    now: () => Date.now(),
    after: startTimer,
    send: runtime.send,
    binding: () => null,
  }
  const fleet = createMemoryFleetStore({
    now: outgoing.now,
    after: startTimer,
    probe: () => probeWorkers(outgoing, config.workers),
    nextProbeMs: (observations) => nextProbeMs(observations, config.modelRefreshMs),
  })
  const router = assembleRouter(config, {
    ...outgoing,
    fleet,
    random: () => Math.random(),
    randomId: () => crypto.randomUUID().replaceAll('-', ''),
    writeLine,
    showsConnectPhase: runtime.showsConnectPhase,
    classifySendError: runtime.classifySendError,
    defaultMaxPayloadBytes: MAX_PAYLOAD_BYTES,
  })
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
      const quiet = listener.stopAccepting()
      const isIdle = await waitUntilIdle(router, config.shutdownGraceMs)
      await Promise.race([quiet, delay(isIdle ? CLOSE_MS : 0)])
      listener.closeAll()
      fleet.close()
      return isIdle
    },
  }
}

/**
 * Model ids by worker id, asked of the workers themselves; null for one that does not answer in time. Workers behind a
 * binding are left out: only Cloudflare has bindings.
 */
export async function askWorkers(
  runtime: Pick<ServerRuntime, 'send'>,
  workers: readonly WorkerConfig[],
): Promise<ReadonlyMap<string, readonly string[] | null>> {
  const outgoing = { send: runtime.send, after: startTimer, binding: () => null }
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

function startTimer(delayMs: number, task: () => void): () => void {
  const timer = setTimeout(task, delayMs)
  return () => clearTimeout(timer)
}

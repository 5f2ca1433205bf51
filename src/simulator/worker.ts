// A simulated vLLM worker as a fetch handler: logs the request, applies the faults, checks the key, and hands on to the
// routes. What only a socket can do (refuse, reset) it asks of the server around it.

import type { Clock } from './clock.ts'
import { Engine } from './engine.ts'
import type { Exchange, WorkerContext } from './exchange.ts'
import { FaultRules, SocketCut } from './fault-rules.ts'
import { faultDocumentSchema, faultsSchema } from './fault-schema.ts'
import type { Faults } from './fault-schema.ts'
import { afterRoute, beforeRoute } from './fault-stages.ts'
import { jsonResponse } from './json-response.ts'
import { CacheReporter } from './lmcache/cache-reporter.ts'
import type { CacheReport, ReportReply } from './lmcache/report-schema.ts'
import { toWorkerSettings } from './options.ts'
import type { SimulatedWorkerOptions, WorkerSettings } from './options.ts'
import { RequestLog } from './request-log.ts'
import { ResponseStore } from './response-store.ts'
import { createRoutes } from './routes.ts'
import type { RouteExchange } from './routes.ts'
import { SleepState } from './sleep-state.ts'
import { toAnthropicError, toOpenAiError, VllmError } from './vllm-error.ts'

/** What a runtime lends the worker. */
export interface WorkerDependencies {
  readonly clock: Clock
  sha256(bytes: Uint8Array): string
  /** 32 hexadecimal digits, different each time; by default random. */
  newId?(): string
  /** Hands a report on the cache to the LMCache controller of the options. */
  reportCache?(controllerUrl: string, report: CacheReport): Promise<ReportReply>
}

/** What a server knows of a request beyond the Request object. */
export interface RequestDetails {
  /** Path and query as they came over the wire. */
  readonly target?: string
  /** The body, when the server has read it already. */
  readonly body?: Uint8Array<ArrayBuffer>
  /** Aborted when the client goes; the request's own signal by default. */
  readonly signal?: AbortSignal
}

export interface SimulatedWorker {
  readonly context: WorkerContext
  /** Rejects with a SocketCut when the connection shall be cut; a body may fail with one, too. */
  fetch(request: Request, details?: RequestDetails): Promise<Response>
}

/** Builds a worker. It keeps all its state to itself, so that many fit in one process. */
export function createSimulatedWorker(
  options: SimulatedWorkerOptions,
  dependencies: WorkerDependencies,
): SimulatedWorker {
  const context = createContext(toWorkerSettings(options), dependencies)
  context.faults.set(faultDocumentSchema.parse(options.faults ?? []))
  const route = createRoutes(context.settings)
  return {
    context,
    fetch: async (request, details = {}) => {
      const exchange = await openExchange(context, request, details)
      return answerExchange(exchange, route)
    },
  }
}

function createContext(settings: WorkerSettings, dependencies: WorkerDependencies): WorkerContext {
  const { clock } = dependencies
  const cacheReporter = createReporter(settings, dependencies)
  const createEngines = (): Engine[] =>
    Array.from({ length: settings.dataParallelSize }, (_, rank) => {
      return new Engine({ ...settings, seed: settings.seed + rank }, clock, cacheReporter?.watcherOf(rank))
    })
  const context = {
    settings,
    clock,
    engines: createEngines(),
    faults: new FaultRules(settings.seed),
    sleep: new SleepState(),
    log: new RequestLog(settings.logRequests),
    responses: new ResponseStore(),
    cacheReporter,
    newId: dependencies.newId ?? (() => crypto.randomUUID().replaceAll('-', '')),
    sha256: dependencies.sha256,
    reset: (): void => {
      // Requests under way end on the engines they began on.
      context.engines = createEngines()
      cacheReporter?.reset()
      context.sleep.wake([])
      context.log.clear()
      context.responses.clear()
      context.faults.set([])
    },
  }
  const follow = (): void => {
    for (const engine of context.engines) engine.setFrozen(context.sleep.isAsleep || context.faults.isFrozen)
  }
  context.faults.onChange(follow)
  context.sleep.onChange(follow)
  return context
}

function createReporter(
  { lmcacheController, lmcacheReportMs, dataParallelSize }: WorkerSettings,
  { clock, reportCache }: WorkerDependencies,
): CacheReporter | null {
  if (lmcacheController === null || reportCache === undefined) return null
  const send = (report: CacheReport): Promise<ReportReply> => reportCache(lmcacheController, report)
  return new CacheReporter({ clock, delayMs: lmcacheReportMs, send }, dataParallelSize)
}

async function openExchange(worker: WorkerContext, request: Request, details: RequestDetails): Promise<Exchange> {
  const url = new URL(request.url)
  const body = details.body ?? new Uint8Array(await request.arrayBuffer())
  let text: string | null = null
  const bodyText = (): string => (text ??= new TextDecoder().decode(body))
  const { headers, method } = request
  const signal = details.signal ?? request.signal
  const isOurs = url.pathname.startsWith('/sim/')
  if (!isOurs) {
    const target = details.target ?? url.pathname + url.search
    worker.log.add({ method, target, headers, body, arrivedAtMs: worker.clock.now() })
    signal.addEventListener('abort', () => worker.log.disconnects++, { once: true })
  }
  const faults = isOurs ? {} : pickFaults(worker, { method, path: url.pathname, bodyText }, headers)
  const requestId = headers.get('x-request-id') ?? worker.newId()
  return { worker, method, url, headers, body, signal, faults, requestId, bodyText }
}

function pickFaults(worker: WorkerContext, target: Parameters<FaultRules['pick']>[0], headers: Headers): Faults {
  const picked = worker.faults.pick(target)
  const asked = worker.settings.allowRequestFaults ? headers.get('x-sim-fault') : null
  if (asked === null) return picked
  try {
    return { ...picked, ...faultsSchema.parse(JSON.parse(asked)) }
  } catch (error) {
    return { status: 400, message: `x-sim-fault: ${String(error)}` }
  }
}

async function answerExchange(exchange: Exchange, route: RouteExchange): Promise<Response> {
  const response = afterRoute(await answerOrExplain(exchange, route), exchange.faults)
  if (exchange.worker.settings.enableRequestIdHeaders) response.headers.append('x-request-id', exchange.requestId)
  return response
}

async function answerOrExplain(exchange: Exchange, route: RouteExchange): Promise<Response> {
  const { faults, signal, worker } = exchange
  try {
    return (
      (await beforeRoute({ faults, signal, clock: worker.clock })) ?? rejectKey(exchange) ?? (await route(exchange))
    )
  } catch (error) {
    if (error instanceof SocketCut || signal.aborted) throw error
    return toErrorResponse(exchange, error instanceof VllmError ? error : new VllmError(500, String(error)))
  }
}

function rejectKey(exchange: Exchange): Response | null {
  const { apiKey } = exchange.worker.settings
  // Only these prefixes are guarded; /tokenize and the rest are open in vLLM, too.
  if (apiKey === null || !/^\/v[12](\/|$)/.test(exchange.url.pathname)) return null
  if (exchange.headers.get('authorization') === `Bearer ${apiKey}`) return null
  return jsonResponse({ error: 'Unauthorized' }, 401)
}

function toErrorResponse(exchange: Exchange, error: VllmError): Response {
  const isAnthropic = exchange.url.pathname.startsWith('/v1/messages')
  return jsonResponse(isAnthropic ? toAnthropicError(error) : toOpenAiError(error), error.status)
}

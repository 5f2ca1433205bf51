// A simulated LMCache control plane as a fetch handler: the legacy controller's routes and the coordinator's, over one
// index that simulated workers report to. Its answers have the traps of the real ones (routes-legacy.ts).

import type { Clock } from '../clock.ts'
import { FaultRules, SocketCut } from '../fault-rules.ts'
import { faultDocumentSchema } from '../fault-schema.ts'
import { afterRoute, beforeRoute } from '../fault-stages.ts'
import { jsonResponse } from '../json-response.ts'
import { RequestLog } from '../request-log.ts'
import { VllmError } from '../vllm-error.ts'
import type { RequestDetails } from '../worker.ts'
import { ChunkIndex } from './chunk-index.ts'
import type { ControllerExchange } from './controller-exchange.ts'
import { toControllerSettings, type ControllerSettings, type SimulatedControllerOptions } from './controller-options.ts'
import { createControllerRoutes } from './controller-routes.ts'

export interface ControllerContext {
  readonly settings: ControllerSettings
  readonly clock: Clock
  readonly index: ChunkIndex
  /** What lookups begin their hashes with. */
  hashSeed: string
  readonly faults: FaultRules
  readonly log: RequestLog
  /** Hexadecimal, of the bytes of a body. */
  sha256(bytes: Uint8Array): string
  newId(): string
}

export interface ControllerDependencies {
  readonly clock: Clock
  sha256(bytes: Uint8Array): string
  /** By default random. */
  newId?(): string
}

export interface SimulatedController {
  readonly context: ControllerContext
  /** Rejects with a SocketCut when the connection shall be cut. */
  fetch(request: Request, details?: RequestDetails): Promise<Response>
}

/** Builds a controller that knows nobody yet. */
export function createSimulatedController(
  options: SimulatedControllerOptions,
  { clock, sha256, newId = () => crypto.randomUUID() }: ControllerDependencies,
): SimulatedController {
  const settings = toControllerSettings(options)
  const context: ControllerContext = {
    settings,
    clock,
    index: new ChunkIndex({ ignoresEvictions: settings.ignoresEvictions }),
    hashSeed: settings.hashSeed,
    faults: new FaultRules(settings.seed),
    log: new RequestLog(settings.logRequests),
    sha256,
    newId,
  }
  context.faults.set(faultDocumentSchema.parse(settings.faults))
  const route = createControllerRoutes()
  return { context, fetch: async (request, details = {}) => answer(await open(context, request, details), route) }
}

async function open(
  controller: ControllerContext,
  request: Request,
  details: RequestDetails,
): Promise<ControllerExchange> {
  const url = new URL(request.url)
  const body = details.body ?? new Uint8Array(await request.arrayBuffer())
  const text = new TextDecoder().decode(body)
  const { headers, method } = request
  const isOurs = url.pathname.startsWith('/sim/')
  const signal = details.signal ?? request.signal
  if (!isOurs) {
    const target = details.target ?? url.pathname + url.search
    controller.log.add({ method, target, headers, body, arrivedAtMs: controller.clock.now() })
    signal.addEventListener('abort', () => controller.log.disconnects++, { once: true })
  }
  const faults = isOurs ? {} : controller.faults.pick({ method, path: url.pathname, bodyText: () => text })
  return { controller, method, url, text, signal, faults }
}

async function answer(
  exchange: ControllerExchange,
  route: (exchange: ControllerExchange) => Promise<Response>,
): Promise<Response> {
  const { faults, signal, controller } = exchange
  try {
    const early = await beforeRoute({ faults, signal, clock: controller.clock })
    return afterRoute(early ?? (await route(exchange)), faults)
  } catch (error) {
    if (error instanceof SocketCut || signal.aborted) throw error
    // FastAPI's shape, which is what every handler of LMCache turns an exception into.
    const [status, detail] = error instanceof VllmError ? [error.status, error.message] : [500, String(error)]
    return afterRoute(jsonResponse({ detail }, status), faults)
  }
}

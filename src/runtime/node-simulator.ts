// Simulated workers and LMCache controllers on node:http. The only part of the simulator that knows sockets: it carries
// requests in and answers out with back-pressure, tells when a client goes, and cuts or refuses connections when a fault
// says so.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../simulator/clock.ts'
import { SocketCut, type FaultRules } from '../simulator/fault-rules.ts'
import { faultDocumentSchema } from '../simulator/fault-schema.ts'
import type { FaultRuleInput } from '../simulator/fault-schema.ts'
import { createSimulatedController } from '../simulator/lmcache/controller.ts'
import type { SimulatedControllerOptions } from '../simulator/lmcache/controller-options.ts'
import { toControllerState, type ControllerState } from '../simulator/lmcache/controller-state.ts'
import { reportReplySchema, type CacheReport, type ReportReply } from '../simulator/lmcache/report-schema.ts'
import type { SimulatedWorkerOptions } from '../simulator/options.ts'
import { toSimulatorState } from '../simulator/simulator-state.ts'
import type { SimulatorState } from '../simulator/simulator-state.ts'
import { createSimulatedWorker } from '../simulator/worker.ts'
import type { RequestDetails } from '../simulator/worker.ts'

/** A running worker. */
export interface StartedWorker extends StartedService {
  state(): SimulatorState
  /** Forgets requests, stored responses, caches and faults. */
  reset(): Promise<void>
}

/** A running LMCache controller. */
export interface StartedController extends StartedService {
  state(): ControllerState
  /** Forgets everything, as a restart would. */
  restart(): void
  /** What lookups begin their hashes with from now on; workers' hashes begin with nothing. */
  setHashSeed(seed: string): void
}

/** What workers and controllers have in common: a port that faults can close. */
interface StartedService {
  readonly port: number
  /** Without a slash at the end. */
  readonly url: string
  /** Where /sim/* answers even while connections are refused; null unless a control port was asked for. */
  readonly controlUrl: string | null
  /** Replaces all fault rules; settles when a change of `refuse` has taken effect. */
  setFaults(rules: FaultRuleInput | readonly FaultRuleInput[]): Promise<void>
  close(): Promise<void>
}

/** Something with a fetch handler that a socket is put around. */
interface Service {
  readonly context: {
    readonly settings: { readonly host: string; readonly port: number; readonly controlPort: number | null }
    readonly faults: FaultRules
  }
  fetch(request: Request, details: RequestDetails): Promise<Response>
}

/** Starts a worker. Many fit in one process. */
export async function startSimulatedWorker(options: SimulatedWorkerOptions): Promise<StartedWorker> {
  const worker = createSimulatedWorker(options, { clock: nodeClock, sha256, reportCache: postReport })
  const { context } = worker
  const { service, gate } = await startService(worker)
  const { host, lmcacheInstance } = context.settings
  const { port } = service
  context.cacheReporter?.register({ instanceId: lmcacheInstance ?? `${host}:${port}`, ip: host, port })
  return {
    ...service,
    state: () => toSimulatorState(context),
    reset: () => {
      context.reset()
      return gate.settled
    },
  }
}

/** Starts an LMCache controller. */
export async function startSimulatedController(options: SimulatedControllerOptions): Promise<StartedController> {
  const controller = createSimulatedController(options, { clock: nodeClock, sha256 })
  const { context } = controller
  const { service } = await startService(controller)
  return {
    ...service,
    state: () => toControllerState(context),
    restart: () => context.index.clear(),
    setHashSeed: (seed) => void (context.hashSeed = seed),
  }
}

async function startService(service: Service): Promise<{ service: StartedService; gate: Gate }> {
  const { faults, settings } = service.context
  const gate = new Gate(service)
  const port = await gate.open(settings.port)
  const control = await openControl(service, gate)
  faults.onChange(() => gate.follow())
  gate.follow()
  await gate.settled
  const started: StartedService = {
    port,
    url: `http://${settings.host}:${port}`,
    controlUrl: control === null ? null : `http://${settings.host}:${control.port}`,
    setFaults: (rules) => {
      faults.set(faultDocumentSchema.parse(rules))
      return gate.settled
    },
    close: async () => {
      await Promise.all([gate.close(), control === null ? null : closeServer(control.server)])
    },
  }
  return { service: started, gate }
}

async function postReport(controllerUrl: string, report: CacheReport): Promise<ReportReply> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(report)
  const response = await fetch(new URL('/sim/report', controllerUrl), { method: 'POST', headers, body })
  return reportReplySchema.parse(await response.json())
}

/** Opens and closes the port of a service. The port number stays the same. */
class Gate {
  settled: Promise<void> = Promise.resolve()
  readonly #service: Service
  #server: Server | null = null
  // Those that no longer listen but still have requests under way.
  readonly #earlier: Server[] = []
  readonly #sockets = new Set<Socket>()
  #port = 0
  #reopenTimer: NodeJS.Timeout | undefined
  #keepAliveTimer: NodeJS.Timeout | undefined

  constructor(service: Service) {
    this.#service = service
  }

  get isOpen(): boolean {
    return this.#server !== null
  }

  async open(port: number): Promise<number> {
    const server = createHttpServer((incoming, outgoing) => void serve(this.#service, this, { incoming, outgoing }))
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#port = await listen(server, port, this.#service.context.settings.host)
    this.#server = server
    // A service that refuses connections is still a process, and nothing else would keep it alive.
    this.#keepAliveTimer ??= setInterval(() => {}, 2 ** 30)
    return this.#port
  }

  /** Brings the port in line with the fault rules. */
  follow(): void {
    this.settled = this.settled.then(() => this.#apply())
  }

  async close(): Promise<void> {
    clearInterval(this.#keepAliveTimer)
    clearTimeout(this.#reopenTimer)
    await this.settled
    for (const server of this.#earlier) server.closeAllConnections()
    if (this.#server !== null) await closeServer(this.#server)
  }

  async #apply(): Promise<void> {
    const { faults } = this.#service.context
    const { refusal } = faults
    clearTimeout(this.#reopenTimer)
    if (refusal === null) {
      if (this.#server === null) await this.open(this.#port)
      return
    }
    if (this.#server !== null) this.#stopListening(this.#server)
    if (refusal.refuse_ms === undefined) return
    this.#reopenTimer = setTimeout(() => {
      faults.set(faults.rules.filter((rule) => rule.refuse !== true))
    }, refusal.refuse_ms)
  }

  /** Requests under way are answered; `serve` closes their connections after that. */
  #stopListening(server: Server): void {
    server.close()
    server.closeIdleConnections()
    // To Node a connection without its first request is not idle; Deno opens some ahead, and would be served on them.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
    this.#earlier.push(server)
    this.#server = null
  }
}

/** A port that answers /sim/* and nothing else, whatever befalls the rest; null when none is wanted. */
async function openControl(service: Service, gate: Gate): Promise<{ server: Server; port: number } | null> {
  const { controlPort, host } = service.context.settings
  if (controlPort === null) return null
  const server = createHttpServer((incoming, outgoing) => {
    if (incoming.url?.startsWith('/sim/') === true) void serve(service, gate, { incoming, outgoing })
    else outgoing.writeHead(404).end()
  })
  try {
    return { server, port: await listen(server, controlPort, host) }
  } catch (error) {
    await gate.close()
    throw error
  }
}

function createHttpServer(handler: (incoming: IncomingMessage, outgoing: ServerResponse) => void): Server {
  // Five seconds is uvicorn's keep-alive. A prefill may be silent for minutes, so there is no limit on a request.
  return createServer({ noDelay: true, keepAlive: true, keepAliveTimeout: 5_000, requestTimeout: 0 }, handler)
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`${host}:${port} is no TCP address`)
  return address.port
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

interface Connection {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

async function serve(service: Service, gate: Gate, { incoming, outgoing }: Connection): Promise<void> {
  const client = new AbortController()
  let isOurDoing = false
  outgoing.on('close', () => {
    if (!outgoing.writableFinished && !isOurDoing) client.abort()
  })
  try {
    const body = await readBody(incoming)
    const target = incoming.url ?? '/'
    const response = await service.fetch(toRequest(incoming, target), { target, body, signal: client.signal })
    if (target.startsWith('/sim/')) await gate.settled
    if (!gate.isOpen) outgoing.shouldKeepAlive = false
    await writeResponse(outgoing, response, client.signal)
    if (!gate.isOpen) outgoing.socket?.destroySoon()
  } catch (error) {
    if (error instanceof SocketCut) {
      isOurDoing = true
      await cutSocket(outgoing, error.how)
    } else {
      // The client has gone, in the middle of its request or of the answer: nobody is left to tell.
      outgoing.destroy()
    }
  }
}

function toRequest(incoming: IncomingMessage, target: string): Request {
  const headers = new Headers()
  const { rawHeaders } = incoming
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '')
  }
  return new Request(`http://worker${target}`, { method: incoming.method ?? 'GET', headers })
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}

async function writeResponse(outgoing: ServerResponse, response: Response, signal: AbortSignal): Promise<void> {
  outgoing.writeHead(response.status, ['server', 'uvicorn', ...[...response.headers].flat()])
  if (response.body === null) return void outgoing.end()
  if (!response.headers.has('content-length')) outgoing.flushHeaders()
  const reader = response.body.getReader()
  const cancel = (): void => void reader.cancel(signal.reason)
  if (signal.aborted) cancel()
  else signal.addEventListener('abort', cancel, { once: true })
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (!outgoing.write(value)) await once(outgoing, 'drain', { signal })
  }
  outgoing.end()
}

/** Cuts the connection once what was written is with the kernel: a reset overtakes what still waits in the process. */
async function cutSocket(outgoing: ServerResponse, how: SocketCut['how']): Promise<void> {
  const { socket } = outgoing
  if (socket === null) return
  await new Promise((resolve) => setImmediate(resolve))
  if (socket.writableLength > 0) await new Promise((resolve) => socket.write('', resolve))
  if (how === 'reset') socket.resetAndDestroy()
  else socket.destroySoon()
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The clock of the wall. Its timers don't keep the process alive; the listening socket does. */
const nodeClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after: (ms, run) => {
    // A timeout of nothing would still wait a millisecond, and cap what a load test can measure.
    if (ms <= 0) {
      const immediate = setImmediate(run)
      return () => clearImmediate(immediate)
    }
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
}

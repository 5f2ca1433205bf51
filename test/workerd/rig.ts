// What the tests in workerd share: simulated vLLM workers in place of `fetch`, a clock, and isolates that count their
// calls to objects. Tests and objects run in one isolate here, so both see the same `fetch` and the same clock.

import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, vi } from 'vitest'
import { REPORT_PAUSE_MS } from '../../src/observe/metrics/count-reporter.ts'
import { createWorker } from '../../src/runtime/cloudflare.ts'
import type { RouterEnv } from '../../src/runtime/cloudflare-env.ts'
import type { FleetObject } from '../../src/runtime/cloudflare-fleet.ts'

export const POOL = 'default'

/** Far ahead of the real clock, so that alarms run when a test runs them and not by themselves. */
const AHEAD_MS = 3_600_000

let offsetMs = AHEAD_MS

/** Moves the clock that the router and its objects see. */
export function advance(ms: number): void {
  offsetMs += ms
}

export interface FakeWorkers {
  /** `GET http://a.test/v1/models` and so on, in order. */
  readonly requests: string[]
  /** Host names, such as `a.test`, that refuse connections. */
  readonly down: Set<string>
  /** Called while a worker handles a request, before it answers. */
  onRequest: ((request: Request) => Promise<void> | void) | null
}

/** Workers on `*.test` that serve `m` and `n`, for one test. */
export const fake: FakeWorkers = { requests: [], down: new Set(), onRequest: null }

export const probes = (): number => fake.requests.filter((line) => line.endsWith('/health')).length

async function answer(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init)
  const { hostname, pathname } = new URL(request.url)
  fake.requests.push(`${request.method} ${request.url}`)
  await fake.onRequest?.(request)
  if (fake.down.has(hostname)) throw new Error('Network connection lost.')
  if (pathname === '/v1/models') return Response.json({ object: 'list', data: [{ id: 'm' }, { id: 'n' }] })
  const body = JSON.stringify({ id: `resp_${hostname.slice(0, 1)}`, object: 'response', served_by: hostname })
  return new Response(body, {
    headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
  })
}

/** Fresh objects, fresh workers and a clock of its own for every test of a file. */
export function useFleet(): void {
  beforeEach(() => {
    offsetMs = AHEAD_MS
    Object.assign(fake, { requests: [], down: new Set(), onRequest: null })
    const realNow = Date.now.bind(Date)
    const startedAtMs = realNow()
    // Stands still but for `advance`, as the clock of a Worker does between I/O.
    vi.spyOn(Date, 'now').mockImplementation(() => startedAtMs + offsetMs)
    vi.spyOn(globalThis, 'fetch').mockImplementation(answer)
    reportPauses.hold = null
    watchReportPauses()
    vi.spyOn(console, 'log').mockImplementation(() => {})
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await reset()
  })
}

/** Takes the pauses before an isolate tells what it has counted, for one test. Else they are over at once, as `beside` waits. */
export const reportPauses: { hold: ((end: () => void) => void) | null } = { hold: null }

function watchReportPauses(): void {
  const real = globalThis.setTimeout
  function paused(task: () => void, delayMs?: number) {
    if (delayMs !== REPORT_PAUSE_MS) return real(task, delayMs)
    return reportPauses.hold === null ? real(task, 0) : reportPauses.hold(task)
  }
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(paused as typeof setTimeout)
}

export function fleetObject(name: string): DurableObjectStub<FleetObject> {
  // The binding's own type knows nothing of the class behind it.
  return env.FLEET.get(env.FLEET.idFromName(name)) as unknown as DurableObjectStub<FleetObject>
}

export const root = () => fleetObject(`${POOL}/root`)

export interface ObjectCall {
  readonly object: string
  readonly method: string
}

export interface Isolate {
  /** Calls of this isolate to objects, in order. */
  readonly calls: ObjectCall[]
  /** Those of them that have been answered. */
  readonly answered: ObjectCall[]
  /** Holds back what objects answer until the function returned is called. */
  hold(): () => void
  /** One request, with what it left to run beside it. */
  fetch(path: string, init?: RequestInit): Promise<{ response: Response; beside: Promise<void> }>
  /** A chat request for `m`; the host name of the worker that served it. */
  chat(): Promise<string>
}

export interface IsolateOptions {
  /** YAML in place of an anonymous router over `a`, `b` and `c`. */
  readonly config?: string
  readonly env?: Readonly<Record<string, unknown>>
}

/** A configuration over the three workers, with the policy given. */
export function configOf(policy: string, more = ''): string {
  return `
allow_anonymous: true
workers:
  - {id: a, url: "http://a.test"}
  - {id: b, url: "http://b.test"}
  - {id: c, url: "http://c.test"}
policy: ${policy}
${more}`
}

/** A router as one isolate has it: its own memory and environment, the objects shared. */
export function createIsolate({
  config = configOf('{type: round_robin}'),
  env: more = {},
}: IsolateOptions = {}): Isolate {
  const watch: CallWatch = { calls: [], answered: [], gate: Promise.resolve() }
  // Records go to no object unless a test asks for it: `beside` would wait for them.
  const own = {
    ...env,
    DECISION_LOG: undefined,
    FLEET: watchedNamespace(env.FLEET, watch),
    TENANTS: watchedNamespace(env.TENANTS, watch),
    ...more,
  } as unknown as RouterEnv
  const { handler } = createWorker({ config })

  async function fetch(path: string, init?: RequestInit) {
    const waiting: Promise<unknown>[] = []
    const context = { waitUntil: (task: Promise<unknown>) => void waiting.push(task), passThroughOnException() {} }
    const response = await handler.fetch(
      new Request(`https://router.test${path}`, init),
      own,
      context as ExecutionContext,
    )
    return { response, beside: Promise.all(waiting).then(() => undefined) }
  }
  return {
    calls: watch.calls,
    answered: watch.answered,
    hold() {
      let open = () => {}
      watch.gate = new Promise((resolve) => (open = resolve))
      return open
    },
    fetch,
    async chat() {
      const { response, beside } = await fetch('/v1/chat/completions', chatInit())
      const body = await response.json<{ served_by: string }>()
      await beside
      return body.served_by
    },
  }
}

export function chatBody(fields: object = {}): object {
  return { model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...fields }
}

export function chatInit(fields: object = {}): RequestInit {
  const body = JSON.stringify(chatBody(fields))
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body }
}

interface CallWatch {
  readonly calls: ObjectCall[]
  readonly answered: ObjectCall[]
  gate: Promise<void>
}

/** The namespace of the real objects; notes which object is called, by name and method. */
function watchedNamespace(
  real: DurableObjectNamespace,
  watch: CallWatch,
): Pick<DurableObjectNamespace, 'idFromName' | 'get'> {
  return {
    idFromName: (name) => real.idFromName(name),
    get(id, options) {
      const stub = real.get(id, options)
      return new Proxy(stub, {
        get: (_, method) =>
          async function call(...given: unknown[]): Promise<unknown> {
            const line = { object: id.name ?? '', method: String(method) }
            watch.calls.push(line)
            // A stub answers to any name with a function that calls it remotely.
            const answer = await (Reflect.get(stub, method) as (...all: unknown[]) => Promise<unknown>)(...given)
            await watch.gate
            watch.answered.push(line)
            return answer
          },
      })
    },
  }
}

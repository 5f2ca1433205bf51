// A router in this process over a made-up upstream: for properties that take thousands of requests. Short waits pass at
// once, time limits never.

import { loadConfig } from '../../src/config/load.ts'
import type { DecisionRecord } from '../../src/record/schema.ts'
import type { Platform, SendFailure, SendRequestInit } from '../../src/platform.ts'
import { assembleRouter, type Router } from '../../src/router.ts'
import { policyRegistry } from '../../src/routing/policies/index.ts'
import type { PolicyRegistry } from '../../src/routing/policy.ts'
import type { DecisionLogStore } from '../../src/store/decision-log.ts'
import type { WorkerObservation } from '../../src/store/fleet-store.ts'
import { createMemoryFleetStore, type MemoryFleetStore } from '../../src/store/memory.ts'
import { createMemoryLimitStore } from '../../src/store/memory-limits.ts'
import { observationOf } from './observation.ts'

/** Waits from here on are time limits of the router and don't pass. */
const LIMIT_MS = 4_000

export interface UpstreamCall extends Omit<SendRequestInit, 'headers'> {
  readonly url: string
  readonly headers: Headers
  /** Host and port of the worker. */
  readonly worker: string
}

export interface InProcessRouter {
  readonly router: Router
  /** Posts a chat completion; resolves with the answer, its body read to the end. */
  chat(body: Readonly<Record<string, unknown>>, init?: RequestInit): Promise<Asked>
  /** The same with any body, such as a form. */
  post(path: string, init: RequestInit): Promise<Asked>
  records(): readonly DecisionRecord[]
  /** Moves the clock. */
  advance(ms: number): void
  now(): number
  readonly fleet: MemoryFleetStore
}

export interface InProcessOptions {
  readonly decisionLog?: DecisionLogStore | null
  readonly policies?: PolicyRegistry
  readonly random?: () => number
  /** What workers say of their load when they are asked at the start, by id. */
  readonly loads?: Readonly<Record<string, WorkerObservation['load']>>
  /** What takes the place of parts of the platform, given those that would be there. */
  readonly platform?: (usual: Platform) => Partial<Platform>
}

export interface Asked {
  readonly response: Response
  readonly text: string
}

/**
 * `respond` plays every worker; what it throws is a failure to send, classed by its `phase` and `reason` properties.
 * `onWait` is asked whenever a short wait begins, and holds it until it resolves.
 */
export async function inProcessRouter(
  yaml: string,
  respond: (call: UpstreamCall) => Promise<Response>,
  onWait?: () => Promise<void>,
  options: InProcessOptions = {},
): Promise<InProcessRouter> {
  const { decisionLog = null, policies = policyRegistry(undefined), random = Math.random, loads = {} } = options
  const loaded = await loadConfig(yaml, { env: () => undefined, policies })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings, null, 2))
  const config = { ...loaded.config, log: { ...loaded.config.log, level: 'debug' as const } }
  let nowMs = 1_000_000
  const now = () => nowMs
  const records: DecisionRecord[] = []
  const after: Platform['after'] = (delayMs, task) => {
    if (delayMs >= LIMIT_MS) return () => {}
    let isOff = false
    const pass = () => setImmediate(() => isOff || task())
    if (onWait === undefined) pass()
    else void onWait().then(pass)
    return () => {
      isOff = true
    }
  }
  const fleet = createMemoryFleetStore({
    config,
    life: 'memory',
    now,
    after: () => () => {},
    probe: async () =>
      config.workers.map(({ id, models }) => observationOf(id, { models, atMs: nowMs, load: loads[id] ?? null })),
    nextProbeMs: () => 1_000,
  })
  const usual: Platform = {
    now,
    after,
    fleet,
    limits: createMemoryLimitStore(now),
    random,
    randomId: () => crypto.randomUUID().replaceAll('-', ''),
    send: (url, init) => respond({ ...init, headers: new Headers(init.headers), url, worker: new URL(url).host }),
    binding: () => null,
    writeLog(entry) {
      // At debug the log has each record whole; as JSON, so that what is undefined is not there.
      if (entry.event === 'decision') records.push(JSON.parse(JSON.stringify(entry)))
    },
    showsConnectPhase: true,
    adminOpenTo: 'nobody',
    wakesAcrossRequests: true,
    defaultMaxPayloadBytes: 1_000_000,
    classifySendError: toSendFailure,
  }
  const platform: Platform = { ...usual, ...options.platform?.(usual) }
  const router = assembleRouter(config, platform, { decisionLog })
  async function post(path: string, init: RequestInit): Promise<Asked> {
    const request = new Request(`http://router${path}`, { method: 'POST', ...init })
    const response = await router.fetch(request, { waitUntil: () => {}, rawTarget: null })
    return { response, text: await response.text() }
  }
  return {
    router,
    fleet,
    now,
    post,
    chat: (body, init) =>
      post('/v1/chat/completions', {
        headers: { 'content-type': 'application/json', ...init?.headers },
        body: JSON.stringify(body),
        ...(init?.signal === undefined ? {} : { signal: init.signal }),
      }),
    records: () => records,
    advance(ms) {
      nowMs += ms
    },
  }
}

/** A failure to send, to be thrown by a made-up worker. */
export function sendFailure(phase: SendFailure['phase'], reason: string): Error {
  return Object.assign(new Error(reason), { phase, reason })
}

function toSendFailure(error: unknown): SendFailure {
  const { phase = 'maybe_sent', reason = 'made_up' } = error as Partial<SendFailure> // whatever `respond` threw
  return { phase, reason }
}

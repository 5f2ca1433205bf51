// A router over the fleet as a configuration states it: every worker is up and idle, and nobody is reached. For asking what
// a configuration would decide, through the very route that a running router answers.

import { listed, named } from './explain/words.ts'
import { digestOfKey } from './access/key-digest.ts'
import type { Config, WorkerConfig } from './config/config.ts'
import type { Platform, RequestContext } from './platform.ts'
import { assembleRouter } from './router.ts'
import { targetsOf } from './routing/model-rules.ts'
import { type FleetStore, NEVER_ASKED, type WorkerState } from './store/fleet-store.ts'
import { createMemoryLimitStore } from './store/memory-limits.ts'

export interface OfflineRouter {
  /** What `POST /admin/explain` answers to this body. */
  explain(body: object): Promise<Response>
  /** What was taken for granted of the workers, in sentences. */
  readonly assumptions: readonly string[]
}

/** `models` are names that callers may ask for: workers that don't list theirs are taken to serve them. */
export function createOfflineRouter(config: Config, models: readonly string[]): OfflineRouter {
  const key = randomId()
  const adminKeys = [{ label: 'offline', keyDigest: digestOfKey(key), scopes: ['read'] as const }]
  // What is kept in a Redis could be asked for; nobody is.
  const stated = { ...config, adminKeys, responseCache: null, semanticCache: null }
  const router = assembleRouter(stated, createPlatform(config, assumedModels(config, models)))
  return {
    assumptions: assumptionsOf(config),
    explain(body) {
      const request = new Request('http://127.0.0.1/admin/explain', {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return router.fetch(request, CONTEXT)
    },
  }
}

const CONTEXT: RequestContext = { waitUntil: (task) => void task.catch(() => {}), rawTarget: null }

/** Far more than any request that is written by hand. */
const MAX_PAYLOAD_BYTES = 512 * 1024 * 1024

function createPlatform(config: Config, models: readonly string[]): Platform {
  const now = () => Date.now()
  return {
    now,
    randomId,
    random: () => Math.random(),
    // Nothing here waits: time limits have nobody to limit.
    after: () => () => {},
    send: async () => {
      throw new Error('nobody is reached offline')
    },
    binding: () => null,
    fleet: createStatedFleet(config, models),
    limits: createMemoryLimitStore(now),
    writeLog() {},
    showsConnectPhase: true,
    adminOpenTo: 'nobody',
    wakesAcrossRequests: true,
    defaultMaxPayloadBytes: MAX_PAYLOAD_BYTES,
    classifySendError: () => ({ phase: 'not_sent', reason: 'offline' }),
  }
}

function createStatedFleet(config: Config, models: readonly string[]): FleetStore {
  return {
    source: 'configuration',
    sync: async () => ({
      takenAtMs: Date.now(),
      ageMs: 0,
      workers: config.workers.map((worker) => toState(worker, models)),
      inFlightElsewhere: new Map(),
      tickets: new Map(),
      permits: [],
    }),
    drain: async () => {},
    undrain: async () => {},
    ticketNow: () => 0,
    peekTicket: () => 0,
    takeTicket: async () => 0,
    rememberResponse: async () => {},
    findResponse: async () => null,
    forgetResponse: async () => {},
    announcePurge: async () => {},
  }
}

function toState({ id, models }: WorkerConfig, assumed: readonly string[]): WorkerState {
  return { ...NEVER_ASKED, workerId: id, availability: 'up', models: models ?? assumed }
}

/** Every name that this configuration could route to, and those asked for. */
function assumedModels(config: Config, asked: readonly string[]): readonly string[] {
  const { workers, modelRules, decisions, defaultModel } = config
  const stated = workers.flatMap(({ models }) => models ?? [])
  const targets = modelRules.flatMap(({ action }) => targetsOf(action))
  const decided = (decisions?.rules ?? []).flatMap(({ models }) => models.map(({ model }) => model))
  return [...new Set([...stated, ...targets, ...decided, ...(defaultModel === null ? [] : [defaultModel]), ...asked])]
}

function assumptionsOf({ workers }: Config): readonly string[] {
  const silent = workers.filter(({ models }) => models === null).map(({ id }) => named(id))
  const up = 'The configuration alone was asked: every worker is taken as up and idle, and turns begin at 0.'
  if (silent.length === 0) return [up]
  const they = silent.length === 1 ? 'it is' : 'they are'
  return [up, `It lists no models for ${listed(silent)}: ${they} taken to serve whatever is asked for.`]
}

function randomId(): string {
  return crypto.randomUUID().replaceAll('-', '')
}

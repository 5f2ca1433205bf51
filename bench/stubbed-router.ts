// A router over an upstream that answers at once, for measuring what a request costs in process: no sockets, no workers.

import { loadConfig } from '../src/config/load.ts'
import type { Platform, RequestContext } from '../src/platform.ts'
import { createRandomIds } from '../src/random-ids.ts'
import { assembleRouter, type Router } from '../src/router.ts'
import { policyRegistry } from '../src/routing/policies/index.ts'
import { toJsonLine } from '../src/observe/log/entry-text.ts'
import { createMemoryFleetStore } from '../src/store/memory.ts'
import { createMemoryLimitStore } from '../src/store/memory-limits.ts'
import { observationOf } from '../test/support/observation.ts'
import { CHAT_ANSWER, MODEL } from './upstream/answers.ts'

const WORKERS = ['http://10.0.0.1:8000', 'http://10.0.0.2:8000', 'http://10.0.0.3:8000', 'http://10.0.0.4:8000']
const CONFIG = `mode: { type: regular, worker_urls: ${JSON.stringify(WORKERS)} }\npolicy: { type: round_robin }\n`

const REQUEST_HEADERS = {
  'user-agent': 'OpenAI/Python 1.99.0',
  accept: 'application/json',
  authorization: 'Bearer sk-no-key-needed',
  'content-type': 'application/json',
}
export const ANSWER_HEADERS = { 'content-type': 'application/json', 'content-length': String(CHAT_ANSWER.length) }

/** How requests and the worker's answers come into being: what a runtime costs, or next to nothing. */
export interface Objects {
  request(body: Buffer): Request
  answer(): Response
  /** What becomes of the router's answer. */
  read(answer: Response): Promise<unknown> | undefined
}

/** The standard classes as Node has them. Building and reading them is a good part of what is measured. */
export const standard: Objects = {
  request(body) {
    const headers = { ...REQUEST_HEADERS, 'content-length': String(body.length) }
    return new Request('http://127.0.0.1:3001/v1/chat/completions', {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
  },
  answer: () => new Response(new Uint8Array(CHAT_ANSWER), { status: 200, headers: ANSWER_HEADERS }),
  read: (answer) => answer.arrayBuffer(),
}

/** The few members the router reads, so that what is left is the router's own. */
export const light: Objects = {
  request(body) {
    const headers = new Headers({ ...REQUEST_HEADERS, 'content-length': String(body.length) })
    const { signal } = new AbortController()
    const url = 'http://127.0.0.1:3001/v1/chat/completions'
    const request = {
      method: 'POST',
      url,
      headers,
      signal,
      body: {},
      arrayBuffer: async () => Uint8Array.from(body).buffer,
    }
    return request as unknown as Request // stands in for the class in a benchmark only
  },
  answer() {
    const headers = new Headers(ANSWER_HEADERS)
    const answer = {
      status: 200,
      ok: true,
      headers,
      body: {},
      arrayBuffer: async () => Uint8Array.from(CHAT_ANSWER).buffer,
    }
    return answer as unknown as Response // as above
  },
  // The server library takes the bytes out of its own light `Response`; reading it here would build the standard one.
  read: () => undefined,
}

export interface StubbedRouter {
  readonly router: Router
  close(): void
}

/** `settings` is YAML that goes below four workers and a policy. */
export async function createStubbedRouter(objects: Objects, settings = ''): Promise<StubbedRouter> {
  const loaded = await loadConfig(CONFIG + settings, {
    env: () => undefined,
    policies: policyRegistry(),
    showsConnectPhase: true,
  })
  if (!loaded.ok) throw new Error('the configuration of the benchmark is not valid')
  const { config } = loaded
  const now = () => Date.now()
  const after = (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  }
  const probe = async () => config.workers.map(({ id }) => observationOf(id, { models: [MODEL], atMs: now() }))
  const fleet = createMemoryFleetStore({ config, life: 'bench', now, after, probe, nextProbeMs: () => 60_000 })
  let written = 0
  const platform: Platform = {
    now,
    after,
    fleet,
    limits: createMemoryLimitStore(now),
    send: async () => objects.answer(),
    binding: () => null,
    random: () => Math.random(),
    randomId: createRandomIds(),
    writeLog: (entry) => void (written += toJsonLine(entry).length),
    showsConnectPhase: true,
    adminOpenTo: 'nobody',
    wakesAcrossRequests: true,
    classifySendError: () => ({ phase: 'maybe_sent', reason: 'network' }),
    defaultMaxPayloadBytes: 2 ** 29,
  }
  return { router: assembleRouter(config, platform), close: () => fleet.close() }
}

export const context: RequestContext = { waitUntil: (task) => void task, rawTarget: null }

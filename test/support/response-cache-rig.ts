// A router with a response cache for the tests of one `describe`: a simulated worker, one whose answers a test holds back, and a
// check of the operator in front.

import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { type AdminClient, adminClient } from './admin-client.ts'
import { type Answered, postJson } from './ask.ts'
import { type HttpWorker, startHttpWorker } from './http-worker.ts'
import { type RuntimeName, until } from './launch.ts'
import { type LiveFleet, liveFleet } from './live-fleet.ts'

/** Longer than anything takes that a test waits for. */
export const TIME_MS = 15_000
export const CHAT = '/v1/chat/completions'
export const KEYS = {
  acme: 'acme-0123456789',
  zeta: 'zeta-0123456789',
  admin: 'admin-0123456789',
  purger: 'purge-0123456789',
}
export type Tenant = 'acme' | 'zeta'
export const as = (tenant: Tenant) => ({ authorization: `Bearer ${KEYS[tenant]}` })
export const statusOf = ({ headers }: Answered) => headers.get('x-vllm-router-cache-status')

/** What the operator's check refuses, once it has been told to. */
export const DUBIOUS = 'dubious'

export interface ResponseCacheRig {
  readonly runtime: RuntimeName
  readonly fleet: LiveFleet<'sim'>
  readonly admin: AdminClient
  /** A request that a cache may answer; `text` tells it from others, also from those of an earlier try. */
  body(text: string, more?: object): object
  chat(asked: object, headers?: Readonly<Record<string, string>>): Promise<Answered>
  /** Sends it twice: what became of each, and how often the simulated worker was asked. */
  twice(asked: object, headers?: Readonly<Record<string, string>>): Promise<Twice>
  readonly slow: SlowWorker
  /** From now on, or no longer. */
  refuseDubious(isRefused: boolean): void
}

export interface Twice {
  readonly answers: readonly [Answered, Answered]
  readonly statuses: readonly (string | null)[]
  readonly asked: number
}

/** The worker of the model `slow`, as `vllm_xargs` of a request tell it to answer. */
export interface SlowWorker {
  /** Requests that have reached it. */
  count(): number
  /** Holds back answers until the function returned is called. */
  hold(): () => void
  /** Waits for one more than there were, at least. */
  untilAsked(before: number, complaint: string): Promise<void>
}

interface Told {
  readonly vllm_xargs?: { readonly length?: number; readonly fails?: boolean; readonly failsAs200?: boolean }
}

/** Registers start and end with the enclosing `describe`. */
export function responseCacheRig(runtime: RuntimeName): ResponseCacheRig {
  let run = 0
  beforeEach(() => void (run += 1))
  let isRefused = false
  let guard: HttpWorker
  const { slow, url: slowUrl } = slowWorker()
  beforeAll(async () => {
    guard = await startHttpWorker((request, response) => {
      let text = ''
      request.on('data', (chunk: Buffer) => (text += chunk.toString()))
      request.on('end', () => {
        const action = isRefused && text.includes(DUBIOUS) ? 'reject' : 'allow'
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ action }))
      })
    })
  })
  afterAll(() => guard?.close())
  const fleet = liveFleet<'sim'>(runtime, {
    workers: { sim: { models: ['m', 'other'], loras: ['adapter'], allowRequestFaults: true } },
    config: ({ sim }) => ({
      workers: [
        { id: 'sim', url: sim },
        { id: 'slow', url: slowUrl(), models: ['slow'] },
      ],
      api_keys: [
        {
          name: 'acme',
          key: KEYS.acme,
          allowed_models: ['m', 'alias', 'other', 'adapter', 'slow'],
          tokens_per_minute: 1_000_000,
        },
        { name: 'zeta', key: KEYS.zeta, allowed_models: ['m'] },
      ],
      admin_api_key: KEYS.admin,
      admin_api_keys: [{ label: 'purger', key: KEYS.purger, scopes: ['cache'] }],
      pre_routing_hooks: [{ name: 'guard', url: `${guard.url}/check`, timeout_ms: 10_000, on_error: 'block' }],
      model_rules: [{ match: 'alias', rewrite: 'm' }],
      forward_headers: ['x-sim-fault'],
      retry: { max_retries: 0 },
      cache: { ttl_secs: 600, max_body_bytes: '2MB' },
    }),
  })
  const chat: ResponseCacheRig['chat'] = (asked, headers = {}) =>
    postJson(fleet.url + CHAT, asked, { ...as('acme'), ...headers })
  return {
    runtime,
    fleet,
    admin: adminClient(() => fleet.url, KEYS.admin),
    slow,
    chat,
    body(text, more = {}) {
      const messages = [{ role: 'user', content: `${text} ${run}` }]
      return { model: 'm', temperature: 0, max_tokens: 4, messages, ...more }
    },
    async twice(asked, headers = {}) {
      const before = fleet.calls().length
      const answers = [await chat(asked, headers), await chat(asked, headers)] as const
      return { answers, statuses: answers.map(statusOf), asked: fleet.calls().length - before }
    },
    refuseDubious: (next) => void (isRefused = next),
  }
}

function slowWorker(): { readonly slow: SlowWorker; url(): string } {
  let worker: HttpWorker
  let chats = 0
  let gate: Promise<void> = Promise.resolve()

  async function answer(told: Told, response: ServerResponse): Promise<void> {
    chats += 1
    const id = `chat-${chats}`
    const { length = 10, fails = false, failsAs200 = false } = told.vllm_xargs ?? {}
    await gate
    if (failsAs200) {
      response.writeHead(200, { 'content-type': 'application/json' })
      return void response.end('{"error":{"message":"the engine is gone"}}')
    }
    if (fails) return void response.writeHead(500).end('{"error":{"message":"no"}}')
    const choices = [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'x'.repeat(length) } }]
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ id, object: 'chat.completion', choices }))
  }

  beforeAll(async () => {
    worker = await startHttpWorker((request, response) => {
      if (request.url !== CHAT) return void response.end('{"object":"list","data":[{"id":"slow","object":"model"}]}')
      let text = ''
      request.on('data', (chunk: Buffer) => (text += chunk.toString()))
      request.on('end', () => void answer(JSON.parse(text), response))
    })
  })
  afterAll(() => worker?.close())
  const slow: SlowWorker = {
    count: () => chats,
    hold() {
      let open: () => void = () => {}
      gate = new Promise((resolve) => (open = resolve))
      return open
    },
    untilAsked: (before, complaint) =>
      until(
        () => chats > before,
        TIME_MS,
        () => complaint,
      ),
  }
  return { slow, url: () => worker.url }
}

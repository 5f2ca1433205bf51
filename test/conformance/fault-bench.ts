// What the fault table's rows about single answers share: workers made of bare sockets, three for each row, so that no
// row sees what another one left behind; one router in front of them all, with breakers that count and never open.

import { afterAll, beforeAll, expect } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { fetchWhole, type WholeReply } from '../support/http-client.ts'
import { type LaunchedRouter, launchRouter, type RuntimeName, until } from '../support/launch.ts'
import {
  chunk,
  LAST_CHUNK,
  type RawAnswer,
  type RawWorker,
  SSE_HEAD,
  startRawWorker,
  wholeAnswer,
} from '../support/raw-worker.ts'

const ADMIN_KEY = 'operator-0123456789'
const CHAT = '/v1/chat/completions'

const FIRST_BYTE_MS = 4_000
const IDLE_MS = 4_000
export const REQUEST_BODY_MS = 1_000

/** A decision record as far as these suites look. */
export interface ShownRecord {
  readonly request_id: string
  readonly status: number
  readonly error?: string
  readonly stream_end?: string
  readonly lifecycle_state: string
  readonly attempts: readonly { worker: string; outcome: string; reason?: string; status?: number }[]
}

export interface FaultBench {
  readonly runtime: RuntimeName
  readonly router: LaunchedRouter
  readonly admin: ReturnType<typeof adminClient>
  /** The only worker of model `name`. */
  alone(name: string): RawWorker
  /** The two workers of model `name+` answer in turn: the first request of a client by `first`, all others well. */
  answerFirst(name: string, first: RawAnswer): void
  /** Both of them, always; the function says how many requests they have got. */
  answerBoth(name: string, answer: RawAnswer): () => number
  ask(model: string, options?: { readonly isStream?: boolean; readonly id?: string }): Promise<Asked>
  record(id: string): Promise<ShownRecord>
  /** What share of its attempts the router counts as faults. */
  errorRate(name: string): Promise<number | null>
  inFlight(): Promise<number>
}

export interface Asked extends WholeReply {
  readonly id: string
}

/** Registers start and end of its processes with the enclosing `describe`. */
export function faultBench(
  runtime: RuntimeName,
  names: readonly string[],
  { totalMs }: { readonly totalMs?: number } = {},
): FaultBench {
  const workers = new Map<string, RawWorker>()
  let router: LaunchedRouter | null = null
  let count = 0

  beforeAll(async () => {
    for (const name of names) {
      workers.set(name, await startRawWorker(name))
      for (const place of ['a', 'b']) workers.set(`${name}-${place}`, await startRawWorker(`${name}+`))
    }
    for (const worker of workers.values()) worker.answer(answerWell)
    router = await launchRouter(runtime, {
      config: JSON.stringify({
        workers: [...workers].map(([id, { url }]) => ({ id, url })),
        policy: 'random',
        admin_api_key: ADMIN_KEY,
        allow_anonymous: true,
        health_check: { check_interval_secs: 600 },
        // Every fault is counted, and the share of them shown; none of it takes a worker out.
        circuit_breaker: { failure_threshold: 10_000, minimum_volume: 2, error_rate: 1 },
        timeouts: {
          first_byte: `${FIRST_BYTE_MS}ms`,
          idle: `${IDLE_MS}ms`,
          total: totalMs === undefined ? 'off' : `${totalMs}ms`,
          request_body: `${REQUEST_BODY_MS}ms`,
        },
        retry: { initial_backoff_ms: 5, budget: { min_retries: 10_000 } },
      }),
    })
  })
  afterAll(async () => {
    await router?.stop()
    await Promise.all([...workers.values()].map((worker) => worker.close()))
  })

  const started = () => {
    if (router === null) throw new Error('the router has not been started')
    return router
  }
  const worker = (id: string) => {
    const found = workers.get(id)
    if (found === undefined) throw new Error(`no worker is called ${id}`)
    return found
  }
  const admin = adminClient(() => started().url, ADMIN_KEY)
  return {
    runtime,
    admin,
    get router() {
      return started()
    },
    alone: worker,
    answerFirst(name, first) {
      let asked = 0
      for (const place of ['a', 'b']) {
        worker(`${name}-${place}`).answer((exchange) => (asked++ === 0 ? first(exchange) : answerWell(exchange)))
      }
    },
    answerBoth(name, answer) {
      let asked = 0
      for (const place of ['a', 'b']) {
        worker(`${name}-${place}`).answer((exchange) => {
          asked += 1
          return answer(exchange)
        })
      }
      return () => asked
    },
    async ask(model, { isStream = false, id = `${runtime}-fault-${(count += 1)}` } = {}) {
      const body = { model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 2, stream: isStream }
      return { id, ...(await fetchWhole(started().url + CHAT, body, { headers: { 'x-request-id': id } })) }
    },
    async record(id) {
      let found: ShownRecord | undefined
      await until(
        async () => {
          const { decisions } = (await admin.get('/admin/decisions?limit=50')).json()
          found = decisions.find((each: ShownRecord) => each.request_id === id)
          // It is shown from the beginning of the request on.
          return found !== undefined && found.lifecycle_state !== 'in_progress'
        },
        10_000,
        () => `no decision of ${id} that has ended is shown`,
      )
      if (found === undefined) throw new Error('it went away')
      return found
    },
    errorRate: async (name) => (await admin.get(`/workers/${name}`)).json().breaker.error_rate,
    inFlight: async () => (await admin.get('/admin/stats')).json().in_flight,
  }
}

/** What a client gets from a worker that is well: it names the request that it answers. */
export const answerWell: RawAnswer = ({ head, body, write }) => {
  const text = `answer to ${requestIdIn(head)}`
  if (!body.includes('"stream":true')) {
    const choices = [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }]
    return write(wholeAnswer('200 OK', 'application/json', JSON.stringify({ object: 'chat.completion', choices })))
  }
  return write(Buffer.concat([Buffer.from(SSE_HEAD), chunk(event(text)), chunk(ENDING), Buffer.from(LAST_CHUNK)]))
}

/** One event of a stream that goes on. */
export function event(content: string): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`
}

/** The last events of a stream that is whole. */
export const ENDING = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

/** The answer is that of a worker that is well, and to this very request, whichever attempt it was. */
export function expectServed({ id, status, text }: Asked): void {
  expect(status, text).toBe(200)
  expect(text).toContain(`answer to ${id}`)
  expect(text).not.toContain('"error"')
}

function requestIdIn(head: string): string {
  return /^x-request-id: *(\S+)/im.exec(head)?.[1] ?? 'nobody'
}

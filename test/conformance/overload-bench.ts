// A router with few places and a short queue, and requests that hold a place for as long as a test wants.

import { afterEach, expect } from 'vitest'
import { chatBody, postJson } from '../support/ask.ts'
import { send, type Sent } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

export const CHAT = '/v1/chat/completions'
export const PLACES = 2
export const QUEUE = 3
export const PATIENCE_MS = 1_500
export const SLACK_MS = 1_000

export interface Overloaded {
  readonly fleet: LiveFleet<'slow'>
  readonly runtime: RuntimeName
  /** Streams that hold a place, or wait for one. */
  readonly open: Sent[]
  nextId(): string
}

/** Registers with the enclosing `describe`. */
export function overloadBench(runtime: RuntimeName): Overloaded {
  const fleet = liveFleet(runtime, {
    // A token every 20 ms: a stream of ENDLESS lasts longer than any test.
    workers: { slow: { models: ['m'], itlMs: 20, outputTokens: 100_000, maxNumSeqs: 1_000 } },
    config: (urls) => ({
      workers: [{ id: 'slow', url: urls.slow }],
      inbound_api_key: 'sesame',
      max_concurrent_requests: PLACES,
      queue_size: QUEUE,
      queue_timeout_secs: PATIENCE_MS / 1000,
      passthrough_paths: ['/metrics'],
      retry: { max_retries: 0 },
    }),
  })
  let count = 0
  const open: Sent[] = []
  const bench = { fleet, runtime, open, nextId: () => `${runtime}-full-${(count += 1)}` }
  // Whatever a test left, also one that failed: the next begins with an empty router.
  afterEach(async () => {
    for (const { leave } of open.splice(0)) leave()
    await settle(bench)
  })
  return bench
}

const ENDLESS = { ...chatBody('m'), max_tokens: 100_000, stream: true }
export const AUTH = { authorization: 'Bearer sesame' }

/** Begins a stream that holds its place until the client leaves, or the test ends. */
export function hold(bench: Overloaded): Sent & { readonly id: string } {
  const id = bench.nextId()
  const sent = send(bench.fleet.url + CHAT, ENDLESS, { headers: { ...AUTH, 'x-request-id': id } })
  bench.open.push(sent)
  return { ...sent, id }
}

/** Takes every place; resolves once all of them are surely taken. */
export async function fill(bench: Overloaded) {
  const holders = Array.from({ length: PLACES }, () => hold(bench))
  const replies = await Promise.all(holders.map(({ reply }) => reply))
  expect(replies.map(({ status }) => status)).toEqual(holders.map(() => 200))
  return holders
}

export function short(bench: Overloaded, id = bench.nextId()) {
  return postJson(bench.fleet.url + CHAT, chatBody('m'), { ...AUTH, 'x-request-id': id })
}

export function recordOf({ fleet }: Overloaded, id: string) {
  return fleet.router.record(({ request_id: of }) => of === id)
}

/** Waits until the router has room for everybody again. */
export async function settle(bench: Overloaded): Promise<void> {
  await until(
    () => bench.fleet.worker('slow').state().running === 0,
    5_000,
    () => 'the worker still has requests',
  )
  await until(
    async () => {
      const id = bench.nextId()
      const { status } = await short(bench, id)
      return status === 200 && !('queue_ms' in (await recordOf(bench, id)))
    },
    10_000,
    () => 'a request alone has to wait',
  )
}

export function delay(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms))
}

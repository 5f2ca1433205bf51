// How a wait or a place in a full router ends otherwise than with an answer: clients that leave, requests that are broken,
// a router that shuts down. Every place comes back.

import { describe, expect, test } from 'vitest'
import { chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { type Reply, send } from '../support/http-client.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import {
  AUTH,
  CHAT,
  delay,
  fill,
  hold,
  type Overloaded,
  PATIENCE_MS,
  PLACES,
  QUEUE,
  recordOf,
  settle,
  short,
} from './overload-bench.ts'

export function whoLeaves(bench: Overloaded): void {
  test.each(['close', 'reset'] as const)(
    'a client that leaves (%s) frees its spot in the queue at once',
    async (how) => {
      const holders = await fill(bench)
      const queued = Array.from({ length: QUEUE }, () => hold(bench))
      await delay(200)
      expectRefusal(await short(bench), 'overloaded')
      const [leaver] = queued
      leaver?.leave(how)
      const record = await recordOf(bench, leaver?.id ?? '')
      expect(record).toMatchObject({ status: 499, stream_end: 'client_aborted', attempts: [] })
      expect(record['queue_ms']).toBeLessThan(PATIENCE_MS)
      // There is room for one again: it waits instead of being refused.
      const late = hold(bench)
      holders[0]?.leave()
      for (const { leave } of queued.slice(1)) leave()
      expect((await late.reply).status).toBe(200)
    },
  )
}

const KINDS = ['finish', 'break', 'finish', 'leave'] as const

export function placesComeBack(bench: Overloaded): void {
  test('after requests of every kind and end, every place is free again', async () => {
    const random = seeded(bench.runtime.length)
    const statuses = new Set<number | string>()
    // Read to its end, left in mid-stream or while waiting, refused for its body once it has its place.
    const actions = Array.from({ length: 60 }, (_, at) => {
      return { kind: KINDS[at % KINDS.length], beginMs: random() * 3_000, stayMs: Math.floor(random() * 300) }
    })
    await Promise.all(
      actions.map(async ({ kind, beginMs, stayMs }) => {
        await delay(beginMs)
        if (kind === 'finish') return statuses.add((await short(bench)).status)
        if (kind === 'break') return statuses.add((await postJson(bench.fleet.url + CHAT, '{', AUTH)).status)
        const sent = hold(bench)
        const reply = await Promise.race([sent.reply, delay(stayMs)]).catch(() => null)
        if (reply !== null) await Promise.race([drain(reply), delay(stayMs)])
        sent.leave(stayMs % 2 === 0 ? 'close' : 'reset')
        return statuses.add(reply?.status ?? 'left')
      }),
    )
    expect([...statuses]).toEqual(expect.arrayContaining([200, 400, 'left']))
    await settle(bench)
    await fill(bench)
    expect(bench.fleet.worker('slow').state().running).toBe(PLACES)
  })
}

export function shutdown(runtime: RuntimeName): void {
  // A Worker is not told that it ends; under `serve` its process has the grace time like the others.
  describe.skipIf(runtime === 'workerd')(`overload and shutdown on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { slow: { models: ['m'], itlMs: 20, outputTokens: 50 } },
      config: (urls) => ({
        workers: [{ id: 'slow', url: urls.slow }],
        allow_anonymous: true,
        max_concurrent_requests: 1,
        shutdown_grace_secs: 10,
      }),
    })

    test('whoever waits is told at once that the router shuts down; whoever has a place finishes', async () => {
      const body = { ...chatBody('m'), max_tokens: 50, stream: true }
      const running = await send(fleet.url + CHAT, body).reply
      const waiting = postJson(fleet.url + CHAT, chatBody('m'), { 'x-request-id': 'waits' })
      await delay(200)
      fleet.router.process.kill('SIGTERM')
      expectRefusal(await waiting, 'shutting_down')
      expect((await running.rest()).toString()).toContain('[DONE]')
    })
  })
}

async function drain(reply: Reply): Promise<void> {
  await reply.rest().catch(() => {})
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}

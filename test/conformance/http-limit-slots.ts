// Requests at a time over HTTP: a slot is held until the stream ends, and comes back however it ends.

import { describe, expect, test } from 'vitest'
import { chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { fetchWhole, type Reply, send, type Sent } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import { CHAT, type LimitBench, SLOTS, type TenantName } from './limit-fleet.ts'
import { DEATHS } from './stream-bench.ts'

const ENDLESS = { ...chatBody('slow'), max_tokens: 100_000, stream: true }

interface Stream extends Sent {
  readonly opened: Reply
}

export function limitSlots(bench: LimitBench): void {
  const url = () => bench.fleet.url + CHAT

  async function open(tenant: TenantName): Promise<Stream> {
    const sent = send(url(), ENDLESS, { headers: bench.by(tenant) })
    const opened = await sent.reply
    expect(opened.status).toBe(200)
    await opened.next()
    return { ...sent, opened }
  }

  const short = (tenant: TenantName, more: Readonly<Record<string, string>> = {}) =>
    fetchWhole(url(), { ...chatBody('fast'), stream: true }, { headers: bench.by(tenant, more) })

  /** Every slot can be had at once: none is lost. */
  async function expectAllFree(tenant: TenantName): Promise<void> {
    const streams: Stream[] = []
    await until(
      async () => {
        const sent = send(url(), ENDLESS, { headers: bench.by(tenant) })
        const opened = await sent.reply
        if (opened.status === 200) streams.push({ ...sent, opened })
        else await opened.rest()
        return streams.length === SLOTS
      },
      5_000,
      () => `${streams.length} of ${SLOTS} slots`,
    )
    expect((await short(tenant)).status).toBe(429)
    for (const { leave } of streams) leave()
    await until(
      async () => (await short(tenant)).status === 200,
      5_000,
      () => 'no slot came back',
    )
  }

  describe('requests at a time', () => {
    test('are counted until their streams end, and refused beyond the limit', async () => {
      const streams = [await open('slots'), await open('slots')]
      const refused = await postJson(url(), chatBody('fast'), bench.by('slots'))
      expectRefusal(refused, 'rate_limit_exceeded')
      expect(refused.text).toContain(`requests at a time (${SLOTS})`)
      expect(refused.headers.get('retry-after')).toBe('1')
      // Nobody else is held up by it.
      expect((await postJson(url(), chatBody('fast'), bench.by('free'))).status).toBe(200)
      streams[0]?.leave()
      await until(
        async () => (await short('slots')).status === 200,
        5_000,
        () => 'the slot of the client that left did not come back',
      )
      streams[1]?.leave('reset')
      await expectAllFree('slots')
    })

    test('one after the other: a client that waits for each answer is never refused', async () => {
      const statuses: number[] = []
      for (let sent = 0; sent < 30; sent++) {
        const { status } =
          sent % 2 === 0
            ? await short('single')
            : await fetchWhole(url(), chatBody('fast'), { headers: bench.by('single') })
        statuses.push(status)
      }
      expect(new Set(statuses)).toEqual(new Set([200]))
    })

    test.each<[string, (bench: LimitBench) => Promise<unknown>]>([
      ['finishing', () => short('ending')],
      ['a 400', () => short('ending', { 'x-sim-fault': '{"status":400}' })],
      ['a 500', () => short('ending', { 'x-sim-fault': '{"status":500}' })],
      ['a body that is no JSON', () => fetchWhole(url(), '{', { headers: bench.by('ending') })],
      ['a model that nobody serves', () => fetchWhole(url(), { model: 'none' }, { headers: bench.by('ending') })],
      [
        'a worker that dies before its headers',
        () => short('ending', { 'x-sim-fault': '{"die_before_headers":true}' }),
      ],
      ['an error in the stream', () => short('ending', { 'x-sim-fault': '{"error_in_stream":{"after_events":2}}' })],
      ...DEATHS.map((mode): [string, () => Promise<unknown>] => [
        `a worker that dies in the middle (${mode})`,
        () => short('ending', { 'x-sim-fault': JSON.stringify({ die_mid_stream: { after_events: 2, mode } }) }),
      ]),
      ['a client that leaves at once', async () => send(url(), ENDLESS, { headers: bench.by('ending') }).leave()],
      ['a client that leaves in the middle', async () => (await open('ending')).leave()],
      ['a client that is reset in the middle', async () => (await open('ending')).leave('reset')],
      [
        'a client that leaves while the worker thinks',
        async () => {
          const { leave } = send(url(), chatBody('slow'), { headers: bench.by('ending') })
          await new Promise((resolve) => setTimeout(resolve, 100))
          leave()
        },
      ],
    ])('come back after %s', async (_, happen) => {
      for (let times = 0; times < SLOTS + 1; times++) await happen(bench).catch(() => {})
      await expectAllFree('ending')
    })
  })
}

// Clients that leave: the worker's request is aborted at once, whatever was under way, and the record says so.

import { describe, expect, test } from 'vitest'
import { send } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import { chunk, SSE_HEAD } from '../support/raw-worker.ts'
import { STREAM_ROUTES } from '../support/stream-routes.ts'
import { readStreamFixture } from './dialect.ts'
import { ABORT_MS, ask, type Bench, chat, ENDLESS_TOKENS, untilAborted, withFaults, within } from './stream-bench.ts'

export function clientLeaves(given: () => Bench): void {
  describe('when the client leaves', () => {
    test.each(STREAM_ROUTES)('$name: in mid-stream the worker stops at once', async (route) => {
      const bench = given()
      const before = bench.sim.state()
      const { id, reply, leave } = ask(bench, route, 'sim', { tokens: ENDLESS_TOKENS })
      const { next } = await reply
      await next()
      expect(bench.sim.state().running).toBe(1)
      leave()
      await untilAborted(bench.sim, before.aborted + 1)
      await expectLeft(bench, id)
    })

    // While nothing is being sent the two look different to a server: a close could be the end of the request alone.
    describe('by a reset, while nothing is sent', () => silent(given, 'reset'))
    describe('by a close, while nothing is sent', () => silent(given, 'close'))

    test('while the client does not read', async () => {
      const bench = given()
      let closed: Promise<void> | null = null
      bench.raw.answer(async (exchange) => {
        closed = exchange.closed
        await exchange.write(SSE_HEAD)
        const event = chunk(
          `data: {"choices":[{"delta":{"content":"${'x'.repeat(60_000)}"},"finish_reason":null}]}\n\n`,
        )
        for (;;) await exchange.write(event)
      })
      const { id, reply, leave } = ask(bench, chat, 'raw')
      await (await reply).next()
      leave()
      await within(closed, ABORT_MS)
      await expectLeft(bench, id)
    })

    test('twenty at once: the worker has none left', async () => {
      const bench = given()
      const before = bench.sim.state()
      const all = Array.from({ length: 20 }, (_, index) =>
        ask(bench, STREAM_ROUTES[index % 4] ?? chat, 'sim', { tokens: ENDLESS_TOKENS }),
      )
      await Promise.all(all.map(async ({ reply }) => (await reply).next()))
      for (const { leave } of all) leave()
      await untilAborted(bench.sim, before.aborted + 20)
      await Promise.all(all.map(({ id }) => expectLeft(bench, id)))
    })
  })
}

function silent(given: () => Bench, how: 'close' | 'reset'): void {
  test.each(STREAM_ROUTES)('$name: in a non-stream the worker stops at once', async (route) => {
    const bench = given()
    const before = bench.sim.state()
    const id = bench.id()
    const body = route.body('sim', { tokens: ENDLESS_TOKENS, isStream: false })
    const { leave } = send(bench.router.url + route.path, body, { headers: { 'x-request-id': id } })
    await until(
      () => bench.sim.state().running === 1,
      5_000,
      () => 'the request did not arrive',
    )
    leave(how)
    await untilAborted(bench.sim, before.aborted + 1)
    await expectLeft(bench, id)
  })

  test('before the headers the worker hears of it at once', async () => {
    const bench = given()
    const { disconnects } = bench.sim.state()
    await withFaults(bench.sim, { hang: true }, async () => {
      const { id, leave } = ask(bench, chat, 'sim')
      await until(
        () => bench.sim.state().requests.some(({ headers }) => headers['x-request-id'] === id),
        5_000,
        () => 'the request did not arrive',
      )
      leave(how)
      await until(
        () => bench.sim.state().disconnects > disconnects,
        ABORT_MS,
        () => 'the worker was not told that the client left',
      )
      await expectLeft(bench, id)
    })
  })

  test('after the headers, before the first event', async () => {
    const bench = given()
    let closed: Promise<void> | null = null
    bench.raw.answer(async (exchange) => {
      closed = exchange.closed
      await exchange.write(SSE_HEAD)
    })
    const { id, leave } = ask(bench, chat, 'raw')
    await until(
      () => closed !== null,
      5_000,
      () => 'the request did not arrive',
    )
    leave(how)
    await within(closed, ABORT_MS)
    await expectLeft(bench, id)
  })

  test('in the middle of a long answer that is no stream', async () => {
    const bench = given()
    let closed: Promise<void> | null = null
    bench.raw.answer(async (exchange) => {
      closed = exchange.closed
      await exchange.write(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9000000\r\n\r\n{"data":[',
      )
    })
    const id = bench.id()
    const sent = send(
      `${bench.router.url}/v1/embeddings`,
      { model: 'raw', input: 'x' },
      { headers: { 'x-request-id': id } },
    )
    await (await sent.reply).next()
    sent.leave(how)
    await within(closed, ABORT_MS)
    await expectLeft(bench, id)
  })

  // Some client libraries close the connection as soon as they have read the terminator.
  test.each(STREAM_ROUTES)('$name: after the terminator the request counts as finished', async (route) => {
    const bench = given()
    const fixture = Buffer.from(readStreamFixture(route.fixture))
    let closed: Promise<void> | null = null
    bench.raw.answer(async (exchange) => {
      closed = exchange.closed
      await exchange.write(SSE_HEAD)
      await exchange.write(chunk(fixture))
    })
    const { id, reply, leave } = ask(bench, route, 'raw')
    await (await reply).until(fixture.subarray(-20).toString('latin1'))
    leave(how)
    await within(closed, ABORT_MS)
    expect(await bench.record(id)).toMatchObject({ stream_end: 'complete' })
  })
}

async function expectLeft(bench: Bench, id: string): Promise<void> {
  expect(await bench.record(id)).toMatchObject({ stream_end: 'client_aborted' })
}

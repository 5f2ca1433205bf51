// Streams as a client and a worker see them over real sockets: passed on as they come, at the client's pace, byte for byte.
// How they end is in http-stream-ends.ts, clients that leave in http-leaving.ts.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fetchWhole } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { chunk, LAST_CHUNK, type RawExchange, SSE_HEAD } from '../support/raw-worker.ts'
import { STREAM_ROUTES } from '../support/stream-routes.ts'
import { readStreamFixture, SPELLINGS } from './dialect.ts'
import { clientLeaves } from './http-leaving.ts'
import { leases } from './http-leases.ts'
import { cutStreams, timeouts, workersErrors } from './http-stream-ends.ts'
import { ask, askWhole, type Bench, chat, openBench } from './stream-bench.ts'

export function streamConformance(runtime: RuntimeName): void {
  describe(`streams on ${runtime}`, () => {
    let bench: Bench
    beforeAll(async () => {
      bench = await openBench(runtime)
    })
    afterAll(async () => {
      await bench?.close()
    })
    const given = () => bench
    passesOn(given)
    backPressure(given)
    clientLeaves(given)
    finishedIsFinished(given)
    cutStreams(given)
    workersErrors(given)
    timeouts(given)
    leases(given)
  })
}

function passesOn(given: () => Bench): void {
  describe('are passed on', () => {
    test.each(STREAM_ROUTES)('$name: each event before the worker makes the next', async (route) => {
      const bench = given()
      const events = eventsOf(readStreamFixture(route.fixture))
      let sendNext: () => void = () => {}
      bench.raw.answer(async ({ write }) => {
        await write(SSE_HEAD)
        for (const event of events) {
          await write(chunk(event))
          // The next event waits until the client has this one: a router that collects events would never answer.
          await new Promise<void>((resolve) => (sendNext = resolve))
        }
        await write(LAST_CHUNK)
      })
      const { id, reply } = ask(bench, route, 'raw')
      const { status, headers, next } = await reply
      expect(status).toBe(200)
      expect(headers['content-type']).toBe('text/event-stream; charset=utf-8')
      expect(headers['content-length']).toBeUndefined()
      for (const event of events) {
        let received = ''
        while (received.length < event.length) received += (await next())?.toString('latin1') ?? 'the body has ended'
        expect(received).toBe(event.toString('latin1'))
        sendNext()
      }
      expect(await next()).toBeNull()
      expect(await bench.record(id)).toMatchObject({ status: 200, stream_end: 'complete' })
    })

    test.each(STREAM_ROUTES)('$name: byte for byte in every legal spelling, one byte at a time', async (route) => {
      const bench = given()
      for (const respell of Object.values(SPELLINGS)) {
        const bytes = Buffer.from(respell(Buffer.from(readStreamFixture(route.fixture)).toString()))
        bench.raw.answer((exchange) =>
          sendInPieces(
            exchange,
            Array.from(bytes, (byte) => Buffer.of(byte)),
          ),
        )
        const answer = await askWhole(bench, route, 'raw')
        expect(answer.bytes).toEqual(bytes)
        expect(await bench.record(answer.id)).toMatchObject({ stream_end: 'complete' })
      }
    })

    test('characters of several bytes survive a cut at any byte', async () => {
      const bench = given()
      const text = 'é世界😀🏳️‍🌈'
      const bytes = Buffer.from(
        `data: {"choices":[{"delta":{"content":"${text}"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`,
      )
      const from = bytes.indexOf('é')
      const cuts = Array.from({ length: Buffer.byteLength(text) + 1 }, (_, at) => from + at)
      const answers = cuts.map((cut) => [bytes.subarray(0, cut), bytes.subarray(cut)])
      bench.raw.answer((exchange) => sendInPieces(exchange, answers.pop() ?? []))
      const got = await Promise.all(cuts.map(() => askWhole(bench, chat, 'raw')))
      for (const answer of got) expect(answer.bytes).toEqual(bytes)
    })

    test('one event of eight megabytes', async () => {
      const bench = given()
      const content = 'grün '.repeat(1_400_000)
      const bytes = Buffer.from(
        `data: {"choices":[{"delta":{"content":"${content}"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`,
      )
      bench.raw.answer(({ write }) =>
        write(Buffer.concat([Buffer.from(SSE_HEAD), chunk(bytes), Buffer.from(LAST_CHUNK)])),
      )
      const answer = await askWhole(bench, chat, 'raw')
      expect(answer.bytes.equals(bytes)).toBe(true)
      expect(await bench.record(answer.id)).toMatchObject({ stream_end: 'complete' })
    })
  })
}

/** The events of a stream, each with its blank line. */
function eventsOf(bytes: Uint8Array): Buffer[] {
  return Buffer.from(bytes)
    .toString('latin1')
    .split(/(?<=\n\n)/)
    .map((event) => Buffer.from(event, 'latin1'))
}

async function sendInPieces({ write }: RawExchange, pieces: readonly Buffer[]): Promise<void> {
  await write(SSE_HEAD)
  for (const piece of pieces) {
    await write(chunk(piece))
    // A turn of the event loop, so that pieces leave one by one.
    await new Promise((resolve) => setImmediate(resolve))
  }
  await write(LAST_CHUNK)
}

function backPressure(given: () => Bench): void {
  test('a client that stops reading stops the worker, and loses nothing', async () => {
    const bench = given()
    const event = Buffer.from(
      `data: {"choices":[{"index":0,"delta":{"content":"${'x'.repeat(16_000)}"},"finish_reason":null}]}\n\n`,
    )
    const count = 10_000 // 160 MB
    const ending = Buffer.from('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    let taken = 0
    bench.raw.answer(async ({ write }) => {
      await write(SSE_HEAD)
      for (let sent = 0; sent < count; sent++) {
        await write(chunk(event))
        taken += event.length
      }
      await write(Buffer.concat([chunk(ending), Buffer.from(LAST_CHUNK)]))
    })
    const { id, reply } = ask(bench, chat, 'raw')
    const { next } = await reply
    let read = (await next())?.length ?? 0
    await untilStill(() => taken, 300)
    // What fits the kernel's buffers on two connections (up to 36 MB each, where Linux lets them grow), and a little in
    // the router.
    expect(taken).toBeLessThan(80 * 1024 * 1024)
    for (let piece = await next(); piece !== null; piece = await next()) read += piece.length
    expect(read).toBe(event.length * count + ending.length)
    expect(await bench.record(id)).toMatchObject({ stream_end: 'complete' })
  })
}

/** Waits until a count has not moved for `stillMs`. */
async function untilStill(count: () => number, stillMs: number): Promise<void> {
  let last = -1
  let movedAtMs = Date.now()
  await until(
    () => {
      if (count() !== last) movedAtMs = Date.now()
      last = count()
      return Date.now() - movedAtMs > stillMs
    },
    10_000,
    () => 'it never stood still',
  )
}

function finishedIsFinished(given: () => Bench): void {
  describe('a finished request is never taken for one whose client left', () => {
    test.each(['keep-alive', 'close'])('connection: %s', async (connection) => {
      const bench = given()
      const before = bench.fleet.map((worker) => worker.state())
      const headers = { connection }
      for (let round = 0; round < 5; round++) {
        const answers = await Promise.all(
          STREAM_ROUTES.flatMap((route) => {
            const id = bench.id()
            const options = { headers: { ...headers, 'x-request-id': id } }
            const whole = fetchWhole(bench.router.url + route.path, route.body('fleet', { isStream: false }), options)
            return [askWhole(bench, route, 'fleet', { headers }), whole.then((answer) => ({ id, ...answer }))]
          }),
        )
        for (const { id, status } of answers) {
          expect(status).toBe(200)
          expect(await bench.record(id)).toMatchObject({ stream_end: 'complete' })
        }
      }
      const after = bench.fleet.map((worker) => worker.state())
      expect(after.map(({ disconnects }) => disconnects)).toEqual(before.map(({ disconnects }) => disconnects))
    })
  })
}

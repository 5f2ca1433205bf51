// Streams and their ends, as a client and a worker see them over real sockets: passed on as they come, at the client's
// pace, byte for byte, and never a cut one that looks whole.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import type { FaultRuleInput } from '../../src/simulator/fault-schema.ts'
import { fetchWhole, send, type SendOptions } from '../support/http-client.ts'
import { type LaunchedRouter, launchRouter, type RuntimeName, until } from '../support/launch.ts'
import { chunk, LAST_CHUNK, type RawExchange, type RawWorker, SSE_HEAD, startRawWorker, wholeAnswer } from '../support/raw-worker.ts'
import { STREAM_ROUTES, type StreamRoute } from '../support/stream-routes.ts'
import { parseEvents, readStreamFixture, SPELLINGS } from './dialect.ts'

/** How soon a worker must be rid of a request whose client has left. */
const ABORT_MS = 500

const FIRST_BYTE_MS = 1_200
const IDLE_MS = 1_500

/** Answers so long that none ends by itself within a test. */
const ENDLESS_TOKENS = 5_000

const DEATHS = ['rst', 'fin', 'clean', 'mid_event', 'done_without_finish'] as const

interface Bench {
  readonly router: LaunchedRouter
  /** Serves model `sim`. */
  readonly sim: StartedWorker
  /** Serves model `raw`. */
  readonly raw: RawWorker
  /** Serve model `fleet` together. */
  readonly fleet: readonly StartedWorker[]
  /** A new request id, to find the record by. */
  id(): string
  /** The record of a request, once it has ended. */
  record(requestId: string): Promise<Record<string, unknown>>
}

export function streamConformance(runtime: RuntimeName): void {
  describe(`streams on ${runtime}`, () => {
    let bench: Bench
    beforeAll(async () => {
      bench = await openBench(runtime)
    })
    afterAll(async () => {
      await bench?.router.stop()
      await Promise.all([bench?.raw, bench?.sim, ...(bench?.fleet ?? [])].map((worker) => worker?.close()))
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

async function openBench(runtime: RuntimeName): Promise<Bench> {
  const quick = { port: 0, prefillOverheadMs: 2, itlMs: 2, logRequests: 0 }
  const sim = await startSimulatedWorker({ ...quick, models: ['sim'], itlMs: 10, outputTokens: ENDLESS_TOKENS })
  const raw = await startRawWorker('raw')
  const fleet = await Promise.all(
    [1, 2, 3].map((seed) => startSimulatedWorker({ ...quick, seed, models: ['fleet'], allowRequestFaults: true })),
  )
  const workers = [{ id: 'sim', url: sim.url }, { id: 'raw', url: raw.url }].concat(
    fleet.map(({ url }, index) => ({ id: `fleet-${index}`, url })),
  )
  const router = await launchRouter(runtime, {
    config: JSON.stringify({
      workers,
      policy: 'least_load',
      forward_headers: ['x-sim-fault'],
      timeouts: { first_byte: `${FIRST_BYTE_MS}ms`, idle: `${IDLE_MS}ms` },
    }),
  })
  let count = 0
  return {
    router,
    sim,
    raw,
    fleet,
    id: () => `${runtime}-${++count}`,
    record: (requestId) => router.record((record) => record['request_id'] === requestId),
  }
}

/** Sends a stream request of `route`. */
function ask(bench: Bench, route: StreamRoute, model: string, options: SendOptions & { tokens?: number } = {}) {
  const id = bench.id()
  const { tokens, headers, ...rest } = options
  const body = route.body(model, tokens === undefined ? {} : { tokens })
  return { id, ...send(bench.router.url + route.path, body, { ...rest, headers: { 'x-request-id': id, ...headers } }) }
}

async function askWhole(bench: Bench, route: StreamRoute, model: string, options: SendOptions & { tokens?: number } = {}) {
  const { id, reply } = ask(bench, route, model, options)
  const { status, headers, rest } = await reply
  const bytes = await rest()
  return { id, status, headers, bytes, events: parseEvents(bytes) }
}

const chat = STREAM_ROUTES.find(({ name }) => name === 'chat') as StreamRoute

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
        bench.raw.answer((exchange) => sendInPieces(exchange, Array.from(bytes, (byte) => Buffer.of(byte))))
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
      bench.raw.answer(({ write }) => write(Buffer.concat([Buffer.from(SSE_HEAD), chunk(bytes), Buffer.from(LAST_CHUNK)])))
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
    const count = 6_000 // 96 MB
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
    // What fits the kernel's buffers of four sockets, and a little in the router. The stream has 96 MB.
    expect(taken).toBeLessThan(32 * 1024 * 1024)
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

function clientLeaves(given: () => Bench): void {
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
    describe.each(['close', 'reset'] as const)('by a %s, while nothing is sent', (how) => {
      silent(given, how)
    })

    test('while the client does not read', async () => {
      const bench = given()
      let closed: Promise<void> | null = null
      bench.raw.answer(async (exchange) => {
        closed = exchange.closed
        await exchange.write(SSE_HEAD)
        const event = chunk(`data: {"choices":[{"delta":{"content":"${'x'.repeat(60_000)}"},"finish_reason":null}]}\n\n`)
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
    await until(() => bench.sim.state().running === 1, 5_000, () => 'the request did not arrive')
    leave(how)
    await untilAborted(bench.sim, before.aborted + 1)
    await expectLeft(bench, id)
  })

  test('before the headers the worker hears of it at once', async () => {
    const bench = given()
    const { disconnects, requestsSeen } = bench.sim.state()
    await withFaults(bench.sim, { hang: true }, async () => {
      const { id, leave } = ask(bench, chat, 'sim')
      await until(() => bench.sim.state().requestsSeen > requestsSeen, 5_000, () => 'the request did not arrive')
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
    await until(() => closed !== null, 5_000, () => 'the request did not arrive')
    leave(how)
    await within(closed, ABORT_MS)
    await expectLeft(bench, id)
  })

  test('in the middle of a long answer that is no stream', async () => {
    const bench = given()
    let closed: Promise<void> | null = null
    bench.raw.answer(async (exchange) => {
      closed = exchange.closed
      await exchange.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9000000\r\n\r\n{"data":[')
    })
    const id = bench.id()
    const sent = send(`${bench.router.url}/v1/embeddings`, { model: 'raw', input: 'x' }, { headers: { 'x-request-id': id } })
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

async function untilAborted(sim: StartedWorker, aborted: number): Promise<void> {
  await until(
    () => sim.state().running === 0 && sim.state().aborted === aborted,
    ABORT_MS,
    () => `running ${sim.state().running}, aborted ${sim.state().aborted} instead of ${aborted}`,
  )
}

async function within(settled: Promise<void> | null, limitMs: number): Promise<void> {
  let isSettled = false
  void settled?.then(() => (isSettled = true))
  await until(() => isSettled, limitMs, () => `it took longer than ${limitMs} ms`)
}

async function withFaults(sim: StartedWorker, faults: FaultRuleInput, task: () => Promise<void>): Promise<void> {
  await sim.setFaults(faults)
  try {
    await task()
  } finally {
    await sim.setFaults([])
  }
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

function cutStreams(given: () => Bench): void {
  describe('a stream that is cut ends with an error frame', () => {
    for (const route of STREAM_ROUTES) {
      test.each(DEATHS)(`${route.name}: %s`, async (mode) => {
        const bench = given()
        await withFaults(bench.sim, { die_mid_stream: { after_events: 4, mode } }, async () => {
          await expectCut(bench, route, await askWhole(bench, route, 'sim', { tokens: 100 }))
        })
      })

      test(`${route.name}: a body without length or chunks that just ends`, async () => {
        const bench = given()
        const fixture = Buffer.from(readStreamFixture(route.fixture))
        bench.raw.answer(async ({ write, socket }) => {
          await write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n')
          await write(fixture.subarray(0, fixture.indexOf('\n\n') + 20))
          socket.end()
        })
        await expectCut(bench, route, await askWhole(bench, route, 'raw'))
      })

      test(`${route.name}: no event at all`, async () => {
        const bench = given()
        bench.raw.answer(({ write }) => write(SSE_HEAD + LAST_CHUNK))
        await expectCut(bench, route, await askWhole(bench, route, 'raw'))
      })
    }

    test('garbage in place of a chunk', async () => {
      const bench = given()
      bench.raw.answer(({ write }) => write(`${SSE_HEAD}4\r\n: a\n\r\nzz-no-length\r\n`))
      await expectCut(bench, chat, await askWhole(bench, chat, 'raw'))
    })

    test('an answer of no known length that is no stream breaks the connection', async () => {
      const bench = given()
      bench.raw.answer(async ({ write, socket }) => {
        await write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n')
        await write(chunk('{"object":"list","data":['))
        socket.end()
      })
      const id = bench.id()
      const { reply } = send(`${bench.router.url}/v1/embeddings`, { model: 'raw', input: 'x' }, { headers: { 'x-request-id': id } })
      const outcome = await reply.then(async ({ status, rest }) => ({ status, body: (await rest()).toString() })).catch(() => null)
      // A 502 is as good: what must not come is half a document that looks whole.
      if (outcome !== null) expect(outcome.status).toBe(502)
      const record = await bench.record(id)
      expect(record['stream_end'] === 'truncated' || record['error'] === 'upstream_invalid').toBe(true)
    })

    test('an answer shorter than its length is a 502', async () => {
      const bench = given()
      await withFaults(bench.sim, { truncated_json: true }, async () => {
        const body = chat.body('sim', { isStream: false })
        const { status, text } = await fetchWhole(bench.router.url + chat.path, body)
        expect({ status, code: JSON.parse(text).error.code }).toEqual({ status: 502, code: 'upstream_invalid' })
      })
    })
  })
}

/** The answer holds whole events of the worker's, then one error in the route's dialect and nothing after it. */
async function expectCut(
  bench: Bench,
  route: StreamRoute,
  answer: Awaited<ReturnType<typeof askWhole>>,
  end = 'truncated',
): Promise<void> {
  expect(answer.status).toBe(200)
  const { events } = answer
  const firstError = events.findIndex((event) => route.isError(event))
  expect(firstError, answer.bytes.toString()).toBeGreaterThanOrEqual(0)
  for (const { data } of events) expect(data === '[DONE]' || typeof JSON.parse(data) === 'object').toBe(true)
  // A client stops at the error; only a worker's own late [DONE] may follow it.
  expect(events.slice(firstError + 1).map(({ data }) => data).filter((data) => data !== '[DONE]')).toEqual([])
  expect(await bench.record(answer.id)).toMatchObject({ status: 200, stream_end: end })
}

function workersErrors(given: () => Bench): void {
  describe("a worker's own errors", () => {
    test.each(STREAM_ROUTES)('$name: one in the stream passes, and is the only one', async (route) => {
      const bench = given()
      await withFaults(bench.sim, { error_in_stream: { after_events: 3 } }, async () => {
        const { id, status, bytes } = await askWhole(bench, route, 'sim', { tokens: 100 })
        expect(status).toBe(200)
        expect(bytes.toString().split('Simulated engine failure.')).toHaveLength(2)
        expect(bytes.toString()).not.toContain('upstream_unreachable')
        expect(await bench.record(id)).toMatchObject({ stream_end: 'upstream_error' })
      })
    })

    test.each(STREAM_ROUTES)('$name: a page of HTML with status 200 becomes a 502', async (route) => {
      const bench = given()
      await withFaults(bench.sim, { html_200: true }, async () => {
        const { id, status, headers, bytes } = await askWhole(bench, route, 'sim')
        expect(status).toBe(502)
        expect(headers['content-type']).toBe('application/json')
        expect(JSON.parse(bytes.toString()).error.message).toContain('event stream')
        expect(await bench.record(id)).toMatchObject({ status: 502, error: 'upstream_invalid' })
      })
    })

    test('JSON with status 200 in place of a stream becomes a 502', async () => {
      const bench = given()
      bench.raw.answer(({ write }) => write(wholeAnswer('200 OK', 'application/json', '{"choices":[]}')))
      expect(await askWhole(bench, chat, 'raw')).toMatchObject({ status: 502 })
    })

    test.each([400, 401, 404, 422, 429, 500, 502, 503, 529])('status %d keeps its status and its JSON', async (code) => {
      const bench = given()
      const body = `{"error":{"message":"no ${code}","type":"BadRequestError","param":null,"code":${code}}}`
      bench.raw.answer(({ write }) => write(wholeAnswer(`${code} Said so`, 'application/json', body)))
      for (const route of STREAM_ROUTES) {
        const { id, status, headers, bytes } = await askWhole(bench, route, 'raw')
        expect(status).toBe(code)
        expect(headers['content-type']).toBe('application/json')
        expect(bytes.toString()).toBe(body)
        expect(await bench.record(id)).toMatchObject({ status: code })
      }
    })
  })
}

function timeouts(given: () => Bench): void {
  describe('a worker that falls silent', () => {
    test('in mid-stream: an error frame after the idle time, in every dialect', async () => {
      const bench = given()
      await withFaults(bench.sim, { stall_mid_stream: { after_events: 4 } }, async () => {
        const { aborted } = bench.sim.state()
        const begin = Date.now()
        const answers = await Promise.all(STREAM_ROUTES.map((route) => askWhole(bench, route, 'sim', { tokens: 100 })))
        expect(Date.now() - begin).toBeGreaterThanOrEqual(IDLE_MS - 100)
        expect(Date.now() - begin).toBeLessThan(IDLE_MS + 1_500)
        for (const [index, answer] of answers.entries()) {
          await expectCut(bench, STREAM_ROUTES[index] ?? chat, answer, 'timeout')
          expect(answer.bytes.toString()).toContain('timeout')
        }
        await untilAborted(bench.sim, aborted + 4)
      })
    })

    test('before the headers: 504 after the first-byte time, and the worker is let go', async () => {
      const bench = given()
      const { disconnects } = bench.sim.state()
      await withFaults(bench.sim, { hang: true }, async () => {
        const begin = Date.now()
        const answers = await Promise.all(STREAM_ROUTES.map((route) => askWhole(bench, route, 'sim')))
        expect(Date.now() - begin).toBeLessThan(FIRST_BYTE_MS + 1_500)
        for (const { id, status, bytes } of answers) {
          expect(status).toBe(504)
          expect(JSON.parse(bytes.toString()).error.message).toContain('first_byte')
          expect(await bench.record(id)).toMatchObject({
            status: 504,
            stream_end: 'timeout',
            error: 'upstream_timeout',
            attempts: [{ outcome: 'timeout', reason: 'first_byte' }],
          })
        }
        await until(() => bench.sim.state().disconnects >= disconnects + 4, ABORT_MS, () => 'the worker was not let go')
      })
    })

    test('after the headers, and in the middle of an answer that is no stream', async () => {
      const bench = given()
      const length = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"id"'
      bench.raw.answer(({ body, write }) => write(body.includes('"stream":true') ? SSE_HEAD : length))
      const [stream, whole] = await Promise.all([
        askWhole(bench, chat, 'raw'),
        fetchWhole(bench.router.url + chat.path, chat.body('raw', { isStream: false })),
      ])
      await expectCut(bench, chat, stream, 'timeout')
      expect(whole.status).toBe(504)
      expect(JSON.parse(whole.text).error.code).toBe('upstream_timeout')
    })
  })
}

/** One request of a random sequence, and what befalls it. */
interface Act {
  readonly route: StreamRoute
  readonly isStream: boolean
  readonly fault: Readonly<Record<string, unknown>> | null
  /** When the client leaves: after so many milliseconds or pieces of the body; null to read to the end. */
  readonly leaves: { readonly afterMs?: number; readonly afterPieces?: number } | null
}

const acts: fc.Arbitrary<Act> = fc.record({
  route: fc.constantFrom(...STREAM_ROUTES),
  isStream: fc.boolean(),
  fault: fc.constantFrom(
    null,
    null,
    { status: 500 },
    { status: 400 },
    { die_before_headers: true },
    { truncated_json: true },
    { html_200: true },
    { slow_headers_ms: 50 },
    { error_in_stream: { after_events: 2 } },
    ...DEATHS.map((mode) => ({ die_mid_stream: { after_events: 2, mode } })),
  ),
  leaves: fc.constantFrom(null, null, { afterMs: 0 }, { afterMs: 5 }, { afterMs: 15 }, { afterPieces: 1 }, { afterPieces: 3 }),
})

function leases(given: () => Bench): void {
  test('after any mix of finishes, aborts and deaths nothing is in flight', async () => {
    const bench = given()
    await fc.assert(
      fc.asyncProperty(fc.array(acts, { minLength: 3, maxLength: 10 }), async (sequence) => {
        await Promise.all(sequence.map((act) => perform(bench, act)))
        await untilNothingInFlight(bench)
      }),
      { numRuns: 30 },
    )
    for (const worker of bench.fleet) expect(worker.state()).toMatchObject({ running: 0, waiting: 0 })
  })
}

async function perform(bench: Bench, { route, isStream, fault, leaves }: Act): Promise<void> {
  const headers: Record<string, string> = fault === null ? {} : { 'x-sim-fault': JSON.stringify(fault) }
  const { reply, leave } = send(bench.router.url + route.path, route.body('fleet', { isStream }), { headers })
  if (leaves?.afterMs !== undefined) setTimeout(leave, leaves.afterMs)
  try {
    const { next } = await reply
    for (let read = 1; (await next()) !== null; read++) if (read === leaves?.afterPieces) return leave()
  } catch {
    // A client that left, or an answer that was cut: what is under test is what stays behind.
  }
}

/** Asks until a decision has seen all three workers, with none of this router's requests on any of them. */
async function untilNothingInFlight(bench: Bench): Promise<void> {
  let candidates: unknown[] = []
  await until(
    async () => {
      const id = bench.id()
      await fetchWhole(`${bench.router.url}/tokenize`, { model: 'fleet', prompt: 'x' }, { headers: { 'x-request-id': id } })
      const record = await bench.record(id)
      candidates = (record['candidates'] as { worker: string; parts?: Record<string, number> }[])
        .filter(({ worker }) => worker.startsWith('fleet'))
        .map(({ parts }) => parts?.['in_flight_here'])
      return candidates.length === 3 && candidates.every((count) => count === 0)
    },
    5_000,
    () => `still in flight: ${JSON.stringify(candidates)}`,
  )
}

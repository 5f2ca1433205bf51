// How streams end other than well: cut by the worker, failed in the stream, answered with something else, or silent.

import { describe, expect, test } from 'vitest'
import { fetchWhole, send } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import { chunk, LAST_CHUNK, SSE_HEAD, wholeAnswer } from '../support/raw-worker.ts'
import { STREAM_ROUTES, type StreamRoute } from '../support/stream-routes.ts'
import { readStreamFixture } from './dialect.ts'
import {
  ABORT_MS,
  askWhole,
  type Bench,
  chat,
  DEATHS,
  FIRST_BYTE_MS,
  IDLE_MS,
  untilAborted,
  withFaults,
} from './stream-bench.ts'

export function cutStreams(given: () => Bench): void {
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
      const { reply } = send(
        `${bench.router.url}/v1/embeddings`,
        { model: 'raw', input: 'x' },
        { headers: { 'x-request-id': id } },
      )
      const outcome = await reply
        .then(async ({ status, rest }) => ({ status, body: (await rest()).toString() }))
        .catch(() => null)
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
  // A client stops at the error; at most the worker's own late terminator follows it.
  expect(
    events.slice(firstError + 1).filter(({ data }) => !/^\[DONE\]$|message_stop|response\.completed/.test(data)),
  ).toEqual([])
  expect(await bench.record(answer.id)).toMatchObject({ status: 200, stream_end: end })
}

export function workersErrors(given: () => Bench): void {
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

    test.each([400, 401, 404, 422, 429, 500, 502, 503, 529])(
      'status %d keeps its status and its JSON',
      async (code) => {
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
      },
    )
  })
}

export function timeouts(given: () => Bench): void {
  describe('a worker that falls silent', () => {
    test('in mid-stream: an error frame after the idle time, in every dialect', async () => {
      const bench = given()
      await withFaults(bench.sim, { stall_mid_stream: { after_events: 4 } }, async () => {
        const { aborted } = bench.sim.state()
        const begin = Date.now()
        const answers = await Promise.all(STREAM_ROUTES.map((route) => askWhole(bench, route, 'sim', { tokens: 100 })))
        expect(Date.now() - begin).toBeGreaterThanOrEqual(IDLE_MS - 100)
        expect(Date.now() - begin).toBeLessThan(IDLE_MS + 2_500)
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
        await until(
          () => bench.sim.state().disconnects >= disconnects + 4,
          ABORT_MS,
          () => 'the worker was not let go',
        )
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

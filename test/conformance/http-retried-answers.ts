// Answers that are cut before the client has anything of them: the request is sent once more, and the record says why.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import {
  chunk,
  LAST_CHUNK,
  type RawAnswer,
  type RawWorker,
  startRawWorker,
  wholeAnswer,
} from '../support/raw-worker.ts'

const CHAT = '/v1/chat/completions'
const CHUNKED_JSON = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
const SHORT_OF_100 = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"choices":['

/** Writes and then ends the connection. */
function cut(text: string | Buffer, how: 'end' | 'reset' = 'end'): RawAnswer {
  return async ({ write, socket }) => {
    await write(text)
    if (how === 'end') socket.end()
    else setTimeout(() => socket.resetAndDestroy(), 50)
  }
}

export function retriedAnswersConformance(runtime: RuntimeName): void {
  describe(`answers that are cut on ${runtime}`, () => {
    let raw: RawWorker
    beforeAll(async () => {
      raw = await startRawWorker('m')
    })
    afterAll(() => raw.close())
    const fleet = liveFleet(runtime, {
      workers: { other: { models: ['m'] } },
      config: (urls) => ({
        workers: [
          { id: 'raw', url: raw.url },
          { id: 'other', url: urls.other },
        ],
        policy: 'consistent_hash',
        // The same worker fails again and again here, and is to be asked all the same.
        disable_circuit_breaker: true,
        timeouts: { first_byte: '700ms', idle: '700ms' },
        retry: { initial_backoff_ms: 5, budget: { min_retries: 1_000 } },
      }),
    })
    let session: string | null = null
    let count = 0

    async function reachesRaw(tried: string): Promise<boolean> {
      const { headers } = await postJson(fleet.url + CHAT, chatBody('m'), { 'x-session-id': tried })
      return headers.get('x-vllm-router-worker') === 'raw'
    }

    async function findSession(): Promise<string> {
      for (;;) {
        const tried = `session-${++count}`
        if (await reachesRaw(tried)) return tried
      }
    }

    /** Asks while the raw worker, which is asked first, answers so. */
    async function askPast(answer: RawAnswer) {
      // A good answer first: several cuts in a row would have the worker left alone for a while.
      raw.answer(({ socket }) => void socket.write(wholeAnswer('200 OK', 'application/json', '{"home":true}')))
      const home = (session ??= await findSession())
      await until(
        () => reachesRaw(home),
        8_000,
        () => 'raw was never used again',
      )
      raw.answer(answer)
      const id = `${runtime}-cut-${++count}`
      const headers = { 'x-session-id': home, 'x-request-id': id }
      const answered = await postJson(fleet.url + CHAT, chatBody('m'), headers)
      const { attempts, stream_end: end } = await fleet.router.record((each) => each['request_id'] === id)
      return { answered, attempts, end }
    }

    test.each([
      ['of stated length, by the end of the connection', cut(SHORT_OF_100)],
      ['of stated length, by a reset', cut(SHORT_OF_100, 'reset')],
      ['with no byte of its body', cut(SHORT_OF_100.replace(/\{.*/, ''))],
      ['in chunks', cut(CHUNKED_JSON + chunk('{"choices":['))],
      ['in chunks, by a reset', cut(CHUNKED_JSON + chunk('{"choices":['), 'reset')],
      ['of text', cut(SHORT_OF_100.replace('application/json', 'text/plain'))],
    ])('%s: another worker serves', async (_, answer) => {
      const { answered, attempts } = await askPast(answer)
      expect(answered.status, answered.text).toBe(200)
      expect(answered.json()).toMatchObject({ object: 'chat.completion' })
      expect(answered.headers.get('x-vllm-router-worker')).toBe('other')
      expect(attempts).toMatchObject([
        { worker: 'raw', outcome: 'invalid', reason: 'truncated', status: 200 },
        { worker: 'other', outcome: 'answered', status: 200 },
      ])
    })

    test('stalled after its headers: a timeout, and another worker serves', async () => {
      const { answered, attempts } = await askPast(async ({ write }) => write(SHORT_OF_100))
      expect([answered.status, answered.headers.get('x-vllm-router-attempts')]).toEqual([200, '2'])
      expect(attempts).toMatchObject([{ outcome: 'timeout', reason: 'first_byte', status: 200 }, { status: 200 }])
    })

    test('all there and no whole JSON: 502, and nobody else is asked', async () => {
      const { answered, attempts } = await askPast(({ socket }) => {
        socket.write(wholeAnswer('200 OK', 'application/json', '{"choices":[{"a":'))
      })
      expectRefusal(answered, 'upstream_invalid')
      expect(attempts).toMatchObject([{ outcome: 'invalid', reason: 'upstream_invalid', status: 200 }])
    })

    test('whole, in chunks: passed with its length', async () => {
      const { answered } = await askPast(({ socket }) => {
        socket.write(Buffer.concat([Buffer.from(CHUNKED_JSON), chunk('{"a":'), chunk('"é"}'), Buffer.from(LAST_CHUNK)]))
      })
      expect([answered.status, answered.text]).toEqual([200, '{"a":"é"}'])
    })
  })
}

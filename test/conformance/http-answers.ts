// A worker's answer on its way back: status and body as they were, lengths and encodings that are true, and nothing
// passed on that a client would misread.

import { createHash } from 'node:crypto'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { fetchWhole, type WholeReply } from '../support/http-client.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { chunk, LAST_CHUNK, type RawWorker, startRawWorker, wholeAnswer } from '../support/raw-worker.ts'

const CHAT = '/v1/chat/completions'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** JSON of at least so many bytes, with text that is no ASCII. */
function jsonOf(bytes: number): Buffer {
  const rows = Array.from({ length: Math.ceil(bytes / 40) }, (_, at) => `{"at":${at},"é":"中","x":1.000}`)
  return Buffer.from(`{"data":[${rows.join(', ')}]}\n`)
}

export function answersConformance(runtime: RuntimeName): void {
  describe(`answers on ${runtime}`, () => {
    let raw: RawWorker
    beforeAll(async () => {
      raw = await startRawWorker('raw')
    })
    afterAll(() => raw.close())
    const fleet = liveFleet(runtime, {
      workers: { sim: { models: ['sim'] } },
      config: (urls) => ({
        workers: [
          { id: 'sim', url: urls.sim },
          { id: 'raw', url: raw.url },
        ],
      }),
    })
    /** The client's view of an answer, with nothing decoded on its side. */
    function through(answer: string | Buffer, headers: Record<string, string> = {}): Promise<WholeReply> {
      raw.answer(({ socket }) => void socket.write(answer))
      return fetchWhole(fleet.url + CHAT, chatBody('raw'), { headers })
    }
    function encoded(body: Buffer, lines: readonly string[], status = '200 OK'): Buffer {
      const head = [`HTTP/1.1 ${status}`, `content-length: ${body.length}`, 'content-type: application/json', ...lines]
      return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
    }

    describe('whole', () => {
      test.each([20, 3_000, 300_000, 3_000_000])('%d bytes of known length, to the byte', async (size) => {
        const body = jsonOf(size)
        const { status, bytes, headers } = await through(encoded(body, []))
        expect(status).toBe(200)
        expect(sha256(bytes)).toBe(sha256(body))
        expect(headers['content-encoding']).toBeUndefined()
        if (size < 200_000) expect(headers['content-length']).toBe(String(body.length))
        expect([undefined, String(body.length)]).toContain(headers['content-length'])
      })

      test.each([300, 300_000])('%d bytes in chunks, to the byte', async (size) => {
        const body = jsonOf(size)
        const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
        const pieces = Array.from({ length: Math.ceil(body.length / 999) }, (_, at) =>
          chunk(body.subarray(at * 999, at * 999 + 999)),
        )
        const { bytes } = await through(Buffer.concat([Buffer.from(head), ...pieces, Buffer.from(LAST_CHUNK)]))
        expect(sha256(bytes)).toBe(sha256(body))
      })

      test('three megabytes of embeddings', async () => {
        const input = Array.from({ length: 150 }, (_, at) => `text ${at}`)
        const body = { model: 'sim', input, dimensions: 500 }
        const [routed, direct] = await Promise.all([
          postJson(`${fleet.url}/v1/embeddings`, body),
          postJson(`${fleet.worker('sim').url}/v1/embeddings`, body),
        ])
        expect(routed.status).toBe(200)
        expect(routed.text.length).toBeGreaterThan(1_400_000)
        expect(routed.json().data).toEqual(direct.json().data)
        const again = await postJson(`${fleet.url}/v1/embeddings`, { ...body, encoding_format: 'base64' })
        expect(again.json().data).toHaveLength(input.length)
      })

      test('bytes that are no text', async () => {
        const body = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 7) % 256))
        const { bytes, headers } = await through(encoded(body, ['content-disposition: attachment']).subarray())
        expect(sha256(bytes)).toBe(sha256(body))
        expect(headers['content-disposition']).toBe('attachment')
      })

      test('no content at all', async () => {
        const { status, bytes, headers } = await through('HTTP/1.1 204 No Content\r\n\r\n')
        expect([status, bytes.length, headers['content-length']]).toEqual([204, 0, undefined])
        expect(headers['x-vllm-router-worker']).toBe('raw')
        const empty = await through('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n')
        expect([empty.status, empty.bytes.length]).toEqual([200, 0])
      })

      test('early hints before the answer are not the answer', async () => {
        const hints = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'
        const { status, text } = await through(hints + wholeAnswer('200 OK', 'application/json', '{"a":1}'))
        expect([status, text]).toEqual([200, '{"a":1}'])
      })
    })

    describe('encoded by the worker against our wish', () => {
      const plain = jsonOf(5_000)
      const asEncoded = (encoding: string, body: Buffer) =>
        through(encoded(body, [`content-encoding: ${encoding}`]), { 'accept-encoding': 'gzip, deflate, br' })

      test.each([
        ['gzip', gzipSync(plain)],
        ['x-gzip', gzipSync(plain)],
        ['GZIP', gzipSync(plain)],
        ['deflate', deflateSync(plain)],
        ['identity', plain],
      ])('%s reaches the client plain, and nothing says otherwise', async (encoding, body) => {
        const { status, headers, bytes } = await asEncoded(encoding, body)
        expect(status).toBe(200)
        expect(headers['content-encoding']).toBeUndefined()
        expect([undefined, String(plain.length)]).toContain(headers['content-length'])
        expect(sha256(bytes)).toBe(sha256(plain))
      })

      test.each([
        ['gzip, br', brotliCompressSync(gzipSync(plain))],
        ['x-unknown', Buffer.from(plain.map((byte) => byte ^ 1))],
      ])('%s can be read by nobody here: 502', async (encoding, body) => {
        const { status, text } = await asEncoded(encoding, body)
        expect([status, JSON.parse(text).error.code]).toEqual([502, 'upstream_invalid'])
      })

      // Deno offers no way to undo Brotli in a stream.
      test(`br is ${runtime === 'deno' ? 'refused with 502' : 'decoded'}`, async () => {
        const { status, headers, bytes } = await asEncoded('br', brotliCompressSync(plain))
        expect([status, headers['content-encoding']]).toEqual([runtime === 'deno' ? 502 : 200, undefined])
        if (runtime !== 'deno') expect(sha256(bytes)).toBe(sha256(plain))
      })

      test('gzip of unknown length, as a proxy in between would send it', async () => {
        await fleet.worker('sim').setFaults({ gzip: true, times: 1 })
        const answer = await postJson(fleet.url + CHAT, chatBody('sim'))
        expect(answer.status, answer.text).toBe(200)
        expect(answer.json()).toMatchObject({ object: 'chat.completion', model: 'sim' })
      })
    })

    describe('errors of the worker', () => {
      test.each([400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 499, 500, 501, 503, 529])(
        '%d passes with its body',
        async (status) => {
          const body = `{"error":{"message":"é ${status}","type":"X","param":null,"code":${status}}}`
          const answer = await through(wholeAnswer(`${status} Whatever`, 'application/json', body))
          expect([answer.status, answer.text]).toEqual([status, body])
          expect(answer.headers['x-vllm-router-worker']).toBe('raw')
          expect(answer.headers['x-request-id']).toMatch(/^req-/)
        },
      )

      test('with Retry-After, in HTML, in Anthropic’s shape: as they are', async () => {
        await fleet.worker('sim').setFaults({ status: 429, retry_after: 7, message: 'slow down', times: 2 })
        const limited = await postJson(fleet.url + CHAT, chatBody('sim'))
        expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7'])
        expect(limited.json().error.message).toBe('slow down')
        const anthropic = await postJson(`${fleet.url}/v1/messages`, chatBody('sim'))
        expect(anthropic.json()).toMatchObject({ type: 'error', error: { message: 'slow down' } })
        const page = await through(wholeAnswer('503 Busy', 'text/html', '<h1>busy</h1>'))
        expect([page.status, page.text, page.headers['content-type']]).toEqual([503, '<h1>busy</h1>', 'text/html'])
      })

      test('a worker that errs is not taken for dead', async () => {
        await fleet.worker('sim').setFaults({ status: 500, times: 5 })
        const statuses = []
        for (let turn = 0; turn < 6; turn += 1) {
          statuses.push((await postJson(fleet.url + CHAT, chatBody('sim'))).status)
        }
        expect(statuses).toEqual([500, 500, 500, 500, 500, 200])
      })
    })

    describe('what can’t be passed on is 502', () => {
      test.each([300, 301, 302, 303, 304, 305, 307, 308])('%d', async (status) => {
        const answer = await through(
          `HTTP/1.1 ${status} Elsewhere\r\nlocation: http://10.0.0.1:9/secret\r\ncontent-length: 0\r\n\r\n`,
        )
        expect(answer.status).toBe(502)
        expect(JSON.parse(answer.text).error).toMatchObject({ type: 'api_error', code: 'upstream_invalid' })
        expect(JSON.stringify([answer.headers, answer.text])).not.toContain('10.0.0.1')
        expect(answer.headers['x-vllm-router-worker']).toBe('raw')
      })

      test('JSON that ends before its end', async () => {
        await fleet.worker('sim').setFaults({ truncated_json: true, times: 1 })
        expectRefusal(await postJson(fleet.url + CHAT, chatBody('sim')), 'upstream_invalid')
        const half = wholeAnswer('200 OK', 'application/json', '{"choices":[{"a":')
        expect((await through(half)).status).toBe(502)
      })

      test('no event stream where one was asked for', async () => {
        await fleet.worker('sim').setFaults({ html_200: true, times: 1 })
        const answer = await postJson(fleet.url + CHAT, { ...chatBody('sim'), stream: true })
        expectRefusal(answer, 'upstream_invalid')
      })

      test('a long answer cut short breaks the connection: it never looks whole', async () => {
        raw.answer(async ({ socket, write }) => {
          await write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n')
          await write(jsonOf(500_000))
          socket.destroySoon()
        })
        const outcome = await fetchWhole(fleet.url + CHAT, chatBody('raw')).then(
          ({ status }) => status,
          () => 'broken',
        )
        expect(['broken', 502]).toContain(outcome)
        expect((await ask(`${fleet.url}/health`)).status).toBe(200)
      })
    })
  })
}

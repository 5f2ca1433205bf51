// The request's body and query reach the worker as they were sent: JSON to the byte, forms and files too.

import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Answered, ask, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'

const CHAT = '/v1/chat/completions'
const AUDIO = ['/v1/audio/transcriptions', '/v1/audio/translations']

const blank = fc.constantFrom('', '', '', ' ', '\n', '\t ', '\r\n  ')

/** A character of a JSON string, spelt in one of the ways that JSON allows. */
const character = fc.oneof(
  fc.constantFrom('a', 'é', '中', '🚀', '\u2028', '\u00a0', '\ufeff', '{', ':', ',', "'", '<', '\u007f'),
  fc.constantFrom('\\"', '\\\\', '\\/', '\\b', '\\n', '\\u0000', '\\u00E9', '\\u00e9', '\\ud83d\\ude80', '\\ud800'),
)
const string = fc.array(character, { maxLength: 12 }).map((characters) => `"${characters.join('')}"`)
const number = fc.oneof(
  fc.constantFrom(
    '0',
    '-0',
    '-0.0',
    '1e999',
    '-1E+400',
    '1e-400',
    '9007199254740993',
    '0.1000',
    '1.0',
    '1e5',
    '100000',
  ),
  fc.bigInt().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
)
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false'),
    number,
    string,
    fc.tuple(fc.array(fc.tuple(blank, tie('value'), blank), { maxLength: 4 }), blank).map(toArray),
    fc.tuple(fc.array(fc.tuple(blank, string, blank, tie('value'), blank), { maxLength: 4 }), blank).map(toObject),
  ),
}))

/** A key of the top level that steers nothing; few, so that some repeat. */
const key = fc.constantFrom<string[]>('"k"', '"k"', '"\\u006b"', '"kettle"', '"é"', '""', '"__proto__"', '"k\\"y"')

/** A chat body as text: odd spellings, odd spacing, members in any order, other members repeated. */
const chatText = fc
  .record({
    members: fc.array(fc.tuple(blank, key, blank, value, blank), { maxLength: 6 }),
    content: string,
    model: fc.constantFrom('"m"', '"\\u006d"'),
    modelAt: fc.nat(6),
    messagesAt: fc.nat(6),
    blank,
  })
  .map(({ members, content, model, modelAt, messagesAt, blank }) => {
    const all = [...members]
    all.splice(modelAt, 0, [blank, '"model"', '', model, ''])
    all.splice(messagesAt, 0, ['', '"messages"', blank, `[{"role":"user","content":${content}}]`, blank])
    return blank + toObject([all, '']) + blank
  })

function toArray([items, blank]: [readonly (readonly string[])[], string]): string {
  return `[${items.length === 0 ? blank : items.map((pieces) => pieces.join('')).join(',')}]`
}

function toObject([members, blank]: [readonly (readonly [string, string, string, string, string])[], string]): string {
  if (members.length === 0) return `{${blank}}`
  return `{${members.map(([before, name, colon, value, after]) => `${before}${name}${colon}:${value}${after}`).join(',')}}`
}

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Bytes of every kind, the same in every run. */
function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  let state = 0x9e3779b9
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

export function fidelityConformance(runtime: RuntimeName): void {
  describe(`byte fidelity on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { one: { models: ['m'] }, two: { models: ['n'] } },
      config: (urls) => ({
        workers: [
          { id: 'one', url: urls.one },
          { id: 'two', url: urls.two },
        ],
      }),
    })

    describe('JSON', () => {
      test('generated bodies arrive byte for byte', async () => {
        let runs = 0
        await fc.assert(
          fc.asyncProperty(chatText, async (text) => {
            const id = `fidelity-${(runs += 1)}`
            const answer = await postJson(fleet.url + CHAT, text, { 'x-request-id': id })
            expect(answer.status, answer.text).toBe(200)
            const call = fleet.call(id)
            expect(call.body).toBe(text)
            expect(call.sha256).toBe(sha256(text))
            expect(call.headers['content-length']).toBe(String(Buffer.byteLength(text)))
          }),
          { numRuns: 80 },
        )
      })

      test.each([
        ['a byte order mark', `\ufeff${JSON.stringify(chatBody('m'))}`],
        ['blanks around', ` \r\n\t${JSON.stringify(chatBody('m'))}\n\n`],
        [
          'two megabytes',
          JSON.stringify({ ...chatBody('m'), messages: [{ role: 'user', content: 'é"\n'.repeat(400_000) }] }),
        ],
      ])('%s', async (name, text) => {
        const id = name.replaceAll(' ', '-')
        await postJson(fleet.url + CHAT, text, { 'x-request-id': id })
        expect(fleet.call(id).sha256).toBe(sha256(text))
      })

      test('in chunks, as it was cut', async () => {
        const text = JSON.stringify({ ...chatBody('m'), note: 'ünï🚀' })
        const pieces = [...Buffer.from(text)].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`)
        const headers = ['Content-Type: application/json', 'Transfer-Encoding: chunked', 'X-Request-Id: cut-up']
        const answer = await sendRaw(fleet.url, `${rawRequest(`POST ${CHAT}`, headers)}${pieces.join('')}0\r\n\r\n`)
        expect(answer.status, answer.text).toBe(200)
        expect(fleet.call('cut-up')).toMatchObject({
          body: text,
          headers: { 'content-length': String(Buffer.byteLength(text)) },
        })
      })
    })

    describe('queries', () => {
      const body = JSON.stringify(chatBody('m'))
      async function targetOf(query: string, id: string): Promise<string> {
        const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`, `X-Request-Id: ${id}`]
        const answer = await sendRaw(fleet.url, rawRequest(`POST ${CHAT}${query}`, headers, body))
        expect(answer.status, answer.text).toBe(200)
        return fleet.call(id).target
      }

      test.each([
        '',
        '?',
        '?a',
        '?a=',
        '?=b',
        '?a=1&a=2&&b',
        '?a=%20+b',
        '?a=%2F..%2f%5c',
        '?/../../x',
        '?a=?b=?',
        '?a=//x;y',
        '?a=%zz%',
        '?a=%00%ff',
        '?a=%E4%BD%A0',
        '?a[]=1&a[b]=2',
        '?a=1,2:3@4!$()*~',
        `?${'long='.repeat(400)}`,
      ])('%s arrives as it was sent', async (query) => {
        expect(await targetOf(query, `query-${sha256(query)}`)).toBe(CHAT + query)
      })

      test('an apostrophe may be encoded on the way, which means the same', async () => {
        const target = await targetOf("?a='b'", 'apostrophe')
        expect(target.replaceAll('%27', "'")).toBe(`${CHAT}?a='b'`)
      })

      test('a stored response keeps its query', async () => {
        const { id } = (await postJson(`${fleet.url}/v1/responses`, { model: 'm', input: 'hi' })).json()
        await ask(`${fleet.url}/v1/responses/${id}?include[]=x&y`, { headers: { 'x-request-id': 'stored-query' } })
        expect(fleet.call('stored-query').target).toBe(`/v1/responses/${id}?include[]=x&y`)
      })
    })

    describe('forms', () => {
      interface Part {
        readonly name: string
        readonly value: string | Uint8Array<ArrayBuffer>
      }
      function encode(parts: readonly Part[]): Buffer {
        const pieces = parts.flatMap(({ name, value }) => {
          const isFile = typeof value !== 'string'
          const file = isFile ? '; filename="sound é.wav"\r\nContent-Type: audio/wav' : ''
          const head = `--cut-HERE+1\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`
          return [Buffer.from(head), Buffer.from(value as string), Buffer.from('\r\n')]
        })
        return Buffer.concat([...pieces, Buffer.from('--cut-HERE+1--\r\nan epilogue')])
      }
      function send(path: string, body: Buffer, headers: Record<string, string>): Promise<Answered> {
        const type = 'multipart/form-data; boundary="cut-HERE+1"'
        return ask(fleet.url + path, {
          method: 'POST',
          headers: { ...headers, 'content-type': type },
          body: new Uint8Array(body),
        })
      }

      const small = noise(3_000)
      const large = noise(3 * 1024 * 1024 + 1)
      const model = { name: 'model', value: 'n' }
      test.each([
        { name: 'model first', path: AUDIO[0] ?? '', parts: [model, { name: 'file', value: small }] },
        {
          name: 'model last',
          path: AUDIO[1] ?? '',
          parts: [{ name: 'file', value: small }, { name: 'prompt', value: 'ünï' }, model],
        },
        {
          name: 'a file of 3 MiB after the model',
          path: AUDIO[0] ?? '',
          parts: [model, { name: 'file', value: large }],
        },
        {
          name: 'a file of 900 KB before the model',
          path: AUDIO[0] ?? '',
          parts: [{ name: 'file', value: noise(900_000) }, model],
        },
        { name: 'an empty file', path: AUDIO[0] ?? '', parts: [model, { name: 'file', value: noise(0) }] },
        { name: 'no file, which the worker refuses', path: AUDIO[0] ?? '', parts: [model] },
      ])('$name', async ({ name, path, parts }) => {
        const id = name.replaceAll(/[^a-z0-9]/gi, '-')
        const body = encode(parts)
        const answer = await send(path, body, { 'x-request-id': id })
        const call = fleet.call(id)
        expect(call).toMatchObject({ target: path, bodyBytes: body.length, sha256: sha256(body) })
        expect(call.headers['content-type']).toBe('multipart/form-data; boundary="cut-HERE+1"')
        const file = parts.find(({ name }) => name === 'file')
        expect(answer.status, answer.text).toBe(file === undefined ? 400 : 200)
        expect(answer.headers.get('x-vllm-router-worker')).toBe('two')
        if (file !== undefined)
          expect(answer.json()).toMatchObject({ sha256: sha256(file.value), size: file.value.length })
      })

      test('a form without a model, and several on offer: 400', async () => {
        expectRefusal(await send(AUDIO[0] ?? '', encode([{ name: 'file', value: small }]), {}), 'model_required')
      })

      test('a model behind more than a megabyte is too late to route by: 400', async () => {
        const body = encode([{ name: 'file', value: large }, model])
        expectRefusal(await send(AUDIO[0] ?? '', body, {}), 'model_required')
      })

      test('a form that breaks off in the middle never looks whole to the worker', async () => {
        const before = fleet.calls().length
        const body = encode([model, { name: 'file', value: large }])
        const headers = [`Content-Length: ${body.length}`, 'Content-Type: multipart/form-data; boundary="cut-HERE+1"']
        const head = Buffer.from(rawRequest(`POST ${AUDIO[0]}`, headers), 'latin1')
        const cut = Buffer.concat([head, body.subarray(0, 1_500_000)])
        await sendRaw(fleet.url, cut, { endsWriting: true, limitMs: 1_500 }).catch(() => null)
        const chunked = rawRequest(`POST ${AUDIO[0]}`, [headers[1] ?? '', 'Transfer-Encoding: chunked'])
        const piece = `${body.length.toString(16)}\r\n${body.subarray(0, 200_000).toString('latin1')}`
        await sendRaw(fleet.url, chunked + piece, { endsWriting: true, limitMs: 1_500 }).catch(() => null)
        expect(fleet.calls()).toHaveLength(before)
        expect((await send(AUDIO[0] ?? '', encode([model, { name: 'file', value: small }]), {})).status).toBe(200)
      })
    })
  })
}

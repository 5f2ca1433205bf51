// Requests that are wrong in one way each: the cases of the bad-input matrix (B01 to B44 of the reliability bar) that
// apply to the HTTP surface, as data. What must become of them is in http-bad-input.ts.

import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import type { ErrorCodeName } from '../../src/errors/codes.ts'
import { chatBody } from '../support/ask.ts'

export const KEY = 'sesame-0123456789'
export const CHAT = '/v1/chat/completions'
const AUDIO = '/v1/audio/transcriptions'
export const JSON_TYPE = 'Content-Type: application/json'
export const GOOD = JSON.stringify(chatBody('org/m'))
export const MAX_BODY_BYTES = 2 * 1024 * 1024

export interface BadRequest {
  /** Number in the matrix, and what is wrong. */
  readonly name: string
  readonly method?: string
  readonly target?: string
  /** Header lines; the key and the length are added, unless `isExact`. */
  readonly headers?: readonly string[]
  readonly body?: string | Uint8Array
  /** The headers are sent as they are, without a length. */
  readonly isExact?: boolean
  readonly version?: string
}

export interface Refused extends BadRequest {
  /** The router's own refusal. */
  readonly code: ErrorCodeName
}

interface RefusedBelow extends BadRequest {
  /** Statuses the runtime's HTTP server, or the router, may refuse with: no handler may be reached otherwise. */
  readonly statuses: readonly number[]
}

/** The body is one JSON object, but for what is given. */
const json = (name: string, body: string | Uint8Array, code: ErrorCodeName = 'invalid_json'): Refused => ({
  name,
  body,
  code,
})

const deep = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)},${GOOD.slice(1)}`
const withFields = (fields: string) => `{${fields},${GOOD.slice(1)}`
const bytes = (...parts: readonly (string | readonly number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))))
const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16()
const utf32 = (text: string) => Buffer.concat([...text].map((each) => Buffer.from([each.charCodeAt(0), 0, 0, 0])))

export const MALFORMED: readonly Refused[] = [
  json('B01 an open brace', '{'),
  json('B01 a comma before the end', '{"model":"org/m",}'),
  json('B01 single quotes', "{'model':'org/m'}"),
  json('B01 bare keys', '{model:"org/m"}'),
  json('B01 two documents', GOOD + GOOD),
  json('B01 something after the end', `${GOOD}x`),
  json('B01 cut in a string', GOOD.slice(0, 10)),
  json('B01 cut before the last brace', GOOD.slice(0, -1)),
  json('B01 NaN', withFields('"a":NaN')),
  json('B01 Infinity', withFields('"a":-Infinity')),
  json('B01 a leading zero', withFields('"a":01')),
  json('B01 a hexadecimal number', withFields('"a":0x1')),
  json('B01 a comment', withFields('"a":1 /* c */')),
  json('B01 an escape that is none', withFields('"a":"\\x41"')),
  json('B01 a line break in a string', withFields('"a":"b\nc"')),
  json('B01 NUL in a string', withFields('"a":"b\0c"')),
  json('B01 brackets that do not match', withFields('"a":[1}')),
  json('B01 a key without a value', '{"model"}'),
  json('B02 an empty body', ''),
  json('B02 blanks only', ' \r\n\t '),
  ...['[]', 'null', '"x"', '1', 'true', `[${GOOD}]`].map((body) => json(`B03 ${body.slice(0, 8)} for an object`, body)),
  json('B06 a million levels', deep(1_000_000 - GOOD.length)),
  json('B06 a million open brackets', '['.repeat(1_000_000)),
  json('B06 129 levels', deep(128)),
  json('B06 a hundred thousand keys', withFields(Array.from({ length: 100_000 }, (_, at) => `"k${at}":1`).join(','))),
  json('B08 a byte that is no UTF-8', bytes('{"a":"', [0xff], '"}')),
  json('B08 an overlong slash', bytes('{"a":"', [0xc0, 0xaf], '"}')),
  json('B08 an encoded surrogate', bytes('{"a":"', [0xed, 0xa0, 0x80], '"}')),
  json('B08 a sequence cut short', bytes('{"a":"', [0xe2, 0x82], '"}')),
  json('B08 beyond U+10FFFF', bytes('{"a":"', [0xf4, 0x90, 0x80, 0x80], '"}')),
  json('B10 two byte order marks', bytes([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf], GOOD)),
  json('B10 UTF-16LE', Buffer.from(GOOD, 'utf16le'), 'unsupported_media_type'),
  json('B10 UTF-16LE, marked', bytes([0xff, 0xfe], [...Buffer.from(GOOD, 'utf16le')]), 'unsupported_media_type'),
  json('B10 UTF-16BE', utf16be(GOOD), 'unsupported_media_type'),
  json('B10 UTF-16BE, marked', bytes([0xfe, 0xff], [...utf16be(GOOD)]), 'unsupported_media_type'),
  json('B10 UTF-32', utf32(GOOD), 'unsupported_media_type'),
]

export const STEERING: readonly Refused[] = [
  json('B04 model twice', withFields('"model":"forbidden"'), 'invalid_request'),
  json('B04 model twice, once escaped', withFields('"\\u006dodel":"forbidden"'), 'invalid_request'),
  json('B04 stream twice', withFields('"stream":false,"stream":true'), 'invalid_request'),
  json('B04 user twice', withFields('"user":"a","user":"b"'), 'invalid_request'),
  json('B04 session_id twice', withFields('"session_id":"a","session_id":"b"'), 'invalid_request'),
  json('B15 stream as text', withFields('"stream":"true"'), 'invalid_request'),
  json('B15 stream as a number', withFields('"stream":1'), 'invalid_request'),
  json('B15 stream as a list', withFields('"stream":[]'), 'invalid_request'),
  ...['5', '{}', '["org/m"]', 'true', '""', JSON.stringify('x'.repeat(257))].map((model) =>
    json(`B15 ${model.slice(0, 10)} for a model`, `{"model":${model},"messages":[]}`, 'invalid_request'),
  ),
  json('B15 previous_response_id as a number', withFields('"previous_response_id":5'), 'invalid_request'),
  json('B15 previous_response_id that is a path', withFields('"previous_response_id":"../x"'), 'invalid_request'),
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype', '__defineGetter__'].map(
    (model) => json(`B16 a model called ${model}`, JSON.stringify({ model, messages: [] }), 'model_not_found'),
  ),
  ...[' org/m', 'org/m ', 'ORG/M', 'org\\/m\u200b', '\u6a21\u578b', '<script>', '../org/m', 'org/m@0'].map((model) =>
    json(
      `B16 a model that is almost one of ours: ${JSON.stringify(model)}`,
      JSON.stringify({ model }),
      'model_not_found',
    ),
  ),
  ...['\r\nx-evil: 1', 'a\u0000b', 'a\u007f', 'a\u0085b'].map((model) =>
    json(`B23 control characters in a model: ${JSON.stringify(model)}`, JSON.stringify({ model }), 'invalid_request'),
  ),
]

export const TYPES: readonly Refused[] = [
  ...[
    'Content-Type: text/plain',
    'Content-Type: application/x-www-form-urlencoded',
    'Content-Type: multipart/form-data; boundary=x',
    'Content-Type: application/json; charset=utf-7',
    'Content-Type: application/json; charset=iso-8859-1',
    'Content-Type: application/jsonp',
    'Content-Type: application/json, text/plain',
    'Content-Type: text/json',
    'Content-Type: application/octet-stream',
    'Content-Type: json',
    'Content-Type:',
    'X-Type: application/json',
  ].map((header): Refused => {
    return { name: `B11 ${header}`, headers: [header], body: GOOD, code: 'unsupported_media_type' }
  }),
  ...[
    ['gzip', gzipSync(GOOD)],
    ['gzip', gzipSync(Buffer.alloc(50_000_000, 0x20))],
    ['deflate', deflateSync(GOOD)],
    ['br', brotliCompressSync(GOOD)],
    ['identity, gzip', gzipSync(GOOD)],
    ['zstd', Buffer.from(GOOD)],
    ['what', Buffer.from(GOOD)],
  ].map(([encoding, body]): Refused => {
    const headers = [JSON_TYPE, `Content-Encoding: ${String(encoding)}`]
    return { name: `B13 a body in ${String(encoding)}`, headers, body: body ?? '', code: 'unsupported_media_type' }
  }),
  { name: 'B12 a body over the limit', body: ' '.repeat(MAX_BODY_BYTES + 1), code: 'body_too_large' },
]

const PART = '--cut\r\nContent-Disposition: form-data; name='
const FILE = `${PART}"file"; filename="a.wav"\r\n\r\nsound\r\n`
const form = (
  name: string,
  body: string,
  code: ErrorCodeName = 'invalid_multipart',
  type = 'boundary=cut',
): Refused => ({
  name: `B14 ${name}`,
  target: AUDIO,
  headers: [`Content-Type: multipart/form-data; ${type}`],
  body,
  code,
})
const modelPart = (model: string) => `${PART}"model"\r\n\r\n${model}\r\n`

export const FORMS: readonly Refused[] = [
  form('no boundary', `${modelPart('org/m')}--cut--\r\n`, 'invalid_multipart', ''),
  form('an empty boundary', '----\r\n', 'invalid_multipart', 'boundary=""'),
  form('a boundary of 71 characters', '', 'invalid_multipart', `boundary=${'x'.repeat(71)}`),
  form('a boundary that does not occur', 'nothing of the kind', 'invalid_multipart'),
  form('an empty body', ''),
  form('ten thousand parts', `${PART}"a"\r\n\r\n1\r\n`.repeat(10_000)),
  form('a folded header', `--cut\r\nContent-Disposition: form-data;\r\n name="model"\r\n\r\norg/m\r\n--cut--`),
  form('two dispositions', `${PART}"a"\r\nContent-Disposition: form-data; name="model"\r\n\r\norg/m\r\n--cut--`),
  form('a part with two names', `${PART}"a"; name="model"\r\n\r\norg/m\r\n--cut--`),
  form('model twice', `${modelPart('org/m')}${modelPart('other')}${FILE}--cut--\r\n`),
  form('a model that is too long', `${modelPart('x'.repeat(300))}${FILE}--cut--\r\n`, 'invalid_request'),
  form('a model with a line break', `${modelPart('a\r\nb')}${FILE}--cut--\r\n`, 'invalid_request'),
  form('an empty model', `${modelPart('')}${FILE}--cut--\r\n`, 'invalid_request'),
  form('an unknown model', `${modelPart('nope')}${FILE}--cut--\r\n`, 'model_not_found'),
  form('a header line of 5 KB', `${PART}"a"\r\nX-A: ${'a'.repeat(5_000)}\r\n\r\n1\r\n--cut--`),
  {
    ...form('compressed', ''),
    headers: ['Content-Type: multipart/form-data; boundary=cut', 'Content-Encoding: gzip'],
    body: gzipSync('x'),
    code: 'unsupported_media_type',
  },
]

export const ROUTES: readonly Refused[] = [
  {
    name: 'B41 a stored id with an encoded path',
    method: 'GET',
    target: '/v1/responses/..%2f..%2fmetrics',
    code: 'invalid_path',
  },
  { name: 'B41 a stored id with a dot', method: 'GET', target: '/v1/responses/resp_1.json', code: 'invalid_request' },
  {
    name: 'B41 a stored id that is too long',
    method: 'GET',
    target: `/v1/responses/${'a'.repeat(201)}`,
    code: 'invalid_request',
  },
  {
    name: 'B43 the key in the query',
    target: `${CHAT}?api_key=${KEY}`,
    headers: [JSON_TYPE],
    body: GOOD,
    isExact: true,
    code: 'invalid_api_key',
  },
  {
    name: 'B35 the key with underscores',
    headers: [JSON_TYPE, `X_Api_Key: ${KEY}`],
    body: GOOD,
    isExact: true,
    code: 'invalid_api_key',
  },
  { name: 'B44 PUT', method: 'PUT', body: GOOD, code: 'method_not_allowed' },
  {
    name: 'B44 GET that claims to be a POST',
    method: 'GET',
    headers: ['X-HTTP-Method-Override: POST'],
    code: 'method_not_allowed',
  },
  { name: 'B44 TRACE', method: 'TRACE', code: 'method_not_allowed' },
  { name: 'B44 OPTIONS', method: 'OPTIONS', code: 'method_not_allowed' },
]

export const STATED_LENGTH = `Content-Length: ${GOOD.length}`
export const CHUNKED = `${GOOD.length.toString(16)}\r\n${GOOD}\r\n0\r\n\r\n`
export const exact = (
  name: string,
  headers: readonly string[],
  statuses: readonly number[],
  body = GOOD,
): RefusedBelow => ({
  name,
  headers: [JSON_TYPE, `X-Api-Key: ${KEY}`, ...headers],
  body,
  isExact: true,
  statuses,
})

/** What an HTTP server refuses before any handler sees it: the words are its own, the connection is closed. */
export const WIRE: readonly RefusedBelow[] = [
  exact('B30 two lengths that differ', [STATED_LENGTH, 'Content-Length: 3'], [400]),
  exact('B30 a negative length', ['Content-Length: -1'], [400]),
  exact('B30 a length with a sign', [`Content-Length: +${GOOD.length}`], [400]),
  exact('B30 a length that is no number', ['Content-Length: abc'], [400]),
  exact('B30 an unknown transfer coding', ['Transfer-Encoding: xchunked'], [400, 501], CHUNKED),
  exact('B30 a folded header', ['X-A: b', ' c', STATED_LENGTH], [400]),
  exact('B30 a space before the colon', ['X-A : b', STATED_LENGTH], [400]),
  exact('B30 NUL in a header', ['X-A: a\0b', STATED_LENGTH], [400]),
  exact('B30 a bare CR in a header', ['X-A: a\rb', STATED_LENGTH], [400]),
  exact('B30 a header without a colon', ['nonsense', STATED_LENGTH], [400]),
  exact('B30 a chunk size that is no number', ['Transfer-Encoding: chunked'], [400, 499], `zz\r\n${GOOD}\r\n0\r\n\r\n`),
  exact('B30 a chunk longer than it says', ['Transfer-Encoding: chunked'], [400, 499], `3\r\n${GOOD}\r\n0\r\n\r\n`),
  exact('B26 a header of a megabyte', [`X-A: ${'a'.repeat(1_000_000)}`, STATED_LENGTH], [400, 431]),
  { ...exact('B30 an HTTP version that is none', [STATED_LENGTH], [400, 505]), version: 'HTTP/9.9' },
]

export interface Accepted extends BadRequest {
  /** What the worker must have got; the body as it was sent when not said. */
  readonly seen?: (call: { readonly headers: Readonly<Record<string, string>>; readonly body: string }) => void
  /** Statuses of the worker that pass; 200 when not said. */
  readonly statuses?: readonly number[]
}

/** Odd, and let through on purpose; the reason is in the name. */
export const ACCEPTED: readonly Accepted[] = [
  { name: 'B04 a key below the top that repeats steers nothing', body: withFields('"a":{"model":1,"model":2}') },
  { name: 'B05 __proto__ lends no model', body: withFields('"__proto__":{"model":"forbidden","stream":"x"}') },
  { name: 'B05 constructor is a key as any', body: withFields('"constructor":{"prototype":{"model":"x"}}') },
  { name: 'B06 a hundred levels', body: deep(100) },
  { name: 'B07 numbers no double holds go on as they are', body: withFields('"a":[1e999,-0,1e-400,9007199254740993]') },
  {
    name: 'B09 lone surrogates, escaped, go on as they are',
    body: withFields('"a":"\\ud800 \\udfff \\u0000 \\ufffe"'),
  },
  { name: 'B10 one byte order mark', body: bytes([0xef, 0xbb, 0xbf], GOOD) },
  { name: 'B11 a charset that is UTF-8', headers: ['Content-Type: Application/JSON; Charset="UTF-8"'], body: GOOD },
  {
    name: 'B15 null counts as absent',
    body: '{"model":null,"stream":null,"messages":[{"role":"user","content":"x"}]}',
  },
  {
    name: 'B15 types that steer nothing are the worker’s affair',
    body: withFields('"messages":{}'),
    statuses: [200, 400],
  },
  {
    name: 'B17 fields that would steer another gateway steer nothing',
    body: withFields(
      '"api_base":"http://169.254.169.254","base_url":"http://evil","api_key":"k","custom_llm_provider":"x","extra_headers":{"authorization":"Bearer k"}',
    ),
  },
  {
    name: 'B21 extreme counts are the worker’s affair',
    body: '{"model":"org/m","messages":[],"n":-1,"max_tokens":-5}',
    statuses: [200, 400],
  },
  { name: 'B22 no messages', body: '{"model":"org/m","messages":[]}', statuses: [200, 400] },
  { name: 'B22 nothing at all', body: '{}', statuses: [400] },
  { name: 'B26 a header of four kilobytes', headers: [JSON_TYPE, `X-A: ${'a'.repeat(4_000)}`], body: GOOD },
  { name: 'B31 Expect', headers: [JSON_TYPE, 'Expect: 100-continue'], body: GOOD },
  { name: 'B31 TE and trailers', headers: [JSON_TYPE, 'TE: trailers, deflate'], body: GOOD },
  {
    name: 'B33 who a client says it is',
    headers: [
      JSON_TYPE,
      'X-Forwarded-For: 10.0.0.1',
      'Forwarded: for=10.0.0.1',
      'CF-Connecting-IP: 10.0.0.1',
      'X-Real-IP: 10.0.0.1',
    ],
    body: GOOD,
    seen: ({ headers }) => expect(JSON.stringify(headers)).not.toContain('10.0.0.1'),
  },
  {
    name: 'B42 a cookie with a bad percent',
    headers: [JSON_TYPE, 'Cookie: a=%; b=%ff; c'],
    body: GOOD,
    seen: ({ headers }) => expect(headers).not.toHaveProperty('cookie'),
  },
]

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readHookAnswer, toMetadataBytes } from './hook-answer.ts'

const encoder = new TextEncoder()
const read = (text: string) => readHookAnswer(encoder.encode(text))

describe('readHookAnswer', () => {
  test.each([
    ['{"action":"allow"}', { kind: 'allow' }],
    [' \n{"action":"allow","note":[1]} ', { kind: 'allow' }],
    ['{"\\u0061ction":"allow"}', { kind: 'allow' }],
    ['{"action":"reject"}', { kind: 'reject', reason: null }],
    ['{"action":"reject","reason":"PII in message 2"}', { kind: 'reject', reason: 'PII in message 2' }],
    ['{"action":"reject","reason":{"code":7}}', { kind: 'reject', reason: null }],
    ['{"action":"transform"}', { kind: 'transform_without_body' }],
    ['{"action":"transform","body":null}', { kind: 'transform_without_body' }],
    ['{"action":"transform","body":"{}"}', { kind: 'transform_of_wrong_type' }],
    ['{"action":"transform","body":[{}]}', { kind: 'transform_of_wrong_type' }],
    ['{"action":"quarantine"}', { kind: 'unknown_action' }],
    ['{"action":"Allow"}', { kind: 'unknown_action' }],
    ['{"action":""}', { kind: 'unknown_action' }],
  ])('%s', (text, answer) => {
    expect(read(text)).toEqual(answer)
  })

  test.each(['', 'ok', '[]', '"allow"', '{"action":"allow"', '{"action":"allow"}}', '{"action":allow}', '\u0000'])(
    'no JSON object: %s',
    (text) => {
      expect(read(text)).toEqual({ kind: 'unreadable', why: 'no JSON object' })
    },
  )

  test.each(['{}', '{"action":null}', '{"action":1}', '{"allow":true}', '{"body":{"action":"allow"}}'])(
    'no action: %s',
    (text) => {
      expect(read(text)).toEqual({ kind: 'unreadable', why: 'no action' })
    },
  )

  test('the last of two actions counts, as in every JSON parser', () => {
    expect(read('{"action":"allow","action":"reject"}')).toEqual({ kind: 'reject', reason: null })
  })

  test('a byte order mark is skipped, other encodings and broken UTF-8 are unreadable', () => {
    expect(read('\uFEFF{"action":"allow"}')).toEqual({ kind: 'allow' })
    const broken = Uint8Array.of(...encoder.encode('{"action":"allow","x":"'), 0xff, ...encoder.encode('"}'))
    expect(readHookAnswer(broken)).toMatchObject({ kind: 'unreadable' })
  })

  test("a transform's body is the hook's own bytes: numbers, escapes and order survive", () => {
    const body = '{ "z":1.0,"seed":12345678901234567890, "a":"\\u00e9é","n":-0, "model":"m" }'
    const answer = read(`{"reason":"masked","body": ${body} ,"action":"transform"}`)
    expect(answer.kind === 'transform' && new TextDecoder().decode(answer.body)).toBe(body)
  })

  test('a body as deep as a request may be', () => {
    const nested = (depth: number) => '{"a":'.repeat(depth - 1) + '{}' + '}'.repeat(depth - 1)
    expect(read(`{"action":"transform","body":${nested(128)}}`)).toMatchObject({ kind: 'transform' })
    expect(read(`{"action":"transform","body":${nested(129)}}`)).toMatchObject({ kind: 'unreadable' })
  })

  test('no bytes make it throw', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void readHookAnswer(Uint8Array.from(bytes))))
    fc.assert(fc.property(fc.json(), (text) => void read(text)))
  })
})

test('metadata has exactly the documented fields', () => {
  const bytes = toMetadataBytes({
    model: 'm',
    route: '/v1/audio/transcriptions',
    tenant: null,
    stream: null,
    body_bytes: 1_024,
    content_type: 'multipart/form-data; boundary=x',
  })
  expect(new TextDecoder().decode(bytes)).toBe(
    '{"model":"m","route":"/v1/audio/transcriptions","tenant":null,"stream":null,"body_bytes":1024,"content_type":"multipart/form-data; boundary=x"}',
  )
})

// What a JSON request body may be: tables of malformed and odd input. RouterError codes and params are the contract.

import { describe, expect, test } from 'vitest'
import { RouterError } from '../errors/router-error.ts'
import { JSON_LIMITS, parseJsonBody, readSteering, STEERING_KEYS } from './json-body.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const bytesOf = (...parts: (string | number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...utf8(part)] : part)))

function refusal(run: () => unknown): RouterError {
  try {
    run()
  } catch (error) {
    if (error instanceof RouterError) return error
    throw error
  }
  throw new Error('accepted')
}

const refusalOf = (bytes: Uint8Array<ArrayBuffer>) => refusal(() => parseJsonBody(bytes))
const steeringOf = (text: string) => readSteering(parseJsonBody(utf8(text)).value)

const MALFORMED: readonly string[] = [
  // nothing, or no object
  '',
  ' ',
  '\n\t\r ',
  '[]',
  'null',
  '"x"',
  '1',
  'true',
  '[{}]',
  'model',
  'undefined',
  'NaN',
  ',',
  ':',
  '}',
  ']',
  '\u00a0{}',
  // objects cut short
  '{',
  '{"',
  '{"a',
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1,',
  '{"a":"',
  '{"a":"b',
  '{"a":"b\\',
  '{"a":"b\\"}',
  '{"a":[',
  '{"a":[1',
  '{"a":[1,',
  '{"a":{',
  '{"a":{"b":1}',
  '{"a":t',
  '{"a":tru}',
  '{"a":nul',
  '{"a":-',
  '{"a":1e',
  '{"a":1e+}',
  '{"a":"\\u12',
  // punctuation
  '{,}',
  '{:}',
  '{"a" 1}',
  '{"a"::1}',
  '{"a":1,}',
  '{"a":1,,"b":2}',
  '{,"a":1}',
  '{"a":1 "b":2}',
  '{"a":1;"b":2}',
  '{"a":}',
  '{"a",}',
  '{"a"}',
  '{"a":[1,]}',
  '{"a":[,1]}',
  '{"a":[1 2]}',
  '{"a":[1:2]}',
  '{"a":{"b"}}',
  '{"a":]}',
  '{"a":[}',
  '{"a":{]}',
  '{"a":[1}}',
  '{"a":[{}',
  '{"a":"b":"c"}',
  // more than one value
  '{}{}',
  '{} {}',
  '{}}',
  '{}]',
  '{},',
  '{}x',
  '{}\0',
  '{}//',
  '{}/**/',
  '{}#',
  '{"a":1}"',
  '{}\u2028',
  '{}\ufeff',
  // not JSON, though JavaScript, Python or JSON5
  '{a:1}',
  "{'a':1}",
  '{"a":\'b\'}',
  '{"a":undefined}',
  '{"a":NaN}',
  '{"a":Infinity}',
  '{"a":-Infinity}',
  '{"a":True}',
  '{"a":None}',
  '{"a":0x1F}',
  '{"a":.5}',
  '{"a":5.}',
  '{"a":01}',
  '{"a":-01}',
  '{"a":+1}',
  '{"a":1_000}',
  '{"a":1n}',
  '{"a":--1}',
  '{"a":1.2.3}',
  '{"a":1e1.5}',
  '{"a":`b`}',
  '{"a":/x/}',
  '{/**/"a":1}',
  '{"a":1//\n}',
  '{...x}',
  '{[1]:2}',
  '{1:2}',
  '{null:1}',
  // strings
  '{"a":"\n"}',
  '{"a":"\t"}',
  '{"a":"\u0000"}',
  '{"a":"\u001f"}',
  '{"a":"\\x41"}',
  '{"a":"\\\'"}',
  '{"a":"\\u00g0"}',
  '{"a":"\\u 041"}',
  '{"a":"\\U0041"}',
  '{"a":"\\a"}',
  '{"a":"b""c"}',
  '{"a\n":1}',
  '{"\\q":1}',
  '{"a":"\\"}',
  '{"a":"\\\\""}',
  '{"\\":1}',
  '{"a":"\\ud83d\\u"}',
  // space that JSON does not know
  '{\u00a0}',
  '{\u000c}',
  '{\u000b"a":1}',
  '{"a":\u20281}',
  '{"a":1\u3000}',
  '{\ufeff"a":1}',
  '\ufeff\ufeff{}',
  ' \ufeff{}',
]

const ODD_BUT_FINE: readonly string[] = [
  '{}',
  ' {} ',
  '\r\n\t{ }\n',
  '\ufeff{}',
  '\ufeff {"a":1}',
  '{"":1}',
  '{"a":1,"a":2}',
  '{"a":1e999}',
  '{"a":-0}',
  '{"a":1e-400}',
  `{"a":${'9'.repeat(400)}}`,
  '{"a":9007199254740993}',
  '{"a":"\\ud800"}',
  '{"a":"\\udfff\\ud800"}',
  '{"a":"\u2028\u2029"}',
  '{"a":"\\u0000"}',
  '{"a":"\u007f"}',
  '{"a":"\uffff"}',
  '{"a":"\\/\\b\\f\\n\\r\\t\\"\\\\"}',
  '{"a":"\\\\"}',
  '{"a":"\\\\\\""}',
  '{"\\"":1}',
  '{"\\\\":{"a":"\\\\"}}',
  '{"a":"}"}',
  '{"a":"]","b":"{[,:"}',
  '{"}":"{"}',
  '{"a":[[[]],{},{"b":[]}]}',
  '{"a" : [ ] , "b" : { } }',
  '{"__proto__":{"model":"x"}}',
  '{"constructor":1,"prototype":2,"toString":3,"hasOwnProperty":4}',
  '{"a":"😀漢é"}',
  '{"😀":"漢","é":1}',
  '{"a":true,"b":false,"c":null}',
  '{"a":1E+2,"b":0.0e-0,"c":-1.5E3}',
  '{"Model":"A","MODEL":"B","model":"C"}',
]

describe('parseJsonBody', () => {
  test.each(MALFORMED)('refuses %j', (text) => {
    const error = refusalOf(utf8(text))
    expect(error.code).toBe('invalid_json')
    expect(error.message.length).toBeLessThan(160)
  })

  test.each(ODD_BUT_FINE)('accepts %j and keeps its bytes', (text) => {
    const bytes = utf8(text)
    const body = parseJsonBody(bytes)
    expect(body.bytes).toBe(bytes)
    expect(body.value).toEqual(JSON.parse(text.replace(/^\ufeff/, '')))
  })

  test.each<[string, Uint8Array<ArrayBuffer>]>([
    ['a lone continuation byte', bytesOf('{"a":"', [0x80], '"}')],
    ['a cut character', bytesOf('{"a":"', [0xe6, 0xbc], '"}')],
    ['a cut character at the end', bytesOf('{"a":"b"}', [0xc3])],
    ['an overlong slash', bytesOf('{"a":"', [0xc0, 0xaf], '"}')],
    ['an overlong quote', bytesOf('{"a":"', [0xc0, 0xa2], '"}')],
    ['an encoded surrogate', bytesOf('{"a":"', [0xed, 0xa0, 0x80], '"}')],
    ['beyond U+10FFFF', bytesOf('{"a":"', [0xf4, 0x90, 0x80, 0x80], '"}')],
    ['0xff', bytesOf('{"a":"', [0xff], '"}')],
    ['Latin-1 in a key', bytesOf('{"', [0xe9], '":1}')],
    ['half a byte order mark', bytesOf([0xef, 0xbb], '{}')],
  ])('refuses invalid UTF-8: %s', (_, bytes) => {
    expect(refusalOf(bytes).code).toBe('invalid_json')
  })

  test('refuses each single byte that is no UTF-8 start', () => {
    for (let byte = 0x80; byte < 0x100; byte++)
      expect(refusalOf(bytesOf('{"a":"', [byte], 'x"}')).code).toBe('invalid_json')
  })

  test.each<[string, Uint8Array<ArrayBuffer>]>([
    ['UTF-16LE with a mark', bytesOf([0xff, 0xfe, 0x7b, 0, 0x7d, 0])],
    ['UTF-16BE with a mark', bytesOf([0xfe, 0xff, 0, 0x7b, 0, 0x7d])],
    ['UTF-16LE', bytesOf([0x7b, 0, 0x7d, 0])],
    ['UTF-16BE', bytesOf([0, 0x7b, 0, 0x7d])],
    ['UTF-32LE with a mark', bytesOf([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0])],
    ['UTF-32BE with a mark', bytesOf([0, 0, 0xfe, 0xff, 0, 0, 0, 0x7b])],
    ['UTF-32LE', bytesOf([0x7b, 0, 0, 0, 0x7d, 0, 0, 0])],
    ['UTF-32BE', bytesOf([0, 0, 0, 0x7b, 0, 0, 0, 0x7d])],
  ])('answers %s with 415', (_, bytes) => {
    expect(refusalOf(bytes).code).toBe('unsupported_media_type')
  })

  test('never echoes a flood', () => {
    const error = refusalOf(utf8(`{"a": ${'secret '.repeat(10_000)}}`))
    expect(error.message).not.toContain('secretsecret')
    expect(error.message.length).toBeLessThan(160)
  })

  test('allows 128 levels and refuses 129, before JSON.parse sees them', () => {
    const nested = (levels: number) => utf8(`{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`)
    expect(parseJsonBody(nested(JSON_LIMITS.maxDepth)).members).toHaveLength(1)
    expect(refusalOf(nested(JSON_LIMITS.maxDepth + 1)).message).toContain('deeper than 128')
    // Unclosed, JSON.parse would call it malformed: the message shows who refused it.
    expect(refusalOf(utf8(`{"a":${'{"b":['.repeat(500_000)}`)).message).toContain('deeper than 128')
    expect(refusalOf(utf8('['.repeat(1_000_000))).message).toContain('no JSON object')
  })

  test('allows 1,024 top-level keys and refuses more', () => {
    const keys = (count: number) => utf8(`{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join()}}`)
    expect(parseJsonBody(keys(1024)).members).toHaveLength(1024)
    expect(refusalOf(keys(1025)).message).toContain('1024 top-level keys')
    expect(refusalOf(keys(500_000)).code).toBe('invalid_json')
  })

  test.each([...STEERING_KEYS])('refuses `%s` twice, however it is spelt', (key) => {
    const escaped = [...key].map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
    const upper = escaped.toUpperCase().replaceAll('\\U', '\\u')
    for (const second of [key, escaped, upper, `${key.slice(0, -1)}${escaped.slice(-6)}`]) {
      const error = refusalOf(utf8(`{"${key}":"allowed","x":{"${key}":1},"${second}":"forbidden"}`))
      expect(error).toMatchObject({ code: 'invalid_request', param: key })
    }
    expect(parseJsonBody(utf8(`{"${key}":"once","nested":{"${key}":1,"${key}":2}}`)).value[key]).toBe('once')
  })
})

describe('readSteering', () => {
  test('reads what is there and gives the rest its default', () => {
    expect(steeringOf('{}')).toEqual({ model: null, stream: false, previousResponseId: null })
    expect(steeringOf('{"model":null,"stream":null,"previous_response_id":null}')).toEqual(steeringOf('{}'))
    expect(steeringOf('{"model":"org/名前","stream":true,"previous_response_id":"resp_1"}')).toEqual({
      model: 'org/名前',
      stream: true,
      previousResponseId: 'resp_1',
    })
    expect(steeringOf('{"mod\\u0065l":"m"}').model).toBe('m')
    expect(steeringOf(`{"model":"${'m'.repeat(256)}"}`).model).toHaveLength(256)
  })

  test.each([
    ['model', '5'],
    ['model', 'true'],
    ['model', '[]'],
    ['model', '["m"]'],
    ['model', '{}'],
    ['model', '""'],
    ['model', '"a\\nb"'],
    ['model', '"a\\u0000"'],
    ['model', '"\\u007f"'],
    ['model', '"\\u0085"'],
    ['model', `"${'m'.repeat(257)}"`],
    ['stream', '"true"'],
    ['stream', '1'],
    ['stream', '0'],
    ['stream', '""'],
    ['stream', '[]'],
    ['stream', '{}'],
    ['previous_response_id', '1'],
    ['previous_response_id', 'false'],
    ['previous_response_id', '[]'],
    ['previous_response_id', '{"id":1}'],
  ])('refuses %s: %s', (param, json) => {
    expect(refusal(() => steeringOf(`{"${param}":${json}}`))).toMatchObject({ code: 'invalid_request', param })
  })

  test('is not misled by keys that V8 confuses', () => {
    // nodejs/node#63785: after the first body, V8 reads the second one's key as `mod\\u`.
    parseJsonBody(utf8('{"y":1,"mod\\\\u":1}'))
    expect(steeringOf('{"y":1,"mod\\u0065l":"x"}').model).toBe('x')
    expect(parseJsonBody(utf8('{"y":1,"mod\\u0065l":"x","__proto__":{"z":1}}')).value).toEqual(
      JSON.parse('{"y":1,"model":"x","__proto__":{"z":1}}'),
    )
  })

  test('is not steered through prototypes', () => {
    expect(steeringOf('{"__proto__":{"model":"x","stream":true},"constructor":{"model":"y"}}')).toEqual(
      steeringOf('{}'),
    )
  })
})

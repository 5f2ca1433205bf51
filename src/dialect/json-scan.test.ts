// Properties of the spans that splicing relies on, and of what passes for JSON. The oracle is JSON.parse of the runtime.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RouterError } from '../errors/router-error.ts'
import { parseJsonBody } from './json-body.ts'
import { findMember, memberKey, scanJsonObject } from './json-scan.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

/** The code a body is refused with; null for one that is accepted. */
function refusalOf(bytes: Uint8Array<ArrayBuffer>): string | null {
  try {
    parseJsonBody(bytes)
  } catch (error) {
    if (error instanceof RouterError) return error.code
    throw error
  }
  return null
}

// JSON text with every freedom the grammar gives: space anywhere, escapes, any unicode, keys that repeat.
const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/)
const character = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  fc.constantFrom('"', '\\', '/', '\b', '\n', '{', '}', '[', ']', ',', ':', '\ud83d', '😀', '漢', '\u2028', '\u007f'),
)
const escapedCharacter = fc
  .tuple(character, fc.boolean())
  .map(([text, asEscape]) =>
    asEscape
      ? Array.from(text.split(''), (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
      : JSON.stringify(text).slice(1, -1),
  )
const stringText = fc.array(escapedCharacter, { maxLength: 12 }).map((parts) => `"${parts.join('')}"`)
const keyText = fc.oneof(stringText, fc.constantFrom('"a"', '"\\u0061"', '"b"', '""', '"__proto__"'))
const literalText = fc.constantFrom('1', '-0', '1e999', '0.1E-7', 'true', 'false', 'null', '12345678901234567890')
// Nested keys have no escapes: V8 names those wrongly at times (nodejs/node#63785), so JSON.parse is no oracle for them.
const plainKeyText = fc.constantFrom('"a"', '"b"', '""', '"__proto__"', '"漢"', '"{"', '"]"', '","')
const objectOf = (key: fc.Arbitrary<string>, value: fc.Arbitrary<string>) =>
  fc
    .array(
      fc.tuple(space, key, space, fc.constant(':'), space, value, space).map((parts) => parts.join('')),
      { maxLength: 5 },
    )
    .chain((members) => space.map((inner) => `{${members.join() || inner}}`))
const { value: valueText } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, literalText, stringText, tie('object'), tie('array')),
  array: fc
    .array(
      fc.tuple(space, tie('value'), space).map((parts) => parts.join('')),
      { maxLength: 4 },
    )
    .map((items) => `[${items}]`),
  object: objectOf(plainKeyText, tie('value')),
}))
const objectText = objectOf(keyText, valueText)

describe('spans', () => {
  test('each holds its key and its value, and the last of a name is what JSON.parse took', () => {
    const text = fc.tuple(fc.constantFrom('', '\ufeff'), space, objectText, space).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, (json) => {
        const { bytes, value, members } = parseJsonBody(utf8(json))
        const slice = (start: number, end: number) =>
          new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(start, end))
        const rebuilt: [string, unknown][] = members.map((member) => {
          expect(JSON.parse(slice(member.keyStart, member.keyEnd))).toBe(memberKey(bytes, member))
          const raw = slice(member.valueStart, member.valueEnd)
          expect(raw).toBe(raw.trim())
          return [memberKey(bytes, member), JSON.parse(raw)]
        })
        expect(Object.fromEntries(rebuilt)).toEqual(value)
        expect(new Set(rebuilt.map(([key]) => key))).toEqual(new Set(Object.keys(value)))
        for (const key of Object.keys(value)) {
          const member = findMember(bytes, members, key)
          expect(JSON.parse(slice(member?.valueStart ?? 0, member?.valueEnd ?? 0))).toEqual(value[key])
        }
        expect(findMember(bytes, members, 'not there')).toBeNull()
      }),
      { numRuns: 2000 },
    )
  })

  test('a value can be replaced by its span', () => {
    const { bytes, members } = parseJsonBody(utf8('{ "a" : "漢" , "model" : "old" , "n" : 1e999 }'))
    const span = findMember(bytes, members, 'model')
    const text = (part: Uint8Array) => new TextDecoder().decode(part)
    expect(`${text(bytes.subarray(0, span?.valueStart))}"new"${text(bytes.subarray(span?.valueEnd))}`).toBe(
      '{ "a" : "漢" , "model" : "new" , "n" : 1e999 }',
    )
  })
})

describe('agreement with JSON.parse', () => {
  // Whether they accept, not what they read: the spans above compare values.
  const agrees = (bytes: Uint8Array<ArrayBuffer>) => {
    let isObject: boolean
    try {
      const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
      isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    } catch {
      isObject = false
    }
    if (isObject) expect(parseJsonBody(bytes).bytes).toBe(bytes)
    else expect(['invalid_json', 'unsupported_media_type']).toContain(refusalOf(bytes))
  }

  test('on any bytes, and on JSON with some bytes changed, cut or doubled', () => {
    const text = fc.oneof(fc.string({ unit: fc.constantFrom(...'{}[]",:\\ \n01e-.tfn"u{}"') }), valueText, objectText)
    const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: -1, max: 255 })), { maxLength: 3 })
    fc.assert(
      fc.property(text, edits, (json, changes) => {
        const bytes = [...utf8(json)]
        for (const [at, byte] of changes) bytes.splice(at % (bytes.length + 1), 1, ...(byte < 0 ? [] : [byte]))
        agrees(Uint8Array.from(bytes))
      }),
      { numRuns: 5000 },
    )
    fc.assert(fc.property(fc.uint8Array(), (bytes) => agrees(Uint8Array.from(bytes))))
  })

  test('the scan alone is linear on runs of backslashes and quotes', () => {
    const limits = { maxDepth: 128, maxMembers: 1024 }
    const hostile = utf8(`{"a":"${'\\'.repeat(1_000_000)}","b":"${'\\"'.repeat(500_000)}"}`)
    const scan = scanJsonObject(hostile, 0, limits)
    expect(scan.kind === 'object' && scan.members.length).toBe(2)
  })
})

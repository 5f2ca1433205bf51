// Members replaced in a body's own bytes: what is parsed afterwards has the edits and nothing else, and every byte that
// is not an edited value stays.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { joinBytes } from '../../test/conformance/dialect.ts'
import { parseJsonBody } from './json-body.ts'
import { type JsonMember, memberKey } from './json-scan.ts'
import { bodyForModel, spliceMembers } from './splice.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
const edited = (text: string, edits: Readonly<Record<string, unknown>>) =>
  textOf(spliceMembers(parseJsonBody(utf8(text)), new Map(Object.entries(edits))))

describe('an edit', () => {
  test.each([
    ['{"model":"a"}', { model: 'b' }, '{"model":"b"}'],
    ['{"model" : "a" , "n":1e999}', { model: 'b' }, '{"model" : "b" , "n":1e999}'],
    ['\ufeff \n{\t"n":1.0,"model":"a"}\n', { model: 'b' }, '\ufeff \n{\t"n":1.0,"model":"b"}\n'],
    ['{"mo\\u0064el":"a"}', { model: 'b' }, '{"mo\\u0064el":"b"}'],
    ['{"model":null}', { model: 'b' }, '{"model":"b"}'],
    ['{"messages":[{"model":"a"}],"model":"a"}', { model: 'b' }, '{"messages":[{"model":"a"}],"model":"b"}'],
    ['{"x":"\\"model\\":\\"a\\"","model":"a"}', { model: 'b' }, '{"x":"\\"model\\":\\"a\\"","model":"b"}'],
    ['{"model":"a"}', { model: 'a "quoted" \u2028 \ud800 ü' }, '{"model":"a \\"quoted\\" \u2028 \\ud800 ü"}'],
    ['{"k":1,"k":2}', { k: 3 }, '{"k":3,"k":3}'],
    ['{"a":1,"b":{"c":[]}}', { b: 'x', a: [1, 2] }, '{"a":[1,2],"b":"x"}'],
    ['{}', { model: 'b' }, '{"model":"b"}'],
    [' { } ', { model: 'b' }, ' {"model":"b" } '],
    ['\ufeff{"n":1}', { model: 'b' }, '\ufeff{"model":"b","n":1}'],
    ['{ "n":1 }', { a: 1, b: { c: null } }, '{"a":1,"b":{"c":null}, "n":1 }'],
    ['{"n":1}', { a: 1, n: 2 }, '{"a":1,"n":2}'],
    ['{"__proto__":1}', { model: 'b' }, '{"model":"b","__proto__":1}'],
    ['{"constructor":1}', { constructor: 2 }, '{"constructor":2}'],
  ])('%j with %j', (text, edits, expected) => {
    expect(edited(text, edits)).toBe(expected)
  })

  test('of nothing gives the very same bytes', () => {
    const body = parseJsonBody(utf8('{"model":"a"}'))
    expect(spliceMembers(body, new Map())).toBe(body.bytes)
  })
})

const blank = fc.stringMatching(/^[ \n\r\t]{0,3}$/)
const spelt = fc
  .tuple(fc.constantFrom('model', 'user', 'n', 'é', 'k"q', '漢', ''), fc.boolean())
  .map(([key, isEscaped]) => {
    const plain = JSON.stringify(key)
    const escaped = [...key].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
    return { key, json: isEscaped ? `"${escaped}"` : plain }
  })
const numberText = fc.constantFrom('0', '-0', '1.0', '1e999', '12345678901234567890', '0.1e-7')
const valueText = fc.oneof(
  numberText,
  fc.json({ maxDepth: 3 }),
  fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
)
const member = fc.record({ spelt, value: valueText, blanks: fc.tuple(blank, blank, blank, blank) })
const bodyText = fc
  .record({
    // Steering keys must not repeat, or the body is refused; others may.
    members: fc.array(member, { maxLength: 8 }).map((all) =>
      all.filter(({ spelt: { key } }, at) => {
        return !['model', 'user'].includes(key) || all.findIndex((other) => other.spelt.key === key) === at
      }),
    ),
    mark: fc.constantFrom('', '\ufeff'),
    around: fc.tuple(blank, blank),
  })
  .map(({ members, mark, around: [before, after] }) => {
    const inner = members.map(({ spelt: { json }, value, blanks: [a, b, c, d] }) => `${a}${json}${b}:${c}${value}${d}`)
    return `${mark}${before}{${inner.join(',')}}${after}`
  })
const editMap = fc.uniqueArray(
  fc.tuple(fc.constantFrom('model', 'user', 'n', 'é', 'k"q', 'absent'), fc.jsonValue({ maxDepth: 2 })),
  { selector: ([key]) => key, maxLength: 3 },
)

test('property: the edits and nothing but the edits', () => {
  fc.assert(
    fc.property(bodyText, editMap, (text, edits) => {
      const body = parseJsonBody(utf8(text))
      const after = spliceMembers(body, new Map(edits))
      const reread = parseJsonBody(after)
      const wanted = Object.fromEntries([...Object.entries(body.value), ...edits])
      expect(asJson(reread.value)).toEqual(asJson(wanted))
      expect(textOf(outside(reread.bytes, reread.members, edits))).toBe(
        textOf(withInsertion(body.bytes, body.members, edits)),
      )
    }),
    { numRuns: 2_000 },
  )
})

/** As JSON can write it: numbers beyond a double are in the bytes alone, which are compared next. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** The bytes without the values of edited members. */
function outside(bytes: Uint8Array, members: readonly JsonMember[], edits: readonly [string, unknown][]) {
  const names = new Set(edits.map(([key]) => key))
  const kept: Uint8Array[] = []
  let from = 0
  for (const each of members) {
    if (!names.has(memberKey(bytes, each))) continue
    kept.push(bytes.subarray(from, each.valueStart))
    from = each.valueEnd
  }
  return joinBytes([...kept, bytes.subarray(from)])
}

/** What `outside` must find of the original: the same, and the keys that were put first. */
function withInsertion(bytes: Uint8Array, members: readonly JsonMember[], edits: readonly [string, unknown][]) {
  const present = new Set(members.map((each) => memberKey(bytes, each)))
  const added = edits.filter(([key]) => !present.has(key)).map(([key]) => `${JSON.stringify(key)}:`)
  const open = bytes.indexOf(0x7b) + 1
  const text = added.join(',') + (added.length > 0 && members.length > 0 ? ',' : '')
  const rest = outside(bytes, members, edits)
  return joinBytes([rest.subarray(0, open), utf8(text), rest.subarray(open)])
}

describe('the body for a model', () => {
  const body = parseJsonBody(utf8('{"n":1,"model":"a"}'))

  test('is the same object when it names the model, or nobody asks for one', () => {
    const forModel = bodyForModel(body)
    expect(forModel('a')).toBe(body.bytes)
    expect(forModel(null)).toBe(body.bytes)
  })

  test('names another in its place, and is made once a model', () => {
    const forModel = bodyForModel(body)
    const other = forModel('b')
    expect(textOf(other)).toBe('{"n":1,"model":"b"}')
    expect(forModel('b')).toBe(other)
    expect(textOf(forModel('c'))).toBe('{"n":1,"model":"c"}')
    expect(forModel('a')).toBe(body.bytes)
  })

  test('gets the name where it has none', () => {
    expect(textOf(bodyForModel(parseJsonBody(utf8('{"n":1}')))('b'))).toBe('{"model":"b","n":1}')
    expect(textOf(bodyForModel(parseJsonBody(utf8('{"model":null}')))('b'))).toBe('{"model":"b"}')
  })

  test('of a megabyte costs one copy', () => {
    const big = parseJsonBody(utf8(`{"model":"a","x":"${'y'.repeat(1_000_000)}"}`))
    const after = bodyForModel(big)('longer-name')
    expect(after.length).toBe(big.bytes.length + 'longer-name'.length - 1)
  })
})

// Streams whose usage chunk the router asked for and the caller did not: it is counted, and nobody sees it.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readStreamFixture, splitBytes } from '../../test/conformance/dialect.ts'
import { joinBytes } from './join-bytes.ts'
import { createStreamTap, type StreamTap } from './stream-tap.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const USAGE = '{"prompt_tokens":11,"total_tokens":13,"completion_tokens":2}'
const usageChunk = (usage: string) =>
  `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":${usage}}\n\n`
const MIDDLE = 'data: {"choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":null}]}\n\n'
const STOP = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
const DONE = 'data: [DONE]\n\n'

function passedThrough(tap: StreamTap, pieces: readonly Uint8Array[]): string {
  const passed = pieces.map((piece) => tap.push(piece) ?? new Uint8Array(0))
  return textOf(joinBytes([...passed, tap.end().bytes ?? new Uint8Array(0)]))
}

describe('the chunk with nothing but usage', () => {
  test('is counted and left out, in any pieces', () => {
    const stream = utf8(`: hi\n\n${MIDDLE}${STOP}${usageChunk(USAGE)}${DONE}`)
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length)), (at) => {
        const tap = createStreamTap('unasked_usage')
        expect(passedThrough(tap, splitBytes(stream, at))).toBe(`: hi\n\n${MIDDLE}${STOP}${DONE}`)
        expect(tap.usage()).toMatchObject({ promptTokens: 11, completionTokens: 2, totalTokens: 13 })
        expect(tap.end().outcome).toBe('complete')
      }),
    )
  })

  test('of a recorded stream leaves what the worker sends without it', () => {
    const recorded = readStreamFixture('chat-usage.sse')
    const tap = createStreamTap('unasked_usage')
    const passed = passedThrough(
      tap,
      Array.from(recorded, (byte) => Uint8Array.of(byte)),
    )
    const events = textOf(recorded).split(/(?<=\n\n)/)
    expect(passed).toBe(events.filter((event) => !event.includes('"choices":[]')).join(''))
    expect(tap.usage()).not.toBeNull()
  })

  test.each([
    ['in another order', `data: {"usage":${USAGE},"choices":[]}\n\n`],
    ['with other fields after it', `data: {"choices":[],"usage":${USAGE},"service_tier":"default"}\n\n`],
    ['with space', `data: {"choices" : [ ], "usage" : ${USAGE} }\n\n`],
    ['over several lines', `data: {"choices":[],\ndata: "usage":${USAGE}}\n\n`],
    ['with CRLF', `data: {"choices":[],"usage":${USAGE}}\r\n\r\n`],
  ])('is left out %s', (_, chunk) => {
    const tap = createStreamTap('unasked_usage')
    expect(passedThrough(tap, [utf8(MIDDLE + STOP + chunk + DONE)])).toBe(MIDDLE + STOP + DONE)
    expect(tap.usage()?.totalTokens).toBe(13)
  })

  test('twice in one piece is left out twice', () => {
    const tap = createStreamTap('unasked_usage')
    const chunks = usageChunk(USAGE) + MIDDLE + usageChunk(USAGE)
    expect(passedThrough(tap, [utf8(STOP + chunks + DONE)])).toBe(STOP + MIDDLE + DONE)
  })

  test('stays where the caller asked for it', () => {
    const stream = MIDDLE + STOP + usageChunk(USAGE) + DONE
    expect(passedThrough(createStreamTap('chat'), [utf8(stream)])).toBe(stream)
  })
})

test.each([
  [
    'usage beside choices',
    `data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}],"usage":${USAGE}}\n\n`,
  ],
  ['null usage', usageChunk('null')],
  ['usage without counts', usageChunk('{}')],
  ['no choices and no usage', 'data: {"choices":[],"prompt_filter_results":[]}\n\n'],
  ['no choices at all', `data: {"usage":${USAGE}}\n\n`],
  [
    'usage as text',
    `data: {"choices":[{"delta":{"content":"\\"choices\\":[],\\"usage\\":{}"},"finish_reason":null}]}\n\n`,
  ],
  ['an error', 'data: {"error":{"message":"x","usage":{}}}\n\n'],
  ['no JSON', 'data: {"choices":[],"usage":{oops\n\n'],
])('a chunk with %s passes', (_, chunk) => {
  const tap = createStreamTap('unasked_usage')
  expect(passedThrough(tap, [utf8(chunk + STOP + DONE)])).toBe(chunk + STOP + DONE)
})

test('an error frame and a chunk that is left out in one piece', () => {
  const tap = createStreamTap('unasked_usage')
  const out = textOf(tap.push(utf8(MIDDLE + usageChunk(USAGE) + DONE)) ?? new Uint8Array(0))
  expect(out.startsWith(`${MIDDLE}data: {"error":`)).toBe(true)
  expect(out.endsWith(DONE)).toBe(true)
  expect(out).not.toContain('"usage"')
})

test('events are counted, comments are not', () => {
  const tap = createStreamTap('unasked_usage')
  tap.push(utf8(`: hi\n\n${MIDDLE}${MIDDLE}`))
  expect(tap.state.events).toBe(2)
})

// The tap against fixtures of every dialect, and the odd streams: fakes, floods, events too big to hold.
// What real clients make of the error frames is in stream-clients.test.ts.

import { expect, test, describe } from 'vitest'
import {
  dialectConformance,
  joinBytes,
  parseEvents,
  readStreamFixture,
  splitBytes,
} from '../../test/conformance/dialect.ts'
import { MAX_HELD_BYTES } from './event-gate.ts'
import { createStreamTap, type StreamKind } from './stream-tap.ts'
import { readUsage } from './usage.ts'

const tokens = (promptTokens: number, completionTokens: number, cachedTokens: number | null = null) => ({
  promptTokens,
  completionTokens,
  totalTokens: promptTokens + completionTokens,
  cachedTokens,
})
const hasErrorKey = ({ data }: { data: string }) => data.startsWith('{"error":')
const isErrorEvent = ({ event }: { event?: string | undefined }) => event === 'error'

dialectConformance({
  kind: 'chat',
  complete: {
    'chat.sse': null,
    'chat-usage.sse': tokens(24, 2, 16),
    'chat-tools.sse': null,
    'chat-two-choices.sse': tokens(3, 3),
  },
  failed: ['chat-worker-error.sse'],
  responseId: null,
  isError: hasErrorKey,
})
dialectConformance({
  kind: 'completions',
  complete: { 'completions.sse': tokens(5, 4) },
  failed: ['chat-worker-error.sse'],
  responseId: null,
  isError: hasErrorKey,
})
dialectConformance({
  kind: 'responses',
  complete: { 'responses.sse': tokens(31, 4, 16), 'responses-incomplete.sse': tokens(31, 4, 16) },
  failed: ['responses-failed.sse'],
  responseId: 'resp_4be1',
  isError: isErrorEvent,
})
dialectConformance({
  kind: 'messages',
  complete: { 'messages.sse': tokens(17, 6) },
  failed: ['messages-worker-error.sse'],
  responseId: null,
  isError: isErrorEvent,
})
dialectConformance({
  kind: 'other',
  complete: { 'transcription.sse': null },
  failed: ['chat-worker-error.sse'],
  responseId: null,
  isError: hasErrorKey,
})

const utf8 = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? new Uint8Array())
const DONE = 'data: [DONE]\n\n'
const STOP = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
const middle = (content: string) =>
  `data: ${JSON.stringify({ choices: [{ delta: { content }, finish_reason: null }] })}\n\n`

function outcomeOf(kind: StreamKind, stream: string): string {
  const tap = createStreamTap(kind)
  tap.push(utf8(stream))
  return tap.end().outcome
}

describe('[DONE]', () => {
  test('without a finish_reason follows the error, in any pieces', () => {
    const stream = utf8(`${middle('Hel')}${DONE}`)
    for (let cut = 0; cut <= stream.length; cut++) {
      const tap = createStreamTap('chat')
      const out = splitBytes(stream, [cut]).map((piece) => tap.push(piece))
      const end = tap.end()
      expect(end.outcome).toBe('truncated')
      const [first, error, done, ...more] = parseEvents(joinBytes([...out, end.bytes]))
      expect(first?.data).toContain('Hel')
      expect(error?.data).toContain('{"error":')
      expect(done?.data).toBe('[DONE]')
      expect(more).toEqual([])
      expect(tap.fail('again')).toBeNull()
    }
  })

  test.each([
    ['as content', middle('[DONE]') + middle('data: [DONE]\n\n') + middle('"finish_reason":"stop"')],
    ['as a comment', `${STOP}: [DONE]\n\n`],
    ['as part of a longer line', `${STOP}data: [DONE] \n\n`],
    ['as another field', `${STOP}event: [DONE]\n\nid: [DONE]\n\n`],
    ['cut short', `${STOP}data: [DONE`],
  ])('faked %s is no end', (_, stream) => {
    expect(outcomeOf('chat', stream)).toBe('truncated')
  })

  test.each(['', '\n', '\r', '\r\n', '\nid: 7'])('that lacks its blank line (it ends with %j) gets it', (rest) => {
    const tap = createStreamTap('chat')
    const passed = tap.push(new TextEncoder().encode(`${STOP}data: [DONE]${rest}`))
    const end = tap.end()
    expect(end.outcome).toBe('complete')
    expect(parseEvents(joinBytes([passed, end.bytes])).at(-1)?.data).toBe('[DONE]')
  })

  test('that lacks its blank line where the connection breaks is no end', () => {
    const tap = createStreamTap('chat')
    tap.push(new TextEncoder().encode(`${STOP}data: [DONE]\n`))
    expect(new TextDecoder().decode(tap.fail('broken') ?? new Uint8Array(0))).toContain('upstream_truncated')
  })

  test.each([
    ['a string that looks like the key', middle('"finish_reason":"stop"') + middle('\\"finish_reason\\":\\"stop\\"')],
    [
      'a string that ends like the key',
      'data: {"a":"x\\"finish_reason","b":["finish_reason"],"choices":[{"finish_reason":null}]}\n\n',
    ],
    ['null with space', 'data: {"choices":[{"finish_reason" : null}]}\n\n'],
    ['no choice at all', 'data: {"choices":[]}\n\n'],
    ['nothing', ''],
    ['what is no JSON', 'data: {oops\n\n'],
  ])('after %s is cut short', (_, stream) => {
    expect(outcomeOf('chat', `${stream}${DONE}`)).toBe('truncated')
  })

  test.each([
    ['with space', 'data: {"choices":[{"finish_reason" : "length"}]}\n\n'],
    ['with key order reversed', 'data: {"choices":[{"finish_reason":"stop","delta":{}}],"id":"x"}\n\n'],
    ['long before', STOP + middle('x').repeat(100)],
    ['missing in all other chunks', `data: {"choices":[{"delta":{"content":"x"}}]}\n\n${STOP}`],
    ['over several lines', 'data: {"choices":[{"finish_reason":\ndata: "stop"}]}\n\n'],
  ])('after a finish_reason %s is an end', (_, stream) => {
    expect(outcomeOf('chat', `${stream}${DONE}`)).toBe('complete')
  })

  test('bytes after it pass', () => {
    const tap = createStreamTap('chat')
    const stream = utf8(`${STOP}${DONE}: bye\n\ndata: half`)
    const passed = tap.push(stream)
    const end = tap.end()
    expect(end.outcome).toBe('complete')
    expect(joinBytes([passed, end.bytes])).toEqual(stream)
  })
})

describe("a worker's error", () => {
  test.each<[StreamKind, string, boolean]>([
    ['chat', 'data: {"error":{"message":"x"}}\n\n', true],
    ['chat', 'data: { "error" : "Unauthorized" }\n\n', true],
    ['chat', 'data: {"id":"x","error":{"message":"x"},"choices":[{"finish_reason":"error"}]}\n\n', true],
    ['chat', 'data: {"choices":[],"error":null}\n\n', false],
    ['chat', 'data: {"choices":[{"delta":{"error":{}},"finish_reason":"stop"}]}\n\n', false],
    ['chat', middle('{"error":{"message":"x"}}'), false],
    ['responses', 'event: error\ndata: {"type":"error","message":"x"}\n\n', true],
    ['responses', 'data: {"error":{"message":"x"}}\n\n', true],
    ['responses', 'data: {"type":"response.failed","response":{}}\n\n', true],
    ['messages', 'event: error\ndata: {}\n\n', true],
    ['messages', 'data: {"type":"error","error":{"type":"api_error"}}\n\n', true],
    ['messages', 'event: content_block_delta\ndata: {"delta":{"text":"event: error"}}\n\n', false],
  ])('on %s: %s', (kind, stream, isError) => {
    expect(outcomeOf(kind, stream)).toBe(isError ? 'error_reported' : 'truncated')
  })
})

describe('the status of an opening error', () => {
  const statusOf = (kind: StreamKind, text: string) => {
    const tap = createStreamTap(kind)
    tap.push(new TextEncoder().encode(text))
    return tap.state.openingErrorStatus
  }
  const error = (code: string) => `data: {"error":{"message":"x","code":${code}}}\n\n`

  test.each([
    ['503', 503],
    ['400', 400],
    ['599', 599],
    ['600', 500],
    ['200', 500],
    ['50.5', 500],
    ['"503"', 500],
    ['null', 500],
  ])('is its code %s where that is a status: %i', (code, status) => {
    for (const kind of ['chat', 'completions', 'other'] as const) expect(statusOf(kind, error(code))).toBe(status)
    const named = `event: error\n${error(code)}`
    for (const kind of ['messages', 'responses'] as const) expect(statusOf(kind, named)).toBe(status)
  })

  test('is none before the first event, after another, and where the first is no error', () => {
    expect(statusOf('chat', ': ping\n\n')).toBeNull()
    expect(statusOf('chat', `: ping\n\n${error('503')}`)).toBe(503)
    expect(statusOf('chat', `data: {"choices":[]}\n\n${error('503')}`)).toBeNull()
    expect(statusOf('chat', 'data: {"error":null}\n\n')).toBeNull()
    expect(statusOf('messages', 'event: error\ndata: {"type":"error","error":{"type":"api_error"}}\n\n')).toBe(500)
  })
})

describe('names in the data alone', () => {
  test.each<[StreamKind, string]>([
    ['responses', 'data: {"type":"response.completed","response":{"output":[{"type":"message"}]}}\n\n'],
    [
      'responses',
      'data: {"response":{"output":[{"type":"message"}]},"sequence_number":9,"type":"response.completed"}\n\n',
    ],
    [
      'responses',
      'data: {"response":{"tools":[{"type":"function"}]},"type":"response.cancelled","sequence_number":9}\n\n',
    ],
    [
      'messages',
      'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\ndata: {"type": "message_stop"}\n\n',
    ],
    ['other', 'data: {"type":"transcript.text.done","text":"x"}\n\n'],
  ])('%s ends with %s', (kind, stream) => {
    expect(outcomeOf(kind, stream)).toBe('complete')
  })
})

describe('holding', () => {
  const open = 'data: {"choices":[{"delta":{"content":"'
  const close = '"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'

  test('an unfinished event waits for its end, a comment does not', () => {
    const tap = createStreamTap('chat')
    expect(tap.push(utf8(''))).toBeNull()
    expect(text(tap.push(utf8(': ping\n')))).toBe(': ping\n')
    expect(tap.state.firstEventSeen).toBe(false)
    expect(tap.push(utf8('data: {"a"'))).toBeNull()
    expect(tap.push(utf8(':1}\n'))).toBeNull()
    expect(text(tap.push(utf8('\ndata: {"b')))).toBe('data: {"a":1}\n\n')
    expect(tap.state.firstEventSeen).toBe(true)
    expect(text(tap.push(utf8('":2}\n\n')))).toBe('data: {"b":2}\n\n')
  })

  test('what was passed on is never touched again', () => {
    const tap = createStreamTap('chat')
    tap.push(utf8('data: 1'))
    const passed = tap.push(utf8('\n\ndata: 2'))
    tap.push(utf8('2'.repeat(1000)))
    tap.push(utf8('\n\n'))
    expect(text(passed)).toBe('data: 1\n\n')
  })

  test('chunks may be transferred away once they are passed on', () => {
    const tap = createStreamTap('chat')
    const transfer = (chunk: Uint8Array<ArrayBuffer>) => {
      const passed = tap.push(chunk)
      structuredClone(chunk.buffer, { transfer: [chunk.buffer] })
      return passed
    }
    transfer(readStreamFixture('chat-usage.sse'))
    expect(tap.usage()).toEqual(tokens(24, 2, 16))
  })

  test('a big event passes as it comes, and still counts', () => {
    for (const size of [100, 5000, 1_000_000]) {
      const tap = createStreamTap('chat')
      const stream = utf8(`${middle('a')}${open}${'漢'.repeat(MAX_HELD_BYTES)}${close}\n\n${DONE}`)
      const pieces = splitBytes(
        stream,
        Array.from({ length: Math.ceil(stream.length / size) }, (_, index) => index * size),
      )
      let isHeld = 0
      const passed = pieces.map((piece) => {
        const bytes = tap.push(piece)
        isHeld += piece.length - (bytes?.length ?? 0)
        expect(isHeld).toBeLessThanOrEqual(MAX_HELD_BYTES)
        return bytes
      })
      const end = tap.end()
      expect(joinBytes([...passed, end.bytes])).toEqual(stream)
      expect(end.outcome).toBe('complete')
      expect(tap.usage()).toEqual(tokens(1, 2))
    }
  })

  test('a cut inside a big event ends it before the error', () => {
    for (const tail of ['', '\n', '\r']) {
      const tap = createStreamTap('chat')
      const passed = tap.push(utf8(`${open}${'x'.repeat(MAX_HELD_BYTES)}${tail}`))
      const events = parseEvents(joinBytes([passed, tap.push(utf8('y')), tap.end().bytes]))
      expect(events).toHaveLength(2)
      expect(events[1]?.data).toContain('{"error":')
    }
  })

  test('a big last event of a response keeps its name, usage and the id of a big first one', () => {
    const filler = 'x'.repeat(MAX_HELD_BYTES)
    const created = `event: response.created\ndata: {"response":{"id":"resp_9","instructions":"${filler}"},"type":"response.created"}\n\n`
    const usage = '"usage":{"input_tokens":7,"output_tokens":8,"total_tokens":15}'
    const completed = `event: response.completed\ndata: {"response":{"id":"resp_9","output":"${filler}",${usage}},"type":"response.completed"}\n\n`
    const tap = createStreamTap('responses')
    for (const piece of splitBytes(utf8(created + completed), [1000, 70_000, 100_000, 130_000])) tap.push(piece)
    expect(tap.responseId()).toBe('resp_9')
    expect(tap.end().outcome).toBe('complete')
    expect(tap.usage()).toEqual(tokens(7, 8))
  })

  test('a million-byte event in single bytes stays linear', () => {
    const tap = createStreamTap('chat')
    const stream = utf8(`${open}${'x'.repeat(1_000_000)}${close}\n\n${DONE}`)
    let passed = 0
    for (const byte of stream) passed += tap.push(Uint8Array.of(byte))?.length ?? 0
    expect(passed).toBe(stream.length)
    expect(tap.end().outcome).toBe('complete')
  }, 5000)
})

describe('usage', () => {
  test('with continuous counts is the last seen when the stream is cut', () => {
    const tap = createStreamTap('chat')
    const chunk = (count: number) =>
      `data: {"choices":[{"delta":{"content":"x"},"finish_reason":null}],"usage":{"prompt_tokens":9,"total_tokens":${9 + count},"completion_tokens":${count}}}\n\n`
    tap.push(utf8(chunk(1) + chunk(2) + chunk(3)))
    expect(tap.end().outcome).toBe('truncated')
    expect(tap.usage()).toEqual(tokens(9, 3))
  })

  test('is read from the end of a whole answer too', () => {
    const answer =
      '{"choices":[{"message":{"content":"\\"usage\\":{"}}],"usage":{"prompt_tokens":2,"completion_tokens":3},"x":null}'
    expect(readUsage(utf8(answer))).toEqual(tokens(2, 3))
    expect(readUsage(utf8(answer.slice(40)))).toEqual(tokens(2, 3))
    expect(readUsage(utf8('{"data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}'))).toEqual(tokens(4, 0))
    for (const text of ['', '[]', '{"usage":{"prompt_tokens":2', '{"detail":"x"}'])
      expect(readUsage(utf8(text))).toBeNull()
  })

  test('of a message adds the later counts to the first', () => {
    const tap = createStreamTap('messages')
    tap.push(
      utf8(
        'event: message_start\ndata: {"message":{"usage":{"input_tokens":5,"cache_read_input_tokens":3,"output_tokens":1}}}\n\n',
      ),
    )
    expect(tap.usage()).toEqual(tokens(5, 1, 3))
    tap.push(utf8('event: message_delta\ndata: {"delta":{},"usage":{"output_tokens":40}}\n\n'))
    expect(tap.usage()).toEqual(tokens(5, 40, 3))
  })

  test.each([
    '{"usage":null}',
    '{"usage":{}}',
    '{"usage":{"prompt_tokens":"5"}}',
    '{"usage":{"prompt_tokens":-1}}',
    '{"usage":[1]}',
  ])('is unknown for %s', (json) => {
    const tap = createStreamTap('chat')
    tap.push(utf8(`data: ${json}\n\n`))
    expect(tap.usage()).toBeNull()
  })
})

test('the outcome can be asked for after a failure', () => {
  const outcome = (stream: string) => {
    const tap = createStreamTap('chat')
    tap.push(utf8(stream))
    tap.fail('The worker broke off.')
    return tap.end()
  }
  expect(outcome(`${STOP}${DONE}`)).toEqual({ bytes: null, outcome: 'complete' })
  expect(outcome(`${middle('a')}${DONE}`)).toEqual({ bytes: null, outcome: 'truncated' })
  expect(outcome('data: {"error":{}}\n\ndata: half')).toEqual({ bytes: null, outcome: 'error_reported' })
  expect(outcome(middle('a'))).toEqual({ bytes: null, outcome: 'truncated' })
})

test('a body that is no event stream passes, and its clean end is good', () => {
  const tap = createStreamTap('other', 'application/octet-stream')
  const chunk = utf8('RIFF\n\ndata: ')
  expect(tap.push(chunk)).toBe(chunk)
  expect(tap.end()).toEqual({ bytes: null, outcome: 'complete' })
  expect(createStreamTap('other', 'text/plain').fail('x')).toBeNull()
  expect(createStreamTap('other', 'Text/Event-Stream; charset=utf-8').fail('x')).not.toBeNull()
})

describe('the first token', () => {
  test.each([
    // Events of each before the one that has it: a role, an empty block, what announces an answer.
    ['chat', 'chat.sse', 1],
    ['chat', 'chat-tools.sse', 1],
    ['completions', 'completions.sse', 0],
    ['responses', 'responses.sse', 4],
    ['messages', 'messages.sse', 2],
    ['other', 'transcription.sse', 0],
  ] as const)('of %s is seen in the event that has it: %s', (kind, fixture, before) => {
    const tap = createStreamTap(kind)
    const seen = text(readStreamFixture(fixture))
      .split(/(?<=\n\n)/)
      .map((event) => {
        tap.push(utf8(event))
        return tap.state.tokenSeen
      })
    expect(seen.indexOf(true)).toBe(before)
  })

  test('never comes in a stream without text', () => {
    const tap = createStreamTap('chat')
    tap.push(utf8(`${middle('')}${STOP}${DONE}`))
    expect(tap.state.tokenSeen).toBe(false)
  })
})

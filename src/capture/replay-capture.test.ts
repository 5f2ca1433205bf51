import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RouterReplayConfig } from '../config/config.ts'
import { TextBudget } from '../dialect/assembly.ts'
import { createAssembly } from '../dialect/stream-assembly.ts'
import { BodyBeginning } from './captured-body.ts'
import { cutText } from './cut-text.ts'
import { openCapture, ReplayCapture } from './replay-capture.ts'
import { StreamCapture } from './stream-capture.ts'

const ENCODER = new TextEncoder()
const SETTINGS: RouterReplayConfig = {
  isEnabled: true,
  maxRecords: 200,
  capturesRequestBody: true,
  capturesResponseBody: true,
  maxBodyBytes: 64,
  ttlMs: null,
  isAsync: false,
  store: { backend: 'memory', redis: null, postgres: null, r2: { prefix: '' } },
}

const pieces = (bytes: Uint8Array, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.slice(n * size, (n + 1) * size))

describe('a text that is cut', () => {
  test('fits, is a beginning, and splits no character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.integer({ min: 0, max: 80 }), (text, maxBytes) => {
        const { text: cut, isCut } = cutText(text, maxBytes)
        const whole = ENCODER.encode(text)
        expect(text.startsWith(cut)).toBe(true)
        expect(isCut).toBe(cut.length < text.length)
        const bytes = ENCODER.encode(cut)
        expect(bytes.length).toBeLessThanOrEqual(maxBytes)
        // What was left out begins with a character that would not have fitted.
        if (isCut) expect(bytes.length).toBeGreaterThan(Math.min(maxBytes, whole.length) - 4)
        expect(cut).not.toMatch(/[\ud800-\udbff]$/)
      }),
    )
  })
})

describe('the beginning of a body', () => {
  test('is the same however it comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.integer({ min: 1, max: 9 }), (text, size) => {
        const beginning = new BodyBeginning(32)
        for (const piece of pieces(ENCODER.encode(text), size)) beginning.push(piece)
        const cut = cutText(text, 32)
        expect(beginning.captured()).toEqual({ text: cut.text, isTruncated: cut.isCut })
      }),
    )
  })

  test('holds on to nothing else, and stays within its bytes whatever they are', () => {
    const beginning = new BodyBeginning(16)
    for (let n = 0; n < 100; n += 1) beginning.push(new Uint8Array(1_000).fill(0xff))
    const captured = beginning.captured()
    if ('omitted' in captured) throw new Error('text was left out')
    expect(ENCODER.encode(captured.text).length).toBeLessThanOrEqual(16)
    expect(captured.isTruncated).toBe(true)
  })

  test('is a copy, also of a buffer that gives out views of itself', () => {
    const beginning = new BodyBeginning(16)
    const chunk = Buffer.from('as it was')
    beginning.push(chunk)
    chunk.fill(0)
    expect(beginning.captured().text).toBe('as it was')
  })

  test('of just that many bytes is whole', () => {
    const beginning = new BodyBeginning(6)
    beginning.push(ENCODER.encode('漢字'))
    expect(beginning.captured()).toEqual({ text: '漢字', isTruncated: false })
  })
})

describe('a capture', () => {
  test('is none while Router Replay is switched off', () => {
    expect(openCapture({ ...SETTINGS, isEnabled: false })).toBeNull()
  })

  test('takes nothing that it is not told to', () => {
    const capture = new ReplayCapture({ ...SETTINGS, capturesRequestBody: false, capturesResponseBody: false })
    capture.noteRequest(ENCODER.encode('{"secret":1}'), 'application/json')
    capture.noteOpaqueRequest('multipart/form-data; boundary=x')
    expect(capture.openAnswer('application/json', 'chat')).toBeNull()
    expect(capture.bodies()).toEqual({ request: null, response: null })
  })

  test('knows what is text', () => {
    const capture = new ReplayCapture(SETTINGS)
    capture.noteRequest(ENCODER.encode('RIFF'), 'audio/wav; rate=8000')
    expect(capture.bodies().request).toEqual({ omitted: 'audio/wav' })
    capture.noteRequest(ENCODER.encode('{}'), 'application/vnd.api+json; charset=utf-8')
    expect(capture.bodies().request).toEqual({ text: '{}', isTruncated: false })
    capture.openAnswer('audio/mpeg', 'other')?.push(new Uint8Array([1, 2]))
    expect(capture.bodies().response).toEqual({ omitted: 'audio/mpeg' })
  })

  test('changes no byte that passes', () => {
    const bytes = ENCODER.encode('data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n')
    const before = [...bytes]
    const capture = new ReplayCapture(SETTINGS)
    capture.openAnswer('text/event-stream', 'chat')?.push(bytes)
    expect([...bytes]).toEqual(before)
  })
})

describe('a stream that is put together', () => {
  function capture(
    kind: ConstructorParameters<typeof StreamCapture>[0],
    events: readonly unknown[],
    maxBytes = 10_000,
  ) {
    const text = events
      .map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
      .join('')
    const results = [1, 7, 1_000].map((size) => {
      const stream = new StreamCapture(kind, maxBytes)
      for (const piece of pieces(ENCODER.encode(text), size)) stream.push(piece)
      return stream.captured()
    })
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
    const [first] = results
    if (first === undefined || 'omitted' in first) throw new Error('the stream was left out')
    return { ...first, json: first.isTruncated || first.text === '' ? null : JSON.parse(first.text) }
  }
  const chunk = (delta: object, more: object = {}, index = 0) => ({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 7,
    model: 'm',
    choices: [{ index, delta, finish_reason: null, ...more }],
  })

  test('chat: several choices, reasoning, refusals, usage', () => {
    const { json } = capture('chat', [
      chunk({ role: 'assistant', content: '' }),
      chunk({ reasoning_content: 'hm ' }),
      chunk({ content: 'grü' }),
      chunk({ content: 'second' }, {}, 1),
      chunk({ content: 'ß 🚀' }, { finish_reason: 'stop' }),
      chunk({ refusal: 'no' }, { finish_reason: 'length' }, 1),
      { id: 'chatcmpl-1', choices: [], usage: { total_tokens: 3 } },
      '[DONE]',
    ])
    expect(json).toEqual({
      object: 'chat.completion',
      id: 'chatcmpl-1',
      created: 7,
      model: 'm',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'grüß 🚀', reasoning_content: 'hm ' },
          finish_reason: 'stop',
        },
        { index: 1, message: { role: 'assistant', content: 'second', refusal: 'no' }, finish_reason: 'length' },
      ],
      usage: { total_tokens: 3 },
    })
  })

  test('chat: tool calls side by side', () => {
    const call = (index: number, fields: object) => chunk({ tool_calls: [{ index, ...fields }] })
    const { json } = capture('chat', [
      call(0, { id: 'a', type: 'function', function: { name: 'look', arguments: '' } }),
      call(1, { id: 'b', type: 'function', function: { name: 'list', arguments: '{' } }),
      call(0, { function: { arguments: '{"x":' } }),
      call(0, { function: { arguments: '1}' } }),
      call(1, { function: { arguments: '}' } }),
    ])
    expect(json.choices[0].message).toEqual({
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'look', arguments: '{"x":1}' } },
        { id: 'b', type: 'function', function: { name: 'list', arguments: '{}' } },
      ],
    })
  })

  test('text completions, transcriptions, and errors in between', () => {
    expect(capture('completions', [{ object: 'text_completion', choices: [{ index: 0, text: 'ab' }] }]).json).toEqual({
      object: 'text_completion',
      choices: [{ index: 0, text: 'ab', finish_reason: null }],
    })
    const heard = [
      { type: 'transcript.text.delta', delta: 'hel' },
      { type: 'transcript.text.delta', delta: 'lo' },
      { type: 'transcript.text.done', text: 'hello' },
    ]
    expect(capture('other', heard).json).toEqual({ text: 'hello' })
    expect(capture('chat', [chunk({ content: 'a' }), { error: { message: 'gone' } }]).json).toMatchObject({
      choices: [{ message: { content: 'a' } }],
      error: { message: 'gone' },
    })
  })

  test('messages: text, thinking, and the input of tools', () => {
    const { json } = capture('messages', [
      { type: 'message_start', message: { id: 'msg', type: 'message', content: [], usage: { input_tokens: 3 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } },
      { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 't', name: 'look', input: {} } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"x"' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: ':1}' } },
      { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 5 } },
      { type: 'message_stop' },
    ])
    expect(json).toEqual({
      id: 'msg',
      type: 'message',
      content: [
        { type: 'thinking', thinking: 'hm' },
        { type: 'tool_use', id: 't', name: 'look', input: { x: 1 } },
      ],
      stop_reason: 'tool_use',
      usage: { input_tokens: 3, output_tokens: 5 },
    })
  })

  test('responses: the whole one at the end, or what had come before a cut', () => {
    const begun = { type: 'response.created', response: { id: 'resp', object: 'response' } }
    const delta = { type: 'response.output_text.delta', delta: 'ab' }
    const done = { type: 'response.completed', response: { id: 'resp', object: 'response', output: [] } }
    expect(capture('responses', [begun, delta, done]).json).toEqual(done.response)
    expect(capture('responses', [begun, delta, delta]).json).toEqual({ ...begun.response, output_text: 'abab' })
  })

  test('is bounded, whatever a worker makes up', () => {
    const floods: readonly (readonly unknown[])[] = [
      Array.from({ length: 300 }, () => chunk({ content: 'x'.repeat(50) })),
      Array.from({ length: 300 }, (_, n) => chunk({ content: 'x' }, {}, n)),
      Array.from({ length: 300 }, (_, n) => chunk({ [`field${n}`]: '' })),
      Array.from({ length: 300 }, (_, n) => chunk({ tool_calls: [{ index: n }] })),
    ]
    for (const events of floods) {
      const { text, isTruncated } = capture('chat', events, 1_000)
      expect(isTruncated).toBe(true)
      expect(ENCODER.encode(text).length).toBeLessThanOrEqual(1_000)
    }
  })

  const HUGE = 'y'.repeat(50_000)

  test.each([
    [
      'messages',
      (n: number) => ({ type: 'content_block_start', index: n, content_block: { type: 't', content: HUGE } }),
    ],
    ['chat', (n: number) => chunk({ tool_calls: [{ index: n, id: HUGE, type: HUGE }] })],
    ['chat', (n: number) => chunk({ role: HUGE }, { finish_reason: HUGE }, n)],
  ] as const)('of %s holds no value that has no room in it', (kind, event) => {
    const assembly = createAssembly(kind)
    const budget = new TextBudget(4_000)
    for (let n = 0; n < 50; n += 1) assembly.add(event(n), budget)
    expect(JSON.stringify(assembly.result()).length).toBeLessThan(8_000)
    expect(budget.hasLeftOut).toBe(true)
  })

  test.each([
    ['chat', { ...chunk({ content: 'said' }), model: HUGE }, 'said'],
    ['responses', { type: 'response.created', response: { instructions: HUGE } }, 'said'],
    ['messages', { type: 'message_start', message: { model: HUGE } }, 'said'],
  ] as const)('of %s leaves out what would fill it by itself, and goes on', (kind, event, expected) => {
    const { text, isTruncated } = capture(
      kind,
      [
        event,
        { type: 'response.output_text.delta', delta: expected },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: expected } },
      ],
      1_000,
    )
    expect(text).toContain(expected)
    expect(isTruncated).toBe(true)
  })

  test('splits no character, in whatever order its parts have come', () => {
    for (const padding of ['', 'a']) {
      const { text } = capture(
        'chat',
        [chunk({ content: 'x'.repeat(800) }, {}, 1), chunk({ content: padding + '🚀'.repeat(200) })],
        1_000,
      )
      expect(text).not.toMatch(/\\ud83d/)
      expect(text).toContain('🚀')
    }
  })

  test.each([
    ['chat', (deep: string) => `{"choices":[],"usage":${deep}}`],
    ['chat', (deep: string) => `{"choices":[{"index":0,"delta":{"role":${deep}}}]}`],
    ['messages', (deep: string) => `{"type":"message_start","message":{"a":${deep}}}`],
    ['responses', (deep: string) => `{"type":"response.completed","response":{"a":${deep}}}`],
  ] as const)('of %s fails at no event, however deeply it is nested', (kind, event) => {
    const depth = 30_000
    const { isTruncated } = capture(kind, [event('['.repeat(depth) + ']'.repeat(depth))])
    expect(isTruncated).toBe(true)
  })

  test('responses: of calls that were cut what had come', () => {
    const events = ['{"city":', '"Par'].map((delta) => ({ type: 'response.function_call_arguments.delta', delta }))
    const begun = { type: 'response.created', response: { id: 'resp' } }
    expect(capture('responses', [begun, ...events, { type: 'response.audio.delta', delta: 'UklGRg' }]).json).toEqual({
      id: 'resp',
      function_call_arguments: '{"city":"Par',
    })
  })

  test('that said nothing is empty', () => {
    expect(capture('chat', ['[DONE]', 'no json'])).toMatchObject({ text: '', isTruncated: false })
  })
})

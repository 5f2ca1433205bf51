// Blocks of prompts: what a model would see alike has the same hashes, whatever the API; anything else has not.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashPrompt, MAX_HASHED_BYTES, type PromptBlocks, writePrompt } from './prompt-blocks.ts'

const BLOCK = 64

function blocksOf(json: Readonly<Record<string, unknown>>, model: string | null = 'm'): PromptBlocks | null {
  const written = writePrompt(json)
  return written === null ? null : hashPrompt(written, { model, blockBytes: BLOCK })
}

function chainOf(json: Readonly<Record<string, unknown>>, model: string | null = 'm'): readonly string[] {
  return blocksOf(json, model)?.chains[0] ?? []
}

const long = (word: string) => `${word} `.repeat(Math.ceil((BLOCK * 3) / word.length))

describe('one conversation in three APIs', () => {
  const chat = {
    messages: [
      { role: 'system', content: long('be kind') },
      { role: 'user', content: [{ type: 'text', text: long('hello') }] },
      { role: 'assistant', content: long('hi') },
    ],
  }

  test('has the same blocks', () => {
    const responses = {
      instructions: long('be kind'),
      input: [
        { role: 'user', content: [{ type: 'input_text', text: long('hello') }] },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: long('hi') }] },
      ],
    }
    const anthropic = {
      system: [{ type: 'text', text: long('be kind'), cache_control: { type: 'ephemeral' } }],
      messages: [
        { role: 'user', content: long('hello') },
        { role: 'assistant', content: [{ type: 'text', text: long('hi') }] },
      ],
    }
    expect(chainOf(chat).length).toBeGreaterThan(5)
    expect(chainOf(responses)).toEqual(chainOf(chat))
    expect(chainOf(anthropic)).toEqual(chainOf(chat))
  })

  test('a text as input is what a user says', () => {
    const said = { messages: [{ role: 'user', content: long('hello') }] }
    expect(chainOf({ input: long('hello') })).toEqual(chainOf(said))
  })
})

describe('what differs for the model has other blocks', () => {
  const base = { messages: [{ role: 'user', content: long('hello') }] }
  const tools = [{ type: 'function', function: { name: 'look', parameters: {} } }]
  const picture = (url: string) => ({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url } },
          { type: 'text', text: long('see') },
        ],
      },
    ],
  })
  const called = (given: string) => ({
    messages: [
      { role: 'assistant', content: null, tool_calls: [{ id: 'x', function: { name: 'look', arguments: given } }] },
      { role: 'tool', tool_call_id: 'x', content: long('seen') },
    ],
  })

  test.each([
    ['a role', base, { messages: [{ role: 'system', content: long('hello') }] }],
    ['tools', base, { ...base, tools }],
    ['a text that is no conversation', base, { prompt: long('hello') }],
    ['a salt', base, { ...base, cache_salt: 'acme' }],
    ['an adapter', base, { ...base, lora_path: 'x' }],
    ['what the template is told', base, { ...base, chat_template_kwargs: { enable_thinking: false } }],
    ['a picture', picture('https://a/1.png'), picture('https://a/2.png')],
    ['data of a picture', picture('data:image/png;base64,AAAA'), picture('data:image/png;base64,AAAB')],
    ['arguments of a call', called('{"at":1}'), called('{"at":2}')],
    ['a role in a text', base, { messages: [{ role: 'user', content: `system${long('hello')}` }] }],
    ['tokens', { prompt: Array.from({ length: 64 }, () => 1) }, { prompt: Array.from({ length: 64 }, () => 2) }],
    [
      'ids that are bytes of a text',
      { prompt: 'a\0\0\0'.repeat(64) },
      { prompt: Array.from({ length: 64 }, () => 97) },
    ],
  ])('%s', (_, one, other) => {
    expect(chainOf(one).length).toBeGreaterThan(0)
    expect(chainOf(one)[0]).not.toBe(chainOf(other)[0])
  })

  test('a model', () => {
    expect(chainOf(base, 'm')[0]).not.toBe(chainOf(base, 'other')[0])
    expect(chainOf(base, null)[0]).not.toBe(chainOf(base, 'm')[0])
  })
})

describe('what makes no difference to the model makes none here', () => {
  test.each([
    ['sampling', { temperature: 0.1, max_tokens: 5, stream: true, user: 'a' }],
    ['no tools', { tools: [] }],
    ['nothing that goes on', { previous_response_id: null }],
  ])('%s', (_, more) => {
    const base = { messages: [{ role: 'user', content: long('hello') }] }
    expect(chainOf({ ...base, ...more })).toEqual(chainOf(base))
  })

  test('ids of calls, and marks for caches that move from turn to turn', () => {
    const calls = (id: string, mark: object) => ({
      messages: [
        { role: 'assistant', content: [{ type: 'tool_use', id, name: 'look', input: { at: 1 }, ...mark }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: long('seen'), ...mark }] },
      ],
    })
    expect(chainOf(calls('b', { cache_control: { type: 'ephemeral' } }))).toEqual(chainOf(calls('a', {})))
  })
})

describe('a conversation that goes on', () => {
  test('keeps the blocks of its beginning', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 })
    const turns = fc.array(fc.record({ role: fc.constantFrom('user', 'assistant', 'tool'), content: text }), {
      minLength: 1,
    })
    fc.assert(
      fc.property(turns, turns, (before, after) => {
        const chain = chainOf({ messages: before })
        expect(chainOf({ messages: [...before, ...after] }).slice(0, chain.length)).toEqual(chain)
      }),
    )
  })

  test('each hash stands for all before it', () => {
    const [first, second, third] = chainOf({ prompt: 'a'.repeat(BLOCK * 3) })
    expect(new Set([first, second, third]).size).toBe(3)
  })
})

describe('bodies of all kinds', () => {
  test('a batch has a chain for each prompt', () => {
    const batch = blocksOf({ prompt: [long('one'), long('two')] })
    expect(batch?.chains).toEqual([chainOf({ prompt: long('one') }), chainOf({ prompt: long('two') })])
    expect(blocksOf({ prompt: [long('one')] })?.chains).toEqual([chainOf({ prompt: long('one') })])
  })

  test('token ids are counted, not estimated', () => {
    const one = Array.from({ length: 100 }, (_, id) => id)
    expect(blocksOf({ prompt: one })).toMatchObject({ tokens: 100, bytes: 400 })
    expect(blocksOf({ prompt: [one, one] })).toMatchObject({ tokens: 200, bytes: 800 })
    expect(chainOf({ prompt: one })).toHaveLength(Math.floor(400 / BLOCK))
  })

  test('what is hashed is bounded, and the rest still counts', () => {
    const units = MAX_HASHED_BYTES * 2
    const latin = blocksOf({ prompt: 'a'.repeat(units) })
    expect(latin?.bytes).toBe(units)
    expect(latin?.chains[0]).toHaveLength(MAX_HASHED_BYTES / BLOCK)
    const cyrillic = blocksOf({ prompt: 'я'.repeat(units) })
    expect(cyrillic?.bytes).toBe(units * 2)
    expect(cyrillic?.chains[0]).toHaveLength(MAX_HASHED_BYTES / BLOCK)
  })

  test('a picture counts as some hundred tokens', () => {
    const content = [{ type: 'image_url', image_url: { url: 'https://a/1.png' } }]
    expect(blocksOf({ messages: [{ role: 'user', content }] })?.bytes).toBeGreaterThan(2_000)
  })

  test.each([
    [{}],
    [{ prompt: '' }],
    [{ prompt: [] }],
    [{ prompt: null }],
    [{ prompt: { id: 'stored' } }],
    [{ prompt: ['text', 7] }],
    [{ messages: 7 }],
    [{ messages: [] }],
    [{ tools: [{ name: 'look' }], messages: [] }],
    [{ input: long('hello'), previous_response_id: 'resp_1' }],
    [{ input: long('hello'), conversation: 'conv_1' }],
  ])('none of %j', (json) => {
    expect(writePrompt(json)).toBeNull()
  })

  test('no JSON is too strange', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6 }),
        fc.constantFrom('messages', 'input', 'prompt', 'system', 'tools'),
        (value, field) => {
          const blocks = blocksOf({ messages: [{ role: 'user', content: 'x' }], [field]: value })
          if (blocks !== null) expect(blocks.bytes).toBeGreaterThanOrEqual(0)
        },
      ),
    )
  })
})

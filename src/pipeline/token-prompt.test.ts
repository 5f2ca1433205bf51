// What is put to a tokenizer of each API's prompts, and what is not.

import { describe, expect, test } from 'vitest'
import { toTokenPrompt } from './token-prompt.ts'

const chat = (...messages: [string, string][]) => ({
  kind: 'fields',
  fields: { messages: messages.map(([role, content]) => ({ role, content })) },
})

const none = (outcome: string) => ({ kind: 'none', outcome })

describe('chat', () => {
  test('is what its template sees', () => {
    const messages = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]
    const seen = { messages, tools: [{ type: 'function' }], chat_template_kwargs: { enable_thinking: false } }
    const body = { model: 'm', temperature: 0.2, stream: true, add_generation_prompt: null, ...seen }
    expect(toTokenPrompt('/v1/chat/completions', body)).toEqual({ kind: 'fields', fields: seen })
  })
})

describe('completions', () => {
  test.each<[string, unknown, unknown]>([
    ['text', 'Hi', { kind: 'fields', fields: { prompt: 'Hi' } }],
    ['one text in a list', ['Hi'], { kind: 'fields', fields: { prompt: 'Hi' } }],
    ['token ids', [1, 2], { kind: 'ids', ids: [1, 2] }],
    ['token ids in a list', [[1, 2]], { kind: 'ids', ids: [1, 2] }],
    ['a batch of texts', ['Hi', 'Ho'], none('batch')],
    ['a batch of ids', [[1], [2]], none('batch')],
    ['no ids', [1, -1], none('batch')],
    ['nothing', '', none('no_prompt')],
    ['no prompt', undefined, none('no_prompt')],
  ])('%s', (_, prompt, expected) => {
    expect(toTokenPrompt('/v1/completions', { model: 'm', prompt })).toEqual(expected)
  })

  test('cut by the worker, nobody knows where they begin', () => {
    expect(toTokenPrompt('/v1/completions', { prompt: 'Hi', truncate_prompt_tokens: 5 })).toEqual(none('truncated'))
  })
})

describe('messages of Anthropic', () => {
  const read = (body: object) => toTokenPrompt('/v1/messages', { model: 'm', max_tokens: 1, ...body })

  test('are chat as long as they are text', () => {
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: [{ type: 'text', text: 'Ho' }] },
    ]
    expect(read({ system: 'Be brief.', messages })).toEqual(
      chat(['system', 'Be brief.'], ['user', 'Hi'], ['assistant', 'Ho']),
    )
  })

  test.each([
    ['tools', { tools: [{ name: 'f' }], messages: [{ role: 'user', content: 'Hi' }] }],
    ['an image', { messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] }],
    ['two parts', { messages: [{ role: 'user', content: [{ text: 'a' }, { text: 'b' }] }] }],
    ['a system of parts', { system: [{ text: 'a' }, { text: 'b' }], messages: [{ role: 'user', content: 'Hi' }] }],
    ['no messages', {}],
  ])('with %s are not guessed at', (_, body) => expect(read(body)).toEqual(none('not_text')))
})

describe('the Responses API', () => {
  const read = (body: object) => toTokenPrompt('/v1/responses', { model: 'm', ...body })

  test('is chat as long as it is text', () => {
    expect(read({ instructions: 'Be brief.', input: 'Hi' })).toEqual(chat(['system', 'Be brief.'], ['user', 'Hi']))
    expect(read({ input: [{ role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }] })).toEqual(
      chat(['user', 'Hi']),
    )
  })

  test('that goes on from what a worker stored is not all here', () => {
    expect(read({ input: 'Hi', previous_response_id: 'resp_1' })).toEqual(none('stored'))
  })

  test('with items that are no messages is not guessed at', () => {
    expect(read({ input: [{ type: 'function_call_output', output: '{}' }] })).toEqual(none('not_text'))
    expect(read({ input: 'Hi', tools: [{ type: 'web_search' }] })).toEqual(none('not_text'))
  })
})

test('what generates nothing has no prompt to look up', () => {
  expect(toTokenPrompt('/v1/embeddings', { input: 'Hi' })).toEqual(none('no_prompt'))
  expect(toTokenPrompt('/v1/chat/completions', null)).toEqual(none('no_prompt'))
})

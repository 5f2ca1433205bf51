import { expect, test } from 'vitest'
import { keyOf, type TemplateInput, templateFieldsOf } from './template-input.ts'

const CHAT = {
  model: 'alias',
  messages: [{ role: 'user', content: 'Hi' }],
  tools: [{ type: 'function', function: { name: 'f', parameters: { b: 1, a: 2 } } }],
}

const keyOfBody = (body: object, more: Partial<TemplateInput> = {}) =>
  keyOf({ tenant: null, model: 'm', fields: templateFieldsOf({ ...body }), ...more })

test.each([
  { temperature: 0.7 },
  { top_p: 0.1, seed: 3 },
  { stream: true, stream_options: { include_usage: true } },
  { max_tokens: 5, n: 2, stop: ['x'], user: 'u', cache_salt: 's' },
  { model: 'another alias' },
  { chat_template: null },
])('%j changes nothing', async (fields) => {
  expect(await keyOfBody({ ...CHAT, ...fields })).toBe(await keyOfBody(CHAT))
})

test.each([
  { messages: [{ role: 'user', content: 'Hi!' }] },
  { messages: [{ role: 'system', content: 'Hi' }] },
  { messages: [...CHAT.messages, ...CHAT.messages] },
  { tools: [] },
  { tools: [{ type: 'function', function: { name: 'f', parameters: { a: 2, b: 1 } } }] },
  { chat_template: '{{ messages }}' },
  { chat_template_kwargs: { enable_thinking: false } },
  { add_generation_prompt: false },
  { continue_final_message: true },
  { add_special_tokens: true },
  { documents: [{ text: 'd' }] },
  { mm_processor_kwargs: { size: 1 } },
  { reasoning_effort: 'low' },
])('%j is another prompt', async (fields) => {
  expect(await keyOfBody({ ...CHAT, ...fields })).not.toBe(await keyOfBody(CHAT))
})

test('model and tenant part prompts, and neither can pass for the other', async () => {
  const keys = await Promise.all([
    keyOfBody(CHAT),
    keyOfBody(CHAT, { model: 'n' }),
    keyOfBody(CHAT, { tenant: 'a' }),
    keyOfBody(CHAT, { tenant: 'b' }),
    keyOfBody(CHAT, { tenant: 'm' }),
    keyOfBody(CHAT, { tenant: 'a","m' }),
  ])
  expect(new Set(keys).size).toBe(keys.length)
})

test('the order of fields is nobody’s business', async () => {
  const { messages, tools } = CHAT
  expect(await keyOfBody({ tools, messages })).toBe(await keyOfBody({ messages, tools }))
})

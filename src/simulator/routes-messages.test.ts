// /v1/messages: Anthropic's shapes, whole and streamed, and its errors.

import { expect, test } from 'vitest'
import { eventsOf } from './read-events.ts'
import { createVirtualWorker } from './virtual-worker.ts'

const user = (content: string) => [{ role: 'user', content }]

const ask = { model: 'm', max_tokens: 100, messages: user('Hi'), system: 'Be brief.' }

test('a message has no nulls', async () => {
  const { text } = await createVirtualWorker({ outputTokens: 3 }).post('/v1/messages', ask)
  expect(JSON.parse(text)).toMatchObject({ type: 'message', role: 'assistant', stop_reason: 'end_turn' })
  expect(text).not.toContain('null')
  expect(JSON.parse(text).usage).toEqual({ input_tokens: 10, output_tokens: 3 })
})

test('a stream has the named events in order', async () => {
  const { text } = await createVirtualWorker({ outputTokens: 3 }).post('/v1/messages', { ...ask, stream: true })
  const delta = 'content_block_delta'
  const names = [
    'message_start',
    'content_block_start',
    delta,
    delta,
    'content_block_stop',
    'message_delta',
    'message_stop',
  ]
  expect(eventsOf(text).map(({ name }) => name)).toEqual(names)
  expect(eventsOf(text).map(({ data }) => data['type'])).toEqual(names)
})

test('counts the same tokens, and calls tools', async () => {
  const { post } = createVirtualWorker()
  expect(JSON.parse((await post('/v1/messages/count_tokens', ask)).text)).toEqual({ input_tokens: 10 })
  const tools = [{ name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }]
  const { text } = await post('/v1/messages', { ...ask, tools, tool_choice: { type: 'any' } })
  expect(JSON.parse(text)).toMatchObject({
    stop_reason: 'tool_use',
    content: [{ type: 'tool_use', name: 'weather', input: { city: 'sea' } }],
  })
})

test('errors are in its own shape', async () => {
  const { response, text } = await createVirtualWorker().post('/v1/messages', { ...ask, model: 'x' })
  expect(response.status).toBe(404)
  const error = { type: 'NotFoundError', message: 'The model `x` does not exist.' }
  expect(JSON.parse(text)).toEqual({ type: 'error', error })
})

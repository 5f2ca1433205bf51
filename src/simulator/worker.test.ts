// What a worker refuses, in the words of the layer that refuses it.

import { expect, test } from 'vitest'
import { createVirtualWorker } from './virtual-worker.ts'

const user = (content: string) => [{ role: 'user', content }]

const chat = { messages: user('Hi') }

test.each([
  ['an unknown model', { ...chat, model: 'x' }, 404, 'NotFoundError'],
  ['no messages', {}, 400, 'BadRequestError'],
  ['no room for an answer', { ...chat, max_tokens: 200_000 }, 400, 'BadRequestError'],
  ['no tokens', { ...chat, max_tokens: 0 }, 400, 'BadRequestError'],
])('%s', async (_, body, status, type) => {
  const { response, text } = await createVirtualWorker().post('/v1/chat/completions', body)
  expect(response.status).toBe(status)
  expect(JSON.parse(text).error).toMatchObject({ type, code: status, message: expect.any(String) })
})

test('a rank out of range is a 400, one that is no number is ignored', async () => {
  const { post } = createVirtualWorker({ dataParallelSize: 2 })
  const statusOf = async (rank: string) =>
    (await post('/v1/chat/completions', chat, { 'x-data-parallel-rank': rank })).response.status
  expect([await statusOf('2'), await statusOf('-1'), await statusOf('one'), await statusOf('1')]).toEqual([
    400, 400, 200, 200,
  ])
})

test('the key guards /v1 and /v2 only', async () => {
  const { post, send } = createVirtualWorker({ apiKey: 'k' })
  const refused = await post('/v1/chat/completions', chat)
  expect([refused.response.status, refused.text]).toEqual([401, '{"error":"Unauthorized"}'])
  expect((await send('/v1/models', { headers: { authorization: 'Bearer k' } })).response.status).toBe(200)
  expect((await post('/tokenize', { prompt: 'a' })).response.status).toBe(200)
  expect((await post('/v2/rerank', { query: '', documents: [] })).response.status).toBe(401)
})

test('paths and methods that are not there are answered as FastAPI does', async () => {
  const { send } = createVirtualWorker()
  expect(await send('/nope')).toMatchObject({ response: { status: 404 }, text: '{"detail":"Not Found"}' })
  expect((await send('/v1/chat/completions')).response.status).toBe(405)
})

test('a request id is echoed only when enabled', async () => {
  for (const enableRequestIdHeaders of [true, false]) {
    const { response } = await createVirtualWorker({ enableRequestIdHeaders }).send('/health', {
      headers: { 'x-request-id': 'X' },
    })
    expect(response.headers.get('x-request-id')).toBe(enableRequestIdHeaders ? 'X' : null)
  }
})

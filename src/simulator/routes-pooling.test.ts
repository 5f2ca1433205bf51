// Embeddings, scores, ranks, classes, tokens and sounds: what a model reads and does not answer in words.

import { expect, test } from 'vitest'
import { createVirtualWorker } from './virtual-worker.ts'

const user = (content: string) => [{ role: 'user', content }]

test('embeddings are unit vectors, nearer for texts that share words', async () => {
  const { post } = createVirtualWorker()
  const input = ['the red fox', 'the red dog', 'zebra crossing']
  const { data, usage } = JSON.parse((await post('/v1/embeddings', { model: 'm', input })).text)
  const [fox, dog, zebra] = data.map((one: { embedding: number[] }) => one.embedding)
  const cosine = (left: number[], right: number[]) => left.reduce((sum, value, at) => sum + value * (right[at] ?? 0), 0)
  expect(cosine(fox, fox)).toBeCloseTo(1)
  expect(cosine(fox, dog)).toBeGreaterThan(cosine(fox, zebra))
  expect(usage.completion_tokens).toBe(0)
})

test.each(['/rerank', '/v1/rerank', '/v2/rerank'])('%s sorts by score', async (path) => {
  const body = { model: 'm', query: 'red fox', documents: ['blue sea', 'a red fox', 'red'], top_n: 2 }
  const { results } = JSON.parse((await createVirtualWorker().post(path, body)).text)
  expect(results.map((one: { index: number }) => one.index)).toEqual([1, 2])
  expect(results[0].document.text).toBe('a red fox')
})

test.each(['/score', '/v1/score'])('%s takes the old names and the new', async (path) => {
  const { post } = createVirtualWorker()
  const old = JSON.parse((await post(path, { text_1: 'red', text_2: ['red', 'sea'] })).text).data
  expect(old).toHaveLength(2)
  expect(JSON.parse((await post(path, { queries: 'red', documents: ['red', 'sea'] })).text).data).toEqual(old)
})

test('classes and poolings come one for each input', async () => {
  const { post } = createVirtualWorker()
  expect(JSON.parse((await post('/classify', { input: ['a', 'b'] })).text).data).toHaveLength(2)
  expect(JSON.parse((await post('/pooling', { input: 'a' })).text).data[0].object).toBe('pooling')
})

test('tokenize and detokenize are inverse', async () => {
  const { post } = createVirtualWorker()
  const prompt = 'héllo wörld'
  const body = JSON.parse((await post('/tokenize', { prompt, add_special_tokens: false })).text)
  expect(body).toMatchObject({ count: body.tokens.length, max_model_len: 131_072, token_strs: null })
  expect(JSON.parse((await post('/detokenize', { tokens: body.tokens })).text)).toEqual({ prompt })
  expect((await post('/detokenize', { tokens: [2 ** 33] })).response.status).toBe(400)
  const chat = JSON.parse((await post('/tokenize', { messages: user('Hi') })).text)
  expect(chat.count).toBe(5)
})

test('audio is answered with what arrived', async () => {
  const form = new FormData()
  form.set('file', new File([new Uint8Array(321)], 'a.wav'))
  form.set('model', 'm')
  const { text } = await createVirtualWorker().send('/v1/audio/transcriptions', { method: 'POST', body: form })
  expect(JSON.parse(text)).toMatchObject({
    text: expect.stringMatching(/\w/),
    sha256: '321 bytes',
    size: 321,
    filename: 'a.wav',
  })
})

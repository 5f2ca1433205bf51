// /v1/completions: every form of a prompt, and the bytes of a stream.

import { expect, test } from 'vitest'
import { createVirtualWorker } from './virtual-worker.ts'

test.each([
  ['a text', 'Hi', 1],
  ['texts', ['Hi', 'Ho'], 2],
  ['ids', [1, 2, 3], 1],
  ['lists of ids', [[1, 2], [3]], 2],
])('takes %s', async (_, prompt, count) => {
  const { post } = createVirtualWorker()
  const { text } = await post('/v1/completions', { model: 'm', prompt }, { 'x-request-id': 'X' })
  const body = JSON.parse(text)
  expect(body).toMatchObject({ id: 'cmpl-X', object: 'text_completion', usage: { completion_tokens: 16 * count } })
  expect(body.choices).toHaveLength(count)
  expect(body.choices[0]).toMatchObject({ index: 0, logprobs: null, finish_reason: 'length', stop_reason: null })
})

test('streams chunks of text', async () => {
  const { post } = createVirtualWorker()
  const { text } = await post('/v1/completions', { prompt: 'Hi', max_tokens: 1, stream: true }, { 'x-request-id': 'X' })
  expect(text.replace(/"text":"\w+"/, '"text":"W"')).toBe(
    'data: {"id":"cmpl-X","object":"text_completion","created":1767000000,"model":"m","choices":[{"index":0,"text":"W",' +
      '"logprobs":null,"finish_reason":"length","stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}' +
      '\n\ndata: [DONE]\n\n',
  )
})

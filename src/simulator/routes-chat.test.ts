// /v1/chat/completions in virtual time: exact bytes where a router could trip over them, and what shapes an answer.

import { expect, test } from 'vitest'
import { eventsOf } from './read-events.ts'
import { createVirtualWorker } from './virtual-worker.ts'

const user = (content: string) => [{ role: 'user', content }]
const SENTENCE =
  'A long enough sentence fills more than one block of sixteen tokens, so that it can be found in the cache again.'
const TOOLS = [
  {
    type: 'function',
    function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  },
]

test('a stream has exactly the chunks of vLLM', async () => {
  const { post } = createVirtualWorker({ outputTokens: 3 })
  const body = { model: 'm', messages: user('Hi'), stream: true, stream_options: { include_usage: true } }
  const { response, text } = await post('/v1/chat/completions', body, { 'x-request-id': 'X' })
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const head = '"id":"chatcmpl-X","object":"chat.completion.chunk","created":1767000000,"model":"m"'
  const [first, second] = eventsOf(text)
    .slice(1, 3)
    .map(({ data }) => JSON.stringify(data).match(/"content":"(.*?)"/)?.[1])
  expect(text).toBe(
    [
      `data: {${head},"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}`,
      `data: {${head},"choices":[{"index":0,"delta":{"content":"${first}"},"logprobs":null,"finish_reason":null,"token_ids":null}]}`,
      `data: {${head},"choices":[{"index":0,"delta":{"content":"${second}"},"logprobs":null,"finish_reason":null,"token_ids":null}]}`,
      `data: {${head},"choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}]}`,
      `data: {${head},"choices":[],"usage":{"prompt_tokens":5,"total_tokens":8,"completion_tokens":3}}`,
      'data: [DONE]',
      '',
    ].join('\n\n'),
  )
})

test('a whole answer keeps its nulls', async () => {
  const { post } = createVirtualWorker({ outputTokens: 3 })
  const { text } = await post('/v1/chat/completions', { messages: user('Hi') }, { 'x-request-id': 'X' })
  const content = JSON.parse(text).choices[0].message.content
  expect(text).toBe(
    '{"id":"chatcmpl-X","object":"chat.completion","created":1767000000,"model":"m","choices":[{"index":0,' +
      `"message":{"role":"assistant","content":"${content}","refusal":null,"annotations":null,"audio":null,` +
      '"function_call":null,"tool_calls":[],"reasoning":null},"logprobs":null,"finish_reason":"stop",' +
      '"stop_reason":null,"token_ids":null}],"service_tier":null,"system_fingerprint":null,"usage":{"prompt_tokens":5,' +
      '"total_tokens":8,"completion_tokens":3,"prompt_tokens_details":null},"prompt_logprobs":null,' +
      '"prompt_token_ids":null,"kv_transfer_params":null}',
  )
})

test('the same prompt gets the same words, streamed or not, and other words from another seed', async () => {
  const ask = async (seed: number, stream: boolean): Promise<string> => {
    const { post } = createVirtualWorker({ seed })
    const { text } = await post('/v1/chat/completions', { messages: user('Hi'), stream })
    if (!stream) return JSON.parse(text).choices[0].message.content
    return [...text.matchAll(/"content":"(.*?)"/g)].map((match) => match[1]).join('')
  }
  expect(await ask(1, true)).toBe(await ask(1, false))
  expect(await ask(1, false)).not.toBe(await ask(2, false))
})

test('cached tokens appear when there are some, and only if enabled', async () => {
  for (const enablePromptTokensDetails of [true, false]) {
    const { post } = createVirtualWorker({ enablePromptTokensDetails })
    const ask = () => post('/v1/chat/completions', { messages: user(SENTENCE) })
    expect(JSON.parse((await ask()).text).usage.prompt_tokens_details).toBeNull()
    const details = JSON.parse((await ask()).text).usage.prompt_tokens_details
    expect(details).toEqual(enablePromptTokensDetails ? { cached_tokens: 32 } : null)
  }
})

test.each([
  [{ max_tokens: 4 }, 4, 'length', null],
  [{ max_completion_tokens: 2, max_tokens: 4 }, 2, 'length', null],
  [{ max_tokens: 400 }, 32, 'stop', null],
  [{ max_tokens: 40, ignore_eos: true }, 40, 'length', null],
  [{ stop: [' '] }, 2, 'stop', ' '],
])('%j gives %i tokens and ends with %s', async (fields, tokens, finishReason, stopReason) => {
  const { post } = createVirtualWorker()
  const { usage, choices } = JSON.parse((await post('/v1/chat/completions', { messages: user('Hi'), ...fields })).text)
  expect(usage.completion_tokens).toBe(tokens)
  expect(choices[0]).toMatchObject({ finish_reason: finishReason, stop_reason: stopReason })
})

test('an answer cut by max_tokens has its last word in the final chunk', async () => {
  const { post } = createVirtualWorker()
  const { text } = await post('/v1/chat/completions', { messages: user('Hi'), max_tokens: 1, stream: true })
  expect(eventsOf(text)).toHaveLength(2)
  expect(eventsOf(text)[1]?.data).toMatchObject({
    choices: [{ delta: { content: expect.stringMatching(/\w/) }, finish_reason: 'length' }],
  })
})

test('several choices are told apart by index', async () => {
  const { post } = createVirtualWorker({ outputTokens: 4 })
  const { choices, usage } = JSON.parse((await post('/v1/chat/completions', { messages: user('Hi'), n: 2 })).text)
  expect(choices.map((choice: { index: number }) => choice.index)).toEqual([0, 1])
  expect(choices[0].message.content).not.toBe(choices[1].message.content)
  expect(usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 8 })
})

test.each([
  [{ tool_choice: 'required' }, 'Hi', true],
  [{ tool_choice: { type: 'function', function: { name: 'weather' } } }, 'Hi', true],
  [{}, 'Use a tool for it.', true],
  [{}, 'Hi', false],
  [{ tool_choice: 'none' }, 'Use a tool for it.', false],
])('%j with %j calls a tool: %s', async (fields, content, isCalled) => {
  const { post } = createVirtualWorker()
  const body = { messages: user(content), tools: TOOLS, ...fields }
  const whole = JSON.parse((await post('/v1/chat/completions', body)).text).choices[0]
  expect(whole.finish_reason).toBe(isCalled ? 'tool_calls' : 'stop')
  if (!isCalled) return
  const call = { id: expect.stringMatching(/^chatcmpl-tool-[0-9a-f]{16}$/), type: 'function' }
  expect(whole.message.content).toBeNull()
  expect(whole.message.tool_calls).toEqual([{ ...call, function: { name: 'weather', arguments: '{"city":"sea"}' } }])
  const { text } = await post('/v1/chat/completions', { ...body, stream: true })
  const deltas = eventsOf(text).map(({ data }) => (data['choices'] as { delta: Record<string, unknown> }[])[0]?.delta)
  expect(deltas[1]?.['tool_calls']).toMatchObject([{ ...call, index: 0, function: { name: 'weather' } }])
  expect(text.match(/"arguments":"((?:[^"\\]|\\.)*)"/g)?.length).toBeGreaterThan(1)
  expect(text).toContain('"finish_reason":"tool_calls"')
})

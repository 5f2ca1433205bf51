// The worker's dialects in virtual time: exact bytes where a router could trip over them, shapes elsewhere.

import { describe, expect, test } from 'vitest'
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

/** Names and data of the events in a stream. */
function eventsOf(text: string): { name: string | null; data: Record<string, unknown> }[] {
  return text
    .split('\n\n')
    .filter(Boolean)
    .filter((block) => block !== 'data: [DONE]')
    .map((block) => {
      const lines = block.split('\n')
      const name = lines.find((line) => line.startsWith('event: '))?.slice(7) ?? null
      return { name, data: JSON.parse(lines.find((line) => line.startsWith('data: '))?.slice(6) ?? '') }
    })
}

describe('chat', () => {
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
    const { usage, choices } = JSON.parse(
      (await post('/v1/chat/completions', { messages: user('Hi'), ...fields })).text,
    )
    expect(usage.completion_tokens).toBe(tokens)
    expect(choices[0]).toMatchObject({ finish_reason: finishReason, stop_reason: stopReason })
  })

  test('an answer cut by max_tokens has its last word in the final chunk', async () => {
    const { post } = createVirtualWorker()
    const { text } = await post('/v1/chat/completions', { messages: user('Hi'), max_tokens: 1, stream: true })
    expect(eventsOf(text)).toHaveLength(2)
    expect(eventsOf(text)[1]?.data).toMatchObject({ choices: [{ delta: { content: expect.stringMatching(/\w/) }, finish_reason: 'length' }] })
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
})

describe('completions', () => {
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
    const { text } = await post(
      '/v1/completions',
      { prompt: 'Hi', max_tokens: 1, stream: true },
      { 'x-request-id': 'X' },
    )
    expect(text.replace(/"text":"\w+"/, '"text":"W"')).toBe(
      'data: {"id":"cmpl-X","object":"text_completion","created":1767000000,"model":"m","choices":[{"index":0,"text":"W",' +
        '"logprobs":null,"finish_reason":"length","stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}' +
        '\n\ndata: [DONE]\n\n',
    )
  })
})

describe('anthropic', () => {
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
})

describe('responses', () => {
  test('a response is stored, read, continued from and deleted', async () => {
    const { post, send } = createVirtualWorker({ outputTokens: 4 })
    const made = JSON.parse((await post('/v1/responses', { model: 'm', input: SENTENCE })).text)
    expect(made).toMatchObject({ object: 'response', status: 'completed', usage: { output_tokens: 4 } })
    expect(JSON.parse((await send(`/v1/responses/${made.id}`)).text)).toEqual(made)
    const next = JSON.parse((await post('/v1/responses', { input: 'More', previous_response_id: made.id })).text)
    expect(next.usage.input_tokens_details.cached_tokens).toBe(32)
    expect((await send(`/v1/responses/${made.id}/cancel`, { method: 'POST' })).response.status).toBe(400)
    const deleted = await send(`/v1/responses/${made.id}`, { method: 'DELETE' })
    expect(JSON.parse(deleted.text)).toEqual({ id: made.id, object: 'response', deleted: true })
    const gone = await send(`/v1/responses/${made.id}`)
    expect([gone.response.status, JSON.parse(gone.text).error.type]).toEqual([404, 'NotFoundError'])
  })

  test('an unknown previous response is a 404', async () => {
    const { response, text } = await createVirtualWorker().post('/v1/responses', {
      input: 'Hi',
      previous_response_id: 'resp_x',
    })
    expect(response.status).toBe(404)
    const message = "Response with id 'resp_x' not found."
    expect(JSON.parse(text)).toEqual({ error: { message, type: 'NotFoundError', param: 'response_id', code: 404 } })
  })

  test('a stream has the named events in order, and stores what it ends with', async () => {
    const { post, send } = createVirtualWorker({ outputTokens: 2 })
    const events = eventsOf((await post('/v1/responses', { input: 'Hi', stream: true })).text)
    expect(events.map(({ name }) => name?.slice('response.'.length))).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ])
    expect(events.map(({ data }) => data['sequence_number'])).toEqual(events.map((_, index) => index))
    const { id } = events.at(-1)?.data['response'] as { id: string }
    expect(JSON.parse((await send(`/v1/responses/${id}`)).text)).toEqual(events.at(-1)?.data['response'])
  })

  test('one in the background can be cancelled while it runs', async () => {
    const { worker, clock } = createVirtualWorker()
    const call = async (path: string, method: string, body?: object) => {
      const headers = { 'content-type': 'application/json' }
      const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) }
      return (await worker.fetch(new Request(`http://worker${path}`, init))).json()
    }
    const first = await call('/v1/responses', 'POST', { input: 'Hi', background: true })
    expect(first).toMatchObject({ status: 'queued' })
    expect(await call(`/v1/responses/${first.id}/cancel`, 'POST')).toMatchObject({ status: 'cancelled' })
    const second = await call('/v1/responses', 'POST', { input: 'Hi', background: true })
    clock.runAll()
    expect(await call(`/v1/responses/${second.id}`, 'GET')).toMatchObject({ status: 'completed' })
    expect(await call(`/v1/responses/${first.id}`, 'GET')).toMatchObject({ status: 'cancelled' })
    expect(worker.context.engines[0]?.stats.finished).toMatchObject({ abort: 1, stop: 1 })
  })
})

describe('reading', () => {
  test('embeddings are unit vectors, nearer for texts that share words', async () => {
    const { post } = createVirtualWorker()
    const input = ['the red fox', 'the red dog', 'zebra crossing']
    const { data, usage } = JSON.parse((await post('/v1/embeddings', { model: 'm', input })).text)
    const [fox, dog, zebra] = data.map((one: { embedding: number[] }) => one.embedding)
    const cosine = (left: number[], right: number[]) =>
      left.reduce((sum, value, at) => sum + value * (right[at] ?? 0), 0)
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
    expect(JSON.parse(text)).toMatchObject({ text: expect.stringMatching(/\w/), sha256: '321 bytes', size: 321, filename: 'a.wav' })
  })
})

describe('watching', () => {
  test('models are listed with adapters under the first', async () => {
    const { send } = createVirtualWorker({ models: ['a', 'b'], loras: ['l'] })
    const { data } = JSON.parse((await send('/v1/models')).text)
    expect(data.map(({ id, parent, root }: Record<string, string>) => [id, parent, root])).toEqual([
      ['a', null, 'a'],
      ['b', null, 'b'],
      ['l', 'a', '/adapters/l'],
    ])
    expect(Object.keys(data[0])).toEqual([
      ...['id', 'object', 'created', 'owned_by', 'root', 'parent', 'max_model_len', 'permission'],
    ])
  })

  test('health is empty, and 503 when told', async () => {
    const { send, worker } = createVirtualWorker()
    expect(await send('/health')).toMatchObject({ response: { status: 200 }, text: '' })
    worker.context.faults.set([{ health: 503 }])
    expect(await send('/ping', { method: 'POST' })).toMatchObject({ response: { status: 503 }, text: '' })
  })

  test('metrics have vLLM names, labels and one series per rank', async () => {
    const { post, send } = createVirtualWorker({ dataParallelSize: 2, outputTokens: 4 })
    await post('/v1/chat/completions', { messages: user(SENTENCE) }, { 'x-data-parallel-rank': '1' })
    await post('/v1/chat/completions', { messages: user(SENTENCE) }, { 'x-data-parallel-rank': '1' })
    const { text } = await send('/metrics')
    const rank = 'engine="1",model_name="m"'
    expect(text).toContain(`vllm:num_requests_running{${rank}} 0.0\n`)
    expect(text).toContain(`vllm:prefix_cache_hits_total{${rank}} 32.0\n`)
    expect(text).toContain(`vllm:request_success_total{${rank},finished_reason="stop"} 2.0\n`)
    expect(text).toContain(`vllm:time_to_first_token_seconds_bucket{${rank},le="+Inf"} 2.0\n`)
    expect(text).toContain('vllm:generation_tokens_total{engine="0",model_name="m"} 0.0\n')
    expect(text).toContain('vllm:cache_config_info{block_size="16",num_gpu_blocks="16384"')
  })

  test('load and version answer', async () => {
    const { send } = createVirtualWorker()
    expect((await send('/load')).text).toBe('{"server_load":0}')
    expect((await send('/version')).text).toBe('{"version":"0.32.0"}')
  })
})

describe('refusals', () => {
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
})

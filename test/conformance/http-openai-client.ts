// The `openai` package as client.

import OpenAI, { toFile } from 'openai'
import { describe, expect, test } from 'vitest'
import { until } from '../support/launch.ts'
import { type ClientBench, INBOUND_KEY, MODEL, SLOW_MODEL } from './client-bench.ts'
import { DEATHS } from './stream-bench.ts'

const messages = [{ role: 'user' as const, content: 'hello' }]

const WEATHER = {
  name: 'get_weather',
  description: 'Weather at a place',
  parameters: { type: 'object', properties: { place: { type: 'string' }, days: { type: 'integer' } } },
}

type Connect = (apiKey?: string) => OpenAI

export function openAiClient(bench: ClientBench): void {
  const connect: Connect = (apiKey = INBOUND_KEY) =>
    new OpenAI({ baseURL: `${bench.fleet.url}/v1`, apiKey, maxRetries: 0, logLevel: 'off' })
  describe('openai', () => {
    answers(connect)
    tools(connect)
    storedResponses(bench, connect)
    files(bench, connect)
    aborts(bench, connect)
    errors(bench, connect)
    cutStreams(bench, connect)
  })
}

function answers(connect: Connect): void {
  test('chat, whole and as a stream: the same words', async () => {
    const whole = await connect().chat.completions.create({ model: MODEL, messages })
    const words = whole.choices[0]?.message.content ?? ''
    expect(words).not.toBe('')
    expect(whole.usage?.completion_tokens).toBe(8)
    const stream = await connect().chat.completions.create({
      model: MODEL,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })
    let streamed = ''
    let finish: string | null = null
    let tokens = 0
    for await (const part of stream) {
      streamed += part.choices[0]?.delta.content ?? ''
      finish = part.choices[0]?.finish_reason ?? finish
      tokens = part.usage?.completion_tokens ?? tokens
    }
    expect({ streamed, finish, tokens }).toEqual({ streamed: words, finish: 'stop', tokens: 8 })
  })

  test('completions, with several choices', async () => {
    const { choices } = await connect().completions.create({ model: MODEL, prompt: 'hello', n: 2 })
    expect(choices.map(({ finish_reason }) => finish_reason)).toEqual(['stop', 'stop'])
    const stream = await connect().completions.create({ model: MODEL, prompt: 'hello', stream: true })
    let streamed = ''
    for await (const part of stream) streamed += part.choices[0]?.text ?? ''
    expect(streamed).toBe(choices[0]?.text)
  })

  test('embeddings, as numbers and in base64', async () => {
    const floats = await connect().embeddings.create({ model: MODEL, input: ['one', 'two'], encoding_format: 'float' })
    expect(floats.data.map(({ embedding }) => embedding.length)).toEqual([64, 64])
    // Without an encoding the client asks for base64 and unpacks it.
    const packed = await connect().embeddings.create({ model: MODEL, input: ['one', 'two'] })
    expect(packed.data[1]?.embedding[3]).toBeCloseTo(floats.data[1]?.embedding[3] ?? Number.NaN, 5)
  })

  test('models: the union over workers, and one by an id with a slash', async () => {
    const ids: string[] = []
    for await (const model of connect().models.list()) ids.push(model.id)
    expect(ids.sort()).toEqual([MODEL, 'org/chat-lora', SLOW_MODEL])
    expect(await connect().models.retrieve('org/chat-lora')).toMatchObject({ id: 'org/chat-lora', owned_by: 'vllm' })
    await expect(connect().models.retrieve('org/none')).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  })
}

function tools(connect: Connect): void {
  const request = { model: MODEL, messages, tools: [{ type: 'function' as const, function: WEATHER }] }

  test('a tool call, and the answer to its result', async () => {
    const asked = await connect().chat.completions.create({ ...request, tool_choice: 'required' })
    const message = asked.choices[0]?.message
    const call = message?.tool_calls?.[0]
    if (message === undefined || call?.type !== 'function') throw new Error('no tool call')
    expect(asked.choices[0]?.finish_reason).toBe('tool_calls')
    expect(call.function.name).toBe('get_weather')
    expect(JSON.parse(call.function.arguments)).toEqual({ place: 'sea', days: 7 })
    const result = { role: 'tool' as const, tool_call_id: call.id, content: '{"sky":"blue"}' }
    const told = await connect().chat.completions.create({ ...request, messages: [...messages, message, result] })
    expect(told.choices[0]?.message.content).not.toBe('')
  })

  test('a streamed tool call: its arguments come in pieces and make one document', async () => {
    const runner = connect().chat.completions.stream({ ...request, tool_choice: 'required' })
    let pieces = 0
    runner.on('tool_calls.function.arguments.delta', () => pieces++)
    const final = await runner.finalChatCompletion()
    const call = final.choices[0]?.message.tool_calls?.[0]
    expect(call?.type === 'function' ? JSON.parse(call.function.arguments) : null).toEqual({ place: 'sea', days: 7 })
    expect(pieces).toBeGreaterThan(1)
  })
}

function storedResponses(bench: ClientBench, connect: Connect): void {
  const seen = () => bench.workers().map((worker) => worker.state().requests.map(({ target }) => target))

  test('responses: later requests go to the worker that made one', async () => {
    const client = connect()
    for (let round = 0; round < 3; round++) {
      const first = await client.responses.create({ model: MODEL, input: 'hello' })
      const second = await client.responses.create({ model: MODEL, input: 'go on', previous_response_id: first.id })
      // Any other worker would answer 404 to the id of the first.
      expect(second.previous_response_id).toBe(first.id)
      expect((await client.responses.retrieve(first.id)).id).toBe(first.id)
      expect((await client.responses.retrieve(second.id)).output_text).toBe(second.output_text)
      await client.responses.delete(first.id)
      await expect(client.responses.retrieve(first.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
    }
    const makers = seen().filter((targets) => targets.includes('/v1/responses'))
    expect(makers.length).toBeGreaterThan(1)
  })

  test('responses: one made by a stream is found again', async () => {
    const client = connect()
    for (let round = 0; round < 3; round++) {
      const stream = client.responses.stream({ model: MODEL, input: 'hello' })
      let events = 0
      for await (const event of stream) events += event.type === 'response.output_text.delta' ? 1 : 0
      expect(events).toBeGreaterThan(3)
      const { id, output_text } = await stream.finalResponse()
      expect((await client.responses.retrieve(id)).output_text).toBe(output_text)
    }
  })

  test('responses: one in the background is cancelled where it runs', async () => {
    const client = connect()
    const { id } = await client.responses.create({ model: SLOW_MODEL, input: 'hello', background: true, store: true })
    expect((await client.responses.cancel(id)).status).toBe('cancelled')
    await bench.untilAborted()
    expect((await client.responses.retrieve(id)).status).toBe('cancelled')
  })

  test('responses: an unknown id is a 404 in OpenAI’s shape, and no worker is asked', async () => {
    const client = connect()
    const calls = [
      () => client.responses.retrieve('resp_none'),
      () => client.responses.delete('resp_none'),
      () => client.responses.cancel('resp_none'),
      () => client.responses.create({ model: MODEL, input: 'x', previous_response_id: 'resp_none' }),
    ]
    for (const call of calls) {
      const error: unknown = await call().then(String, (cause: unknown) => cause)
      expect(error).toBeInstanceOf(OpenAI.NotFoundError)
      expect(error).toMatchObject({ status: 404, code: 'response_not_found', type: 'not_found_error' })
    }
    expect(seen().flat()).toEqual([])
  })
}

function files(bench: ClientBench, connect: Connect): void {
  test('transcription and translation: the file arrives whole', async () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256)
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex')
    for (const api of ['transcriptions', 'translations'] as const) {
      const file = await toFile(bytes, 'speech.wav', { type: 'audio/wav' })
      const heard: unknown = await connect().audio[api].create({ model: MODEL, file })
      expect(heard).toMatchObject({ sha256: digest, size: bytes.length, filename: 'speech.wav' })
    }
    const targets = bench.fleet.calls().map(({ target }) => target)
    expect(targets).toEqual(expect.arrayContaining(['/v1/audio/transcriptions', '/v1/audio/translations']))
  })

  // A router that refuses an upload in the middle of it breaks the connection before the client reads why.
  test('a transcription for an unknown model is refused, and the client learns why', async () => {
    for (const size of [1_000, 2_000_000]) {
      const refused = Array.from({ length: 12 }, async () => {
        const file = await toFile(new Uint8Array(size), 'speech.wav')
        await expect(connect().audio.transcriptions.create({ model: 'none', file })).rejects.toMatchObject({
          status: 404,
          code: 'model_not_found',
        })
      })
      await Promise.all(refused)
    }
  })
}

function aborts(bench: ClientBench, connect: Connect): void {
  test.each(['abort', 'break'] as const)('leaving a stream by %s: the worker runs nothing any more', async (how) => {
    const stream = await connect().chat.completions.create({ model: SLOW_MODEL, messages, stream: true })
    for await (const _ of stream) {
      if (how === 'abort') stream.controller.abort()
      else break
    }
    await bench.untilAborted()
  })

  test('an aborted call raises APIUserAbortError', async () => {
    await bench.fail({ slow_headers_ms: 300 })
    const controller = new AbortController()
    const call = connect().chat.completions.create({ model: MODEL, messages }, { signal: controller.signal })
    await until(
      () => bench.fleet.calls().length === 1,
      5_000,
      () => 'the request did not arrive',
    )
    controller.abort()
    await expect(call).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
  })
}

function errors(bench: ClientBench, connect: Connect): void {
  const chat = (client: OpenAI) => client.chat.completions.create({ model: MODEL, messages })

  test('a wrong key', async () => {
    await expect(chat(connect('application-key-2'))).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
    await expect(connect('x').models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
    expect(bench.fleet.calls()).toEqual([])
  })

  test('an unknown model', async () => {
    const call = connect().chat.completions.create({ model: 'gpt-none', messages })
    await expect(call).rejects.toBeInstanceOf(OpenAI.NotFoundError)
    await expect(call).rejects.toMatchObject({ code: 'model_not_found', param: 'model', type: 'not_found_error' })
    await expect(call).rejects.toMatchObject({ requestID: expect.stringMatching(/^req-/) })
  })

  test("a worker's own refusal of a field", async () => {
    const call = connect().chat.completions.create({ model: MODEL, messages, max_tokens: -1 })
    await expect(call).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    await expect(call).rejects.toMatchObject({ type: 'BadRequestError' })
  })

  test.each([
    [400, OpenAI.BadRequestError],
    [401, OpenAI.AuthenticationError],
    [403, OpenAI.PermissionDeniedError],
    [404, OpenAI.NotFoundError],
    [409, OpenAI.ConflictError],
    [422, OpenAI.UnprocessableEntityError],
    [429, OpenAI.RateLimitError],
    [500, OpenAI.InternalServerError],
    [503, OpenAI.InternalServerError],
  ] as const)('a worker that answers %d, to a call and to a stream', async (status, kind) => {
    await bench.fail({ status, message: 'Not today.' })
    await expect(chat(connect())).rejects.toBeInstanceOf(kind)
    const stream = connect().chat.completions.create({ model: MODEL, messages, stream: true })
    await expect(stream).rejects.toBeInstanceOf(kind)
    await expect(stream).rejects.toMatchObject({ status, message: expect.stringContaining('Not today.') })
  })

  test('a web page in place of a stream', async () => {
    await bench.fail({ html_200: true })
    const call = connect().chat.completions.create({ model: MODEL, messages, stream: true })
    await expect(call).rejects.toBeInstanceOf(OpenAI.InternalServerError)
    await expect(call).rejects.toMatchObject({ status: 502, code: 'upstream_invalid' })
  })
}

function cutStreams(bench: ClientBench, connect: Connect): void {
  test.each(DEATHS)('a stream that is cut raises: %s', async (mode) => {
    await bench.fail({ die_mid_stream: { after_events: 4, mode } })
    const open = [
      () => connect().chat.completions.create({ model: MODEL, messages, stream: true }),
      () => connect().completions.create({ model: MODEL, prompt: 'hello', stream: true }),
      () => connect().responses.create({ model: MODEL, input: 'hello', stream: true }),
    ]
    for (const create of open) {
      const stream: AsyncIterable<unknown> = await create()
      await expect(drain(stream)).rejects.toBeInstanceOf(OpenAI.APIError)
    }
  })

  test("a worker's error in the stream raises", async () => {
    await bench.fail({ error_in_stream: { after_events: 2 } })
    const stream = await connect().chat.completions.create({ model: MODEL, messages, stream: true })
    await expect(drain(stream)).rejects.toThrow('Simulated engine failure.')
  })
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

// The `@anthropic-ai/sdk` package as client, on vLLM's own Anthropic routes. It sends its key as `x-api-key`.

import Anthropic from '@anthropic-ai/sdk'
import { describe, expect, test } from 'vitest'
import { until } from '../support/launch.ts'
import { type ClientBench, INBOUND_KEY, MODEL, SLOW_MODEL } from './client-bench.ts'
import { DEATHS } from './stream-bench.ts'

const request = { model: MODEL, max_tokens: 8, messages: [{ role: 'user' as const, content: 'hello' }] }

type Connect = (apiKey?: string) => Anthropic

export function anthropicClient(bench: ClientBench): void {
  const connect: Connect = (apiKey = INBOUND_KEY) =>
    new Anthropic({ baseURL: bench.fleet.url, apiKey, maxRetries: 0, logLevel: 'off' })
  describe('anthropic', () => {
    answers(connect)
    errors(bench, connect)
    streams(bench, connect)
  })
}

function answers(connect: Connect): void {
  test('messages, whole and as a stream: the same words', async () => {
    const whole = await connect().messages.create(request)
    const [block] = whole.content
    expect(block?.type === 'text' ? block.text : '').not.toBe('')
    const stream = connect().messages.stream(request)
    let streamed = ''
    stream.on('text', (text) => (streamed += text))
    const final = await stream.finalMessage()
    expect(streamed).toBe(block?.type === 'text' ? block.text : null)
    expect(final.stop_reason).toBe(whole.stop_reason)
    expect(final.usage.output_tokens).toBe(whole.usage.output_tokens)
  })

  test('a tool is used', async () => {
    const input_schema = { type: 'object' as const, properties: { place: { type: 'string' } } }
    const tools = [{ name: 'get_weather', input_schema }]
    const asked = await connect().messages.create({ ...request, max_tokens: 64, tools, tool_choice: { type: 'any' } })
    expect(asked.content[0]).toMatchObject({ type: 'tool_use', name: 'get_weather', input: { place: 'sea' } })
    expect(asked.stop_reason).toBe('tool_use')
  })

  test('tokens are counted', async () => {
    const { input_tokens } = await connect().messages.countTokens({ model: MODEL, messages: request.messages })
    expect(input_tokens).toBeGreaterThan(0)
  })
}

function errors(bench: ClientBench, connect: Connect): void {
  test('a wrong key, on both routes', async () => {
    const client = connect('application-key-2')
    await expect(client.messages.create(request)).rejects.toBeInstanceOf(Anthropic.AuthenticationError)
    const count = client.messages.countTokens({ model: MODEL, messages: request.messages })
    await expect(count).rejects.toBeInstanceOf(Anthropic.AuthenticationError)
    expect(bench.fleet.calls()).toEqual([])
  })

  test('an unknown model', async () => {
    const call = connect().messages.create({ ...request, model: 'claude-none' })
    await expect(call).rejects.toBeInstanceOf(Anthropic.NotFoundError)
    await expect(call).rejects.toMatchObject({ error: { type: 'error', error: { type: 'not_found_error' } } })
  })

  test.each([
    [400, Anthropic.BadRequestError],
    [401, Anthropic.AuthenticationError],
    [404, Anthropic.NotFoundError],
    [422, Anthropic.UnprocessableEntityError],
    [429, Anthropic.RateLimitError],
    [500, Anthropic.InternalServerError],
    [529, Anthropic.InternalServerError],
  ] as const)('a worker that answers %d, to a call and to a stream', async (status, kind) => {
    await bench.fail({ status, message: 'Not today.' })
    await expect(connect().messages.create(request)).rejects.toBeInstanceOf(kind)
    await expect(connect().messages.create({ ...request, stream: true })).rejects.toBeInstanceOf(kind)
  })
}

function streams(bench: ClientBench, connect: Connect): void {
  test.each(DEATHS)('a stream that is cut raises: %s', async (mode) => {
    await bench.fail({ die_mid_stream: { after_events: 4, mode } })
    // Plain iteration, which ignores everything but `event: error`.
    await expect(drain(await connect().messages.create({ ...request, stream: true }))).rejects.toBeInstanceOf(
      Anthropic.APIError,
    )
    await expect(connect().messages.stream(request).finalMessage()).rejects.toBeInstanceOf(Anthropic.APIError)
  })

  test('a web page in place of a stream raises', async () => {
    await bench.fail({ html_200: true })
    const call = connect().messages.create({ ...request, stream: true })
    await expect(call).rejects.toBeInstanceOf(Anthropic.InternalServerError)
    await expect(call).rejects.toMatchObject({ status: 502 })
  })

  test('abort in mid-stream: the worker runs nothing any more', async () => {
    const stream = await connect().messages.create({ ...request, model: SLOW_MODEL, max_tokens: 1_000, stream: true })
    for await (const _ of stream) break
    await bench.untilAborted()
    await until(
      () => bench.fleet.router.records().some((record) => record['stream_end'] === 'client_aborted'),
      2_000,
      () => 'no record says that the client left',
    )
  })
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

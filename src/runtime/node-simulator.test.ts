// Simulated workers over real sockets: every fault as a client sees it, clients that leave, and real clients.

import { connect } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import Anthropic from '@anthropic-ai/sdk'
import { createParser } from 'eventsource-parser'
import OpenAI from 'openai'
import { afterEach, describe, expect, test } from 'vitest'
import type { FaultRuleInput } from '../simulator/fault-schema.ts'
import type { SimulatedWorkerOptions } from '../simulator/options.ts'
import { startSimulatedWorker } from './node-simulator.ts'
import type { StartedWorker } from './node-simulator.ts'

const FAST = { port: 0, models: ['m'], prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs: 0, outputTokens: 6 }
const MESSAGES = [{ role: 'user' as const, content: 'Hi' }]
const started: StartedWorker[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((worker) => worker.close()))
})

async function start(options: Partial<SimulatedWorkerOptions> = {}): Promise<StartedWorker> {
  const worker = await startSimulatedWorker({ ...FAST, ...options })
  started.push(worker)
  return worker
}

function chat(worker: StartedWorker, fields: object = {}, init: RequestInit = {}): Promise<Response> {
  const body = JSON.stringify({ model: 'm', messages: MESSAGES, ...fields })
  const headers = { 'content-type': 'application/json', ...init.headers }
  return fetch(`${worker.url}/v1/chat/completions`, { method: 'POST', body, ...init, headers })
}

/** The bytes of one answer as they come over the wire, and how the connection ended. */
async function raw(worker: StartedWorker, fields: object): Promise<{ text: string; ending: string }> {
  const body = JSON.stringify({ model: 'm', messages: MESSAGES, ...fields })
  const socket = connect(worker.port, '127.0.0.1')
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-type: application/json\r\n' +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  const ending = await new Promise<string>((resolve) => {
    socket.on('end', () => resolve('fin'))
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message))
  })
  socket.destroy()
  return { text, ending }
}

/** Polls without a fixed wait: the worker learns of a closed socket a moment after the client closes it. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}

const eventCount = (text: string): number => text.split('data: ').length - 1
const IS_FINAL_CHUNK = /\r\n0\r\n\r\n$/

describe('answers', () => {
  test('a stream goes out chunked, as uvicorn sends it', async () => {
    const worker = await start()
    const { text, ending } = await raw(worker, { stream: true })
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text\/event-stream; charset=utf-8\r\n/)
    expect(text).toContain('Transfer-Encoding: chunked')
    expect(text).toMatch(IS_FINAL_CHUNK)
    expect(text.match(/data: /g)).toHaveLength(8)
    expect(ending).toBe('fin')
  })

  test('headers of a stream come before the first token', async () => {
    const worker = await start({ prefillOverheadMs: 60_000 })
    const client = new AbortController()
    const response = await chat(worker, { stream: true }, { signal: client.signal })
    expect(response.status).toBe(200)
    expect(worker.state().running).toBe(1)
    client.abort()
  })

  test('a request is logged as it came', async () => {
    const worker = await start()
    await chat(worker, {}, { headers: { 'x-request-id': 'abc' } })
    await fetch(`${worker.url}/v1/models?b=2&a=%20`)
    const { requests, requestsSeen } = worker.state()
    expect(requestsSeen).toBe(2)
    expect(requests[1]).toMatchObject({ method: 'GET', target: '/v1/models?b=2&a=%20', bodyBytes: 0 })
    expect(requests[0]).toMatchObject({
      body: '{"model":"m","messages":[{"role":"user","content":"Hi"}]}',
      headers: { 'x-request-id': 'abc' },
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(await (await fetch(`${worker.url}/sim/state`)).json()).toEqual(worker.state())
  })

  test('a port that is taken is an error, and leaves nothing running', async () => {
    const { port } = await start()
    await expect(startSimulatedWorker({ ...FAST, port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    const free = await start()
    await free.close()
    await expect(startSimulatedWorker({ ...FAST, port: free.port, controlPort: port })).rejects.toThrow('EADDRINUSE')
    await expect(chat(free)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  })

  test('many workers in one process keep apart', async () => {
    const [one, two] = await Promise.all([start({ seed: 1 }), start({ seed: 2 })])
    await chat(one)
    expect([one.state().requestsSeen, two.state().requestsSeen]).toEqual([1, 0])
  })
})

describe('clients that leave', () => {
  test.each([true, false])('free the slot at once and are counted (stream: %s)', async (stream) => {
    const worker = await start({ itlMs: 60_000, maxNumSeqs: 1 })
    const client = new AbortController()
    const pending = chat(worker, { stream }, { signal: client.signal }).then((response) => response.text())
    const waiting = chat(worker, { max_tokens: 1 })
    await until(() => worker.state().running === 1 && worker.state().waiting === 1)
    client.abort()
    await expect(pending).rejects.toThrow()
    expect((await waiting).status).toBe(200)
    expect(worker.state()).toMatchObject({ running: 0, waiting: 0, aborted: 1, disconnects: 1 })
  })

  test('a slow reader holds back the worker, not its engine', async () => {
    const worker = await start({ maxModelLen: 1_000_000 })
    const response = await chat(worker, { stream: true, max_tokens: 30_000, ignore_eos: true })
    await until(() => worker.state().finished.length === 1)
    expect(eventCount(await response.text())).toBe(30_002)
    expect(worker.state().disconnects).toBe(0)
  })
})

describe('faults before the answer', () => {
  test('refuse: no connection until cleared', async () => {
    const worker = await start({ controlPort: 0 })
    await chat(worker)
    await fetch(`${worker.url}/sim/faults`, post({ refuse: true }))
    await expect(chat(worker)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    expect((await fetch(`${worker.controlUrl}/sim/state`)).status).toBe(200)
    expect((await fetch(`${worker.controlUrl}/health`)).status).toBe(404)
    await fetch(`${worker.controlUrl}/sim/faults`, { method: 'DELETE' })
    expect((await chat(worker)).status).toBe(200)
  })

  test('refuse: a stream under way goes on, and its connection is not used again', async () => {
    const worker = await start({ itlMs: 5, outputTokens: 10 })
    const response = await chat(worker, { stream: true })
    await worker.setFaults({ refuse: true })
    expect(eventCount(await response.text())).toBe(12)
    await expect(chat(worker)).rejects.toThrow()
  })

  test('refuse: a connection that was opened ahead and not used yet is closed', async () => {
    const worker = await start()
    const socket = connect(worker.port, '127.0.0.1')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => {})
    await new Promise((resolve) => socket.once('connect', resolve))
    // The worker has accepted it once another client is served.
    await chat(worker)
    await worker.setFaults({ refuse: true })
    await closed
  })

  test('refuse_ms: comes back by itself', async () => {
    const worker = await start()
    await worker.setFaults({ refuse: true, refuse_ms: 20 })
    await expect(chat(worker)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    await until(() => worker.state().faults.length === 0)
    await worker.setFaults([])
    expect((await chat(worker)).status).toBe(200)
  })

  test('hang: accepts and never answers', async () => {
    const worker = await start({ faults: [{ hang: true }] })
    const signal = AbortSignal.timeout(30)
    await expect(chat(worker, {}, { signal })).rejects.toThrow('timeout')
    await until(() => worker.state().disconnects === 1)
    expect(worker.state().requestsSeen).toBe(1)
  })

  test('slow_headers_ms: the answer comes late', async () => {
    const worker = await start({ faults: [{ slow_headers_ms: 30 }] })
    const before = performance.now()
    expect((await chat(worker, { stream: true })).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThanOrEqual(29)
  })

  test('die_before_headers: reset', async () => {
    const worker = await start({ faults: [{ die_before_headers: true }] })
    expect(await raw(worker, {})).toEqual({ text: '', ending: 'ECONNRESET' })
    expect(worker.state().disconnects).toBe(0)
  })

  test('status: an error in the shape of the route', async () => {
    const worker = await start({ faults: [{ status: 503, retry_after: 7 }] })
    const response = await chat(worker)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7'])
    const error = { message: 'Simulated failure.', type: 'ServiceUnavailableError', param: null, code: 503 }
    expect(await response.json()).toEqual({ error })
    const anthropic = await fetch(`${worker.url}/v1/messages`, post({}))
    expect(await anthropic.json()).toMatchObject({ type: 'error', error: { type: 'ServiceUnavailableError' } })
  })

  test('rate: the same requests fail for the same seed', async () => {
    const statuses = async (): Promise<number[]> => {
      const worker = await start({ seed: 5, faults: [{ status: 500, rate: 0.3 }] })
      const answers: number[] = []
      for (let count = 0; count < 40; count++) answers.push((await chat(worker)).status)
      return answers
    }
    const first = await statuses()
    expect(await statuses()).toEqual(first)
    expect(first.filter((status) => status === 500).length).toBeGreaterThan(5)
    expect(first.filter((status) => status === 200).length).toBeGreaterThan(20)
  })

  test.each<[string, FaultRuleInput, number[]]>([
    ['times', { times: 2 }, [500, 500, 200]],
    ['match', { match: 'needle' }, [200, 500, 200]],
    ['path', { path: '/v1/models' }, [200, 200, 200]],
  ])('%s narrows a rule', async (_, narrowing, expected) => {
    const worker = await start({ faults: [{ status: 500, ...narrowing }] })
    const statuses: number[] = []
    for (const user of ['a', 'needle', 'b']) statuses.push((await chat(worker, { user })).status)
    expect(statuses).toEqual(expected)
    expect((await fetch(`${worker.url}/v1/models`)).status).toBe('path' in narrowing ? 500 : 200)
  })

  test('the header asks for a fault only where allowed', async () => {
    const headers = { 'x-sim-fault': '{"status":429}' }
    expect((await chat(await start({ allowRequestFaults: true }), {}, { headers })).status).toBe(429)
    expect((await chat(await start(), {}, { headers })).status).toBe(200)
  })
})

describe('faults in a stream', () => {
  test.each([
    ['rst', 'ECONNRESET', false],
    ['fin', 'fin', false],
    ['clean', 'fin', true],
    ['done_without_finish', 'fin', true],
    ['mid_event', 'fin', false],
  ] as const)('die_mid_stream %s ends with %s', async (mode, expected, isWhole) => {
    const worker = await start({ faults: [{ die_mid_stream: { after_events: 3, mode } }] })
    const { text, ending } = await raw(worker, { stream: true })
    expect(ending).toBe(expected)
    expect(IS_FINAL_CHUNK.test(text)).toBe(isWhole)
    expect(eventCount(text)).toBe(mode === 'done_without_finish' || mode === 'mid_event' ? 4 : 3)
    expect(text.includes('[DONE]')).toBe(mode === 'done_without_finish')
    expect(text).not.toMatch(/"finish_reason":"/)
    if (mode === 'mid_event') expect(text).toMatch(/data: \{[^\n]*[^}]\r\n$/)
    expect(worker.state()).toMatchObject({ running: 0, aborted: 1, disconnects: 0 })
  })

  test('stall_mid_stream: silent for ever, with the slot taken, until the client goes', async () => {
    const worker = await start({ faults: [{ stall_mid_stream: { after_events: 2 } }] })
    const response = await chat(worker, { stream: true }, { signal: AbortSignal.timeout(40) })
    await expect(response.text()).rejects.toThrow()
    await until(() => worker.state().running === 0)
    expect(worker.state()).toMatchObject({ aborted: 1, disconnects: 1 })
  })

  test.each([0, 3, 7])('stall_mid_stream with for_ms goes on where it stopped (after %i)', async (after_events) => {
    const worker = await start({ faults: [{ stall_mid_stream: { after_events, for_ms: 20 } }] })
    const before = performance.now()
    expect(eventCount(await (await chat(worker, { stream: true })).text())).toBe(8)
    expect(performance.now() - before).toBeGreaterThanOrEqual(19)
  })

  test('error_in_stream: an error event, then the terminator', async () => {
    const worker = await start({ faults: [{ error_in_stream: { after_events: 2 } }] })
    const text = await (await chat(worker, { stream: true })).text()
    const events = text.split('\n\n').filter(Boolean)
    expect(events).toHaveLength(4)
    expect(events[2]).toMatch(
      /^data: \{"error":\{"message":".+","type":"InternalServerError","param":null,"code":500\}\}$/,
    )
    expect(events[3]).toBe('data: [DONE]')
  })

  test('html_200: a page instead of a stream', async () => {
    const worker = await start({ faults: [{ html_200: true }] })
    const response = await chat(worker, { stream: true })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  })
})

describe('spoiled answers', () => {
  test.each([true, false])('gzip: compressed, asked for or not (stream: %s)', async (stream) => {
    const worker = await start({ faults: [{ gzip: true }] })
    const response = await chat(worker, { stream }, { headers: { 'accept-encoding': 'identity' } })
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(await response.text()).toContain('chatcmpl-')
  })

  test('truncated_json: less than was promised', async () => {
    const worker = await start({ faults: [{ truncated_json: true }] })
    const { text, ending } = await raw(worker, {})
    const [head = '', body = ''] = text.split('\r\n\r\n')
    expect(ending).toBe('fin')
    expect(Number(/content-length: (\d+)/.exec(head)?.[1])).toBe(body.length + 64)
  })

  test('extra_headers: cookies, bytes that are not ASCII, names from inside', async () => {
    const worker = await start({ faults: [{ extra_headers: true }] })
    const { headers } = await chat(worker)
    expect(headers.getSetCookie()).toHaveLength(2)
    expect(Buffer.from(headers.get('x-note') ?? '', 'latin1').toString('utf8')).toBe('café ✓')
    expect(headers.get('x-internal')).toContain('internal')
  })

  test('health: 503 with an empty body, while inference goes on', async () => {
    const worker = await start({ faults: [{ health: 503 }] })
    const response = await fetch(`${worker.url}/health`)
    expect([response.status, await response.text()]).toEqual([503, ''])
    expect((await chat(worker)).status).toBe(200)
  })

  test('a fault that nobody knows is refused', async () => {
    const worker = await start()
    const response = await fetch(`${worker.url}/sim/faults`, post({ explode: true }))
    expect(response.status).toBe(400)
    expect(worker.state().faults).toEqual([])
  })
})

describe('real clients', () => {
  const clientOf = (worker: StartedWorker) => new OpenAI({ baseURL: `${worker.url}/v1`, apiKey: 'k', maxRetries: 0 })
  const parameters = { type: 'object', properties: { city: { type: 'string' } } }
  const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }]

  test('openai: chat, whole and streamed', async () => {
    const client = clientOf(await start({ apiKey: 'k' }))
    const whole = await client.chat.completions.create({ model: 'm', messages: MESSAGES })
    const stream = client.chat.completions.stream({
      model: 'm',
      messages: MESSAGES,
      stream_options: { include_usage: true },
    })
    const streamed = await stream.finalChatCompletion()
    expect(streamed.choices[0]?.message.content).toBe(whole.choices[0]?.message.content)
    expect(streamed.usage?.completion_tokens).toBe(6)
  })

  test('openai: tools, whole and streamed', async () => {
    const client = clientOf(await start())
    const request = { model: 'm', messages: MESSAGES, tools, tool_choice: 'required' as const }
    const whole = await client.chat.completions.create(request)
    const streamed = await client.chat.completions.stream(request).finalChatCompletion()
    for (const { choices } of [whole, streamed]) {
      expect(choices[0]?.finish_reason).toBe('tool_calls')
      expect(choices[0]?.message.tool_calls).toMatchObject([
        { function: { name: 'weather', arguments: '{"city":"sea"}' } },
      ])
    }
  })

  test('openai: embeddings (asks for base64), responses, models, audio', async () => {
    const client = clientOf(await start())
    const { data } = await client.embeddings.create({ model: 'm', input: 'Hi' })
    expect(Math.hypot(...(data[0]?.embedding ?? []))).toBeCloseTo(1)
    const made = await client.responses.create({ model: 'm', input: 'Hi' })
    expect((await client.responses.retrieve(made.id)).output_text).toBe(made.output_text)
    const events = await client.responses.create({ model: 'm', input: 'Hi', stream: true })
    const types: string[] = []
    for await (const event of events) types.push(event.type)
    expect(types.at(-1)).toBe('response.completed')
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['m'])
    const file = new File(['sound'], 'a.wav')
    expect((await client.audio.transcriptions.create({ model: 'm', file })).text).not.toBe('')
  })

  test('anthropic: messages, whole and streamed, and a count', async () => {
    const worker = await start({ apiKey: 'k' })
    // vLLM knows no x-api-key; the token goes as a bearer.
    const client = new Anthropic({ baseURL: worker.url, authToken: 'k', apiKey: null, maxRetries: 0 })
    const request = { model: 'm', max_tokens: 50, messages: MESSAGES }
    const whole = await client.messages.create(request)
    const streamed = await client.messages.stream(request).finalMessage()
    expect(streamed.content).toEqual(whole.content)
    expect(streamed).toMatchObject({ stop_reason: 'end_turn', usage: whole.usage })
    expect((await client.messages.countTokens({ model: 'm', messages: MESSAGES })).input_tokens).toBe(5)
  })

  test('eventsource-parser reads every event', async () => {
    const worker = await start()
    const data: string[] = []
    const parser = createParser({ onEvent: (event) => data.push(event.data) })
    const { body } = await chat(worker, { stream: true })
    parser.feed(body === null ? '' : await readText(body))
    expect(data.at(-1)).toBe('[DONE]')
    expect(data.slice(0, -1).map((one) => JSON.parse(one).object)).toEqual(Array(7).fill('chat.completion.chunk'))
  })
})

function post(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

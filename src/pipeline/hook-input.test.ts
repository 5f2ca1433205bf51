import { Secret } from '../secret.ts'
import { describe, expect, test } from 'vitest'
import {
  type Answers,
  bytesOf,
  chat,
  exchangeFor,
  NO_BODY,
  openHookBench,
  refusalOf,
} from '../../test/support/hook-bench.ts'
import type { HookConfig, TenantConfig } from '../config/config.ts'
import { runHooks } from './hooks.ts'
import type { InferenceRequest } from './inference-request.ts'

describe('what a hook is sent', () => {
  async function inputOf(request: InferenceRequest, hook: Partial<HookConfig> = {}, route?: string) {
    const seen: Parameters<Answers>[0][] = []
    const { parts } = openHookBench({ hooks: [hook], answer: (call) => void seen.push(call) })
    await runHooks(parts, exchangeFor(parts, route), request)
    const [call] = seen
    if (call === undefined) throw new Error('the hook was not asked')
    return { text: call.body, kind: call.headers.get('x-vllm-router-hook-input'), headers: call.headers }
  }

  test('the bytes as they came', async () => {
    const text = '{ "seed":12345678901234567890, "model":"m","temperature":1.0 }'
    expect(await inputOf(chat(text))).toMatchObject({ text, kind: 'body' })
  })

  test('metadata on demand, for a form, and where there is no body', async () => {
    const body = { model: 'm', stream: true, messages: ['secret'] }
    const length = JSON.stringify(body).length
    const said = await inputOf(chat(body), { send: 'metadata' })
    expect(said.text).toBe(
      `{"model":"m","route":"/v1/chat/completions","tenant":null,"stream":true,"body_bytes":${length},"content_type":"application/json"}`,
    )
    expect(said.kind).toBe('metadata')

    let isStreamTaken = false
    const form = chat(
      {},
      {
        headers: new Headers({ 'content-type': 'multipart/form-data; boundary=x', 'content-length': '99' }),
        json: null,
        canResend: false,
        bodyFor() {
          isStreamTaken = true
          return new ReadableStream()
        },
        requestedModel: 'whisper',
      },
    )
    expect(JSON.parse((await inputOf(form)).text)).toEqual({
      model: 'whisper',
      route: '/v1/chat/completions',
      tenant: null,
      stream: null,
      body_bytes: 99,
      content_type: 'multipart/form-data; boundary=x',
    })
    expect(isStreamTaken).toBe(false)

    const stored = await inputOf(NO_BODY, {}, '/v1/responses/:id')
    expect(stored.text).toBe(
      '{"model":null,"route":"/v1/responses/:id","tenant":null,"stream":null,"body_bytes":0,"content_type":null}',
    )
  })

  test("metadata has the name of the caller's tenant", async () => {
    const seen: string[] = []
    const { parts } = openHookBench({ hooks: [{ send: 'metadata' }], answer: ({ body }) => void seen.push(body) })
    const exchange = exchangeFor(parts)
    // Hooks read nothing else of it.
    exchange.tenant = { name: 'acme' } as TenantConfig
    await runHooks(parts, exchange, chat({ model: 'm' }))
    expect(JSON.parse(seen[0] ?? '')).toMatchObject({ tenant: 'acme' })
  })

  test('a passed-through body where it is JSON', async () => {
    const passed = (text: string) =>
      inputOf({ ...NO_BODY, bodyFor: () => new TextEncoder().encode(text) }, {}, '/inference/v1/generate')
    expect(await passed('{"model":"a","model":"b"}')).toMatchObject({ kind: 'body', text: '{"model":"a","model":"b"}' })
    expect(await passed('a=b')).toMatchObject({ kind: 'metadata' })
  })

  test("the operator's headers and key, trace context, request id; never the caller's credentials", async () => {
    const request = chat({ model: 'm' })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    for (const [name, value] of [
      ['traceparent', traceparent],
      ['tracestate', 'a=b'],
      ['authorization', 'Bearer caller'],
      ['cookie', 'a=b'],
      ['x-vllm-router-hook-input', 'metadata'],
    ] as const) {
      request.headers.set(name, value)
    }
    const headers = { 'x-team': new Secret('search'), 'content-type': new Secret('text/plain') }
    const hook = { headers, apiKey: new Secret('hook-key') }
    expect(Object.fromEntries((await inputOf(request, hook)).headers)).toEqual({
      'x-team': 'search',
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      'x-request-id': 'req-1',
      traceparent,
      tracestate: 'a=b',
      authorization: 'Bearer hook-key',
      'x-vllm-router-hook-input': 'body',
      'x-vllm-router-hook-route': '/v1/chat/completions',
    })
  })
})

describe('transforms', () => {
  test('the next hook and the request after it have the new body, byte for byte', async () => {
    const body = '{ "model":"other","stream":true,"seed":12345678901234567890,"previous_response_id":"resp_1"}'
    const seen: string[] = []
    const { parts } = openHookBench({
      hooks: [{ mayTransform: true }, {}],
      answer({ url, body: text }) {
        seen.push(text)
        return url.endsWith('hook-1') ? `{"action":"transform","body":${body}}` : { action: 'allow' }
      },
    })
    const exchange = exchangeFor(parts)
    const request = await runHooks(parts, exchange, chat({ model: 'm' }))
    expect(seen).toEqual(['{"model":"m"}', body])
    expect(bytesOf(request)).toBe(body)
    expect(request).toMatchObject({ requestedModel: 'other', wantsStream: true, storedResponseId: 'resp_1' })
    expect(request.json).toMatchObject({ model: 'other' })
    expect(exchange.hooksRan).toEqual(['hook-1:transformed', 'hook-2'])
  })

  test.each([
    ['a model of the wrong type', { model: 7 }, {}, /invalid_request in model/],
    ['a body above the limit', { model: 'm', x: 'x'.repeat(100) }, { maxPayloadBytes: 100 }, /max_payload_size/],
  ])('%s is an error', async (_, body, config, why) => {
    const options = { hooks: [{ mayTransform: true }], answer: () => ({ action: 'transform', body }), config }
    const { parts, failures } = openHookBench(options)
    const exchange = exchangeFor(parts)
    const request = chat({ model: 'm' })
    expect(await runHooks(parts, exchange, request)).toBe(request)
    expect(exchange.hooksRan).toEqual(['hook-1:error'])
    expect(failures).toMatchObject([{ hook: 'hook-1', outcome: 'error', requestId: 'req-1' }])
    expect(failures[0]?.why).toMatch(why)
  })

  test('of a body the hook was not shown is an error', async () => {
    const { parts } = openHookBench({
      hooks: [{ mayTransform: true, send: 'metadata', onError: 'block' }],
      answer: () => ({ action: 'transform', body: { model: 'm' } }),
    })
    expect((await refusalOf(runHooks(parts, exchangeFor(parts), chat({ model: 'm' })))).code).toBe('hook_failed')
  })
})

// Tenants' limits through a whole router in this process: what is charged on every way a request can end, and what the
// caller and the worker get to see.

import { describe, expect, test } from 'vitest'
import {
  type InProcessRouter,
  inProcessRouter,
  sendFailure,
  type UpstreamCall,
} from '../../test/support/in-process-router.ts'

const KEY = 'tenant-key-1'
const PER_MINUTE = 60_000

const config = (limits: string) => `
workers: [{id: a, url: "http://a:1", models: [m]}]
retry: {max_retries: 0}
api_keys:
  - {name: team, key: ${KEY}${limits === '' ? '' : `, ${limits}`}}
  - {name: free, key: tenant-key-2}
`

const BODY = { model: 'm', messages: [{ role: 'user', content: 'hello' }] }
const authorization = (key = KEY) => ({ headers: { authorization: `Bearer ${key}` } })

const USAGE = { prompt_tokens: 100, completion_tokens: 23, total_tokens: 123 }

function json(value: object, status = 200): Response {
  const body = JSON.stringify(value)
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
  })
}

const chunk = (fields: object) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', ...fields })}\n\n`
const MIDDLE = chunk({ choices: [{ index: 0, delta: { content: 'x' }, finish_reason: null }] })
const STOP = chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
const USAGE_CHUNK = chunk({ choices: [], usage: USAGE })
const DONE = 'data: [DONE]\n\n'

function events(...parts: readonly string[]): Response {
  return new Response(parts.join(''), { headers: { 'content-type': 'text/event-stream' } })
}

/** A stream that breaks off after its parts. */
function broken(...parts: readonly string[]): Response {
  const pieces = parts.map((part) => new TextEncoder().encode(part))
  const body = new ReadableStream<Uint8Array>({
    pull(sink) {
      const next = pieces.shift()
      if (next === undefined) sink.error(new Error('reset'))
      else sink.enqueue(next)
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

async function start(limits: string, respond: (call: UpstreamCall) => Promise<Response> | Response) {
  const router = await inProcessRouter(config(limits), async (call) =>
    call.url.endsWith('/tokenize') ? json({ count: 1 }) : respond(call),
  )
  return {
    router,
    chat: (body: object = BODY, init: RequestInit = {}) => router.chat({ ...body }, { ...authorization(), ...init }),
    remaining: () => remaining(router, 'tokens'),
  }
}

/** What a route that costs no tokens says is left. */
async function remaining(router: InProcessRouter, of: 'tokens' | 'requests'): Promise<number> {
  const { response } = await router.post('/tokenize', {
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: '{"model":"m","prompt":"x"}',
  })
  return Number(response.headers.get(`x-ratelimit-remaining-${of}`))
}

describe('tokens are charged', () => {
  const streamed = { ...BODY, stream: true }
  // Of a stream without counts: about the prompt, and one for each event.
  const about = Math.ceil(0.01 * PER_MINUTE)

  test.each<[string, object, () => Response | Promise<Response>, number, number]>([
    ['as the worker counted', BODY, () => json({ choices: [], usage: USAGE }), 123, 123],
    [
      'as counted far from the end of a long answer',
      BODY,
      () => json({ usage: USAGE, more: 'x'.repeat(9_000) }),
      123,
      123,
    ],
    [
      'as counted at the end of one that streams',
      BODY,
      () =>
        new Response(JSON.stringify({ choices: 'x'.repeat(300_000), usage: USAGE }), {
          headers: { 'content-type': 'application/json' },
        }),
      123,
      123,
    ],
    [
      'as counted long before the end of one that streams',
      BODY,
      () =>
        new Response(JSON.stringify({ usage: USAGE, prompt_logprobs: Array(30_000).fill({ 7: { rank: 1 } }) }), {
          headers: { 'content-type': 'application/json' },
        }),
      123,
      123,
    ],
    ['as counted in a stream', streamed, () => events(MIDDLE, STOP, USAGE_CHUNK, DONE), 123, 123],
    ['for a stream that says nothing, by its events', streamed, () => events(MIDDLE, MIDDLE, STOP, DONE), 4, about],
    ['for a stream that breaks off, by its events', streamed, () => broken(MIDDLE, MIDDLE), 2, about],
    ['for one that breaks off after it counted', streamed, () => broken(MIDDLE, STOP, USAGE_CHUNK), 123, 123],
    ['for an answer without counts, as estimated', BODY, () => json({ choices: [] }), 256, 600],
    ['nothing when the worker declines', BODY, () => json({ error: { message: 'too long' } }, 400), 0, 0],
    ['nothing when the worker fails', BODY, () => json({ error: {} }, 500), 0, 0],
    ['nothing when no worker is reached', BODY, () => Promise.reject(sendFailure('not_sent', 'refused')), 0, 0],
    ['nothing for a body that nobody can use', { messages: 1, model: 7 }, () => json({}), 0, 0],
  ])('%s', async (_, body, respond, least, most) => {
    const { chat, remaining: left } = await start(`tokens_per_minute: ${PER_MINUTE}`, () => respond())
    await chat(body).catch(() => {})
    const charged = PER_MINUTE - (await left())
    expect(charged).toBeGreaterThanOrEqual(least)
    expect(charged).toBeLessThanOrEqual(most)
  })

  test('for embeddings and for reranking, whose counts have other names', async () => {
    const { router, remaining: left } = await start(`tokens_per_minute: ${PER_MINUTE}`, ({ url }) =>
      json({ usage: url.endsWith('rerank') ? { total_tokens: 40 } : { prompt_tokens: 7, total_tokens: 7 } }),
    )
    const init = { headers: { ...authorization().headers, 'content-type': 'application/json' }, body: '{"model":"m"}' }
    await router.post('/v1/embeddings', init)
    await router.post('/rerank', init)
    expect(PER_MINUTE - (await left())).toBe(47)
  })

  test('for a client that left in the middle of a stream, by what it got', async () => {
    const { router, remaining: left } = await start(`tokens_per_minute: ${PER_MINUTE}`, () =>
      events(...Array.from({ length: 50 }, () => MIDDLE)),
    )
    const request = new Request('http://router/v1/chat/completions', {
      method: 'POST',
      headers: { ...authorization().headers, 'content-type': 'application/json', 'content-length': '80' },
      body: JSON.stringify(streamed),
    })
    const response = await router.router.fetch(request, { waitUntil: () => {}, rawTarget: null })
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    const charged = PER_MINUTE - (await left())
    expect(charged).toBeGreaterThanOrEqual(20)
    expect(charged).toBeLessThan(100)
  })

  test('while a request runs, by what it asks for', async () => {
    let answer: (response: Response) => void = () => {}
    const { chat, remaining: left } = await start(
      `tokens_per_minute: ${PER_MINUTE}`,
      () => new Promise<Response>((resolve) => (answer = resolve)),
    )
    const running = chat({ ...BODY, max_tokens: 500, n: 2 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    const charged = PER_MINUTE - (await left())
    expect(charged).toBeGreaterThan(1_000)
    expect(charged).toBeLessThan(1_600)
    answer(json({ usage: USAGE }))
    await running
    expect(PER_MINUTE - (await left())).toBe(123)
  })
})

describe('usage is asked for', () => {
  const streamed = { ...BODY, stream: true }

  async function seen(limits: string, body: object, key = KEY) {
    let sent = ''
    const { router } = await start(limits, ({ body: bytes }) => {
      sent = new TextDecoder().decode(bytes as Uint8Array)
      return events(MIDDLE, STOP, USAGE_CHUNK, DONE)
    })
    const { text } = await router.chat({ ...body }, authorization(key))
    return { sent, text, records: router.records() }
  }

  test('where a tenant has a limit on tokens, and its client sees nothing of it', async () => {
    const { sent, text, records } = await seen('tokens_per_minute: 1000', streamed)
    expect(sent).toBe(`{"stream_options":{"include_usage":true},${JSON.stringify(streamed).slice(1)}`)
    expect(text).toBe(MIDDLE + STOP + DONE)
    expect(records.at(-1)?.usage).toEqual(USAGE)
  })

  test('with the model renamed by a rule as well', async () => {
    let sent = ''
    const rules = 'model_rules: [{match: alias, rewrite: m}]\n'
    const router = await inProcessRouter(config('tokens_per_minute: 1000') + rules, async ({ body }) => {
      sent = new TextDecoder().decode(body as Uint8Array)
      return events(MIDDLE, STOP, USAGE_CHUNK, DONE)
    })
    const { text } = await router.chat({ ...streamed, model: 'alias' }, authorization())
    expect(JSON.parse(sent)).toEqual({ ...streamed, stream_options: { include_usage: true } })
    expect(text).toBe(MIDDLE + STOP + DONE)
  })

  test.each([
    [
      'a client that asks itself',
      'tokens_per_minute: 1000',
      { ...streamed, stream_options: { include_usage: true } },
      KEY,
    ],
    ['a tenant without that limit', 'rate_limit_rps: 5', streamed, KEY],
    ['a tenant without limits', 'tokens_per_minute: 1000', streamed, 'tenant-key-2'],
    ['options that no worker takes', 'tokens_per_minute: 1000', { ...streamed, stream_options: 'all' }, KEY],
  ])('not of %s: its bytes pass both ways as they are', async (_, limits, body, key) => {
    const { sent, text } = await seen(limits, body, key)
    expect(sent).toBe(JSON.stringify(body))
    expect(text).toBe(MIDDLE + STOP + USAGE_CHUNK + DONE)
  })

  test('not of a request that does not stream', async () => {
    let sent = ''
    const { chat } = await start('tokens_per_minute: 1000', ({ body }) => {
      sent = new TextDecoder().decode(body as Uint8Array)
      return json({ usage: USAGE })
    })
    await chat()
    expect(sent).toBe(JSON.stringify(BODY))
  })
})

describe('a slot is held until the request ends', () => {
  test.each<[string, () => Response | Promise<Response>]>([
    ['with an answer', () => json({ usage: USAGE })],
    ['with a stream', () => events(MIDDLE, STOP, DONE)],
    ['with a stream that breaks off', () => broken(MIDDLE)],
    ['with a worker that fails', () => json({ error: {} }, 503)],
    ['with nobody reached', () => Promise.reject(sendFailure('maybe_sent', 'reset'))],
  ])('%s', async (_, respond) => {
    const { chat } = await start('max_concurrent: 1', () => respond())
    for (let sent = 0; sent < 3; sent++) {
      const { response } = await chat({ ...BODY, stream: true })
      expect(response.status).not.toBe(429)
    }
  })

  test('and no other passes meanwhile', async () => {
    const { router, chat } = await start('max_concurrent: 1', () => events(MIDDLE, STOP, DONE))
    const request = new Request('http://router/v1/chat/completions', {
      method: 'POST',
      headers: { ...authorization().headers, 'content-type': 'application/json' },
      body: JSON.stringify({ ...BODY, stream: true }),
    })
    const stream = await router.router.fetch(request, { waitUntil: () => {}, rawTarget: null })
    const { response, text } = await chat()
    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(JSON.parse(text).error).toMatchObject({ type: 'rate_limit_error', code: 'rate_limit_exceeded' })
    expect(text).toContain('requests at a time (1)')
    await stream.text()
    expect((await chat()).response.status).toBe(200)
  })
})

test('after any mix of answers, deaths and clients that leave, every slot is free', async () => {
  let hangs = false
  const kinds = [
    () => json({ usage: USAGE }),
    () => json({ error: {} }, 500),
    () => events(MIDDLE, STOP, DONE),
    () => broken(MIDDLE),
    () => Promise.reject(sendFailure('maybe_sent', 'reset')),
  ]
  let at = 0
  const { router, chat } = await start('max_concurrent: 3', () => {
    if (hangs) return new Promise<Response>(() => {})
    at += 1
    return kinds[at % kinds.length]?.() ?? json({})
  })
  const url = 'http://router/v1/chat/completions'
  const headers = { ...authorization().headers, 'content-type': 'application/json' }
  let refused = 0
  for (let round = 0; round < 200; round += 1) {
    await Promise.all(
      [0, 1, 2, 3].map(async (each) => {
        const leaving = new AbortController()
        const body = JSON.stringify({ ...BODY, stream: (round + each) % 2 === 0 })
        const request = new Request(url, { method: 'POST', headers, body, signal: leaving.signal })
        const answer = router.router.fetch(request, { waitUntil: () => {}, rawTarget: null })
        const kind = (round * 7 + each) % 5
        if (kind === 0) leaving.abort()
        const response = await answer
        if (response.status === 429) refused += 1
        if (kind === 1) await response.body?.cancel()
        else if (kind === 2) leaving.abort()
        await response.text().catch(() => {})
      }),
    )
  }
  expect(refused).toBeGreaterThan(0)
  hangs = true
  for (let sent = 0; sent < 3; sent += 1) void chat()
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(router.records().filter(({ status }) => status === 429)).toHaveLength(refused)
  expect((await chat()).response.status).toBe(429)
})

describe('requests beyond the rate', () => {
  test('are refused in the words of the dialect, and leave a record', async () => {
    const { router, chat } = await start('rate_limit_rps: 2', () => json({ usage: USAGE }))
    await chat()
    await chat()
    const { response } = await chat()
    expect(response.status).toBe(429)
    expect(router.records().at(-1)).toMatchObject({ status: 429, error: 'rate_limit_exceeded', tenant: 'team' })
    const { text } = await router.post('/v1/messages', {
      headers: { ...authorization().headers, 'content-type': 'application/json' },
      body: '{}',
    })
    expect(JSON.parse(text)).toMatchObject({ type: 'error', error: { type: 'rate_limit_error' } })
  })

  test('count when they fail, and not when they are refused', async () => {
    const { router, chat } = await start('rate_limit_rps: 4', () => json({ error: {} }, 400))
    await chat()
    await chat({ model: 'nobody-has-this' })
    expect(await remaining(router, 'requests')).toBe(1)
    await chat()
    for (let sent = 0; sent < 5; sent++) expect((await chat()).response.status).toBe(429)
    router.advance(250)
    expect((await chat()).response.status).toBe(400)
  })

  test('are another tenant’s affair', async () => {
    const { router, chat } = await start('rate_limit_rps: 1', () => json({ usage: USAGE }))
    await chat()
    expect((await chat()).response.status).toBe(429)
    const free = await router.chat(BODY, authorization('tenant-key-2'))
    expect(free.response.status).toBe(200)
    expect([...free.response.headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([])
  })
})

describe('headers', () => {
  test('say where the limits stand, on answers and on refusals alike', async () => {
    const { router, chat } = await start('rate_limit_rps: 2, tokens_per_minute: 6000', () => json({ usage: USAGE }))
    const { response } = await chat()
    expect(Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('x-ratelimit')))).toEqual({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '1',
      'x-ratelimit-reset-requests': '500ms',
      'x-ratelimit-limit-tokens': '6000',
      'x-ratelimit-remaining-tokens': '5877',
      'x-ratelimit-reset-tokens': '2s',
    })
    await chat()
    const refused = (await chat()).response
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0')
    expect(refused.headers.get('x-ratelimit-reset-requests')).toBe('1s')
    expect(refused.headers.get('retry-after')).toBe('1')
    router.advance(1_000)
    expect((await chat()).response.headers.get('x-ratelimit-remaining-requests')).toBe('1')
  })

  test('stay where routing is not explained', async () => {
    const router = await inProcessRouter(`${config('rate_limit_rps: 2')}expose_routing_headers: false\n`, async () =>
      json({}),
    )
    const { response } = await router.chat(BODY, authorization())
    expect(response.headers.get('x-ratelimit-limit-requests')).toBe('2')
    expect(response.headers.has('x-vllm-router-worker')).toBe(false)
  })
})

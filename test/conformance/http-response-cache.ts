// The response cache as callers and operators see it: what is given again and to whom, what is never kept, streams, purges,
// and every place that a runtime can keep answers in.

import type { ServerResponse } from 'node:http'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, ask, postJson } from '../support/ask.ts'
import { CACHE_PLACES, type CachePlace } from '../support/cache-places.ts'
import { type HttpWorker, startHttpWorker } from '../support/http-worker.ts'
import { type LaunchedRouter, launchRouter, type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const TIME_MS = 15_000
const CHAT = '/v1/chat/completions'
const KEYS = { acme: 'acme-0123456789', zeta: 'zeta-0123456789', admin: 'admin-0123456789', purger: 'purge-0123456789' }
const as = (tenant: 'acme' | 'zeta') => ({ authorization: `Bearer ${KEYS[tenant]}` })

const TENANTS = [
  { name: 'acme', key: KEYS.acme, allowed_models: ['m', 'alias', 'other'], tokens_per_minute: 1_000_000 },
  { name: 'zeta', key: KEYS.zeta, allowed_models: ['m'] },
]
const ADMINS = {
  admin_api_key: KEYS.admin,
  admin_api_keys: [{ label: 'purger', key: KEYS.purger, scopes: ['cache'] }],
}

/** A test that is tried again finds nothing of its first try. */
let run = 0

/** A request that a cache may answer; `text` tells it from others. */
function body(text: string, more: object = {}): object {
  const messages = [{ role: 'user', content: `${text} ${run}` }]
  return { model: 'm', temperature: 0, max_tokens: 4, messages, ...more }
}

const statusOf = ({ headers }: Answered) => headers.get('x-vllm-router-cache-status')

export function responseCacheConformance(runtime: RuntimeName): void {
  describe(`the response cache on ${runtime}`, () => exactConformance(runtime))
  longAnswersConformance(runtime)
  for (const place of CACHE_PLACES.filter(({ runtimes }) => runtimes.includes(runtime))) {
    placesConformance(runtime, place)
  }
}

function exactConformance(runtime: RuntimeName): void {
  beforeEach(() => void (run += 1))
  const fleet = liveFleet<'sim'>(runtime, {
    workers: { sim: { models: ['m', 'other'], allowRequestFaults: true } },
    config: ({ sim }) => ({
      workers: [{ id: 'sim', url: sim }],
      api_keys: TENANTS,
      ...ADMINS,
      model_rules: [{ match: 'alias', rewrite: 'm' }],
      forward_headers: ['x-sim-fault'],
      retry: { max_retries: 0 },
      cache: { ttl_secs: 600 },
    }),
  })
  const admin = adminClient(() => fleet.url, KEYS.admin)
  const chat = (asked: object, headers: Readonly<Record<string, string>> = {}) =>
    postJson(fleet.url + CHAT, asked, { ...as('acme'), ...headers })
  const worked = () => fleet.calls().length

  /** Sends it twice: what became of each, and how often the worker was asked. */
  async function twice(asked: object, headers: Readonly<Record<string, string>> = {}) {
    const before = worked()
    const answers = [await chat(asked, headers), await chat(asked, headers)] as const
    return { answers, statuses: answers.map(statusOf), asked: worked() - before }
  }

  test('gives the very bytes again, says so, and asks no worker', async () => {
    const { answers, statuses, asked } = await twice(body('again'))
    expect(statuses).toEqual(['miss', 'exact-hit'])
    expect(asked).toBe(1)
    const [first, second] = answers
    expect(second.text).toBe(first.text)
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(second.headers.get('x-vllm-router-method')).toBe('cache-hit')
    expect(second.headers.get('x-vllm-router-worker')).toBeNull()
    expect(second.headers.get('x-vllm-router-policy')).toBeNull()
    expect(second.headers.get('x-vllm-router-attempts')).toBe('0')
    expect(second.headers.get('x-vllm-router-model')).toBe('m')
    expect(Number(second.headers.get('age'))).toBeLessThan(600)
    expect(first.headers.get('age')).toBeNull()
  })

  test('a hit leaves a record, costs no tokens, and is explained', async () => {
    const [, hit] = (await twice(body('recorded'))).answers
    const id = hit.headers.get('x-request-id')
    const record = await fleet.router.record(({ request_id }) => request_id === id)
    expect(record).toMatchObject({
      method: 'cache-hit',
      cache_status: 'exact-hit',
      cache_key: expect.stringMatching(/^[0-9a-f]{64}$/),
      attempts: [],
      tenant: 'acme',
      status: 200,
    })
    expect(record['usage']).toBeUndefined()
    expect(JSON.stringify(record)).not.toContain('recorded')
    await until(
      async () => (await admin.get(`/admin/explain/${hit.headers.get('x-vllm-router-decision-id')}`)).status === 200,
      TIME_MS,
      () => 'there is no explanation',
    )
    const told = await admin.get(`/admin/explain/${hit.headers.get('x-vllm-router-decision-id')}`)
    expect(told.text).toContain('cache')
  })

  test('what only looks different is the same request', async () => {
    const first = await chat(body('the same', { user: 'one', stream: false }))
    const text = `{ "messages" : [ {"content":"the same ${run}", "role":"user"} ],\n "user":"two","max_tokens":4,"temperature":0,"model":"alias" }`
    const second = await postJson(fleet.url + CHAT, text, as('acme'))
    expect([statusOf(first), statusOf(second)]).toEqual(['miss', 'exact-hit'])
  })

  test.each([
    ['another text', body('b')],
    ['another model', { ...body('a'), model: 'other' }],
    ['another length', body('a', { max_tokens: 5 })],
    ['an unknown field', body('a', { vllm_xargs: { x: 1 } })],
    ['a number that only looks near', body('a', { seed: 1 })],
    ['a tool', body('a', { tools: [{ type: 'function', function: { name: 'f', parameters: {} } }] })],
    ['a salt', body('a', { cache_salt: 's' })],
  ])('%s is another request', async (_, other) => {
    await chat(body('a'))
    expect(statusOf(await chat(other))).not.toBe('exact-hit')
  })

  test('big seeds that a parser would take for one are two', async () => {
    const seeded = (seed: string) => JSON.stringify(body('seeds')).replace('{', `{"seed":${seed},`)
    const ask = (seed: string) => postJson(fleet.url + CHAT, seeded(seed), as('acme'))
    expect(statusOf(await ask('9007199254740993'))).toBe('miss')
    expect(statusOf(await ask('9007199254740992'))).toBe('miss')
    expect(statusOf(await ask('9007199254740993'))).toBe('exact-hit')
  })

  test('the query and headers that shape an answer are part of the request', async () => {
    const to = (path: string, headers: Readonly<Record<string, string>> = {}) =>
      postJson(fleet.url + path, body('shaped'), { ...as('acme'), ...headers })
    expect(statusOf(await to(CHAT))).toBe('miss')
    expect(statusOf(await to(`${CHAT}?beta=1`))).toBe('miss')
    expect(statusOf(await to(CHAT, { 'accept-language': 'de' }))).toBe('miss')
    expect(statusOf(await to(CHAT, { 'x-semantic-domain': 'maths' }))).toBe('miss')
    expect(statusOf(await to(CHAT, { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }))).toBe('exact-hit')
  })

  test('no tenant gets what another one was answered', async () => {
    const [first, second] = [await chat(body('whose')), await chat(body('whose'), as('zeta'))]
    expect([statusOf(first), statusOf(second)]).toEqual(['miss', 'miss'])
    expect(JSON.parse(first.text).id).not.toBe(JSON.parse(second.text).id)
  })

  test('a tenant that may not use a model gets no answer of it', async () => {
    await chat(body('denied', { model: 'other' }))
    const denied = await chat(body('denied', { model: 'other' }), as('zeta'))
    expect(denied.status).toBe(403)
  })

  test.each([
    ['no temperature and no seed', { ...body('drawn'), temperature: 0.7 }],
    [
      'a picture from somewhere',
      body('', {
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://10.0.0.1/a.png' } }] }],
      }),
    ],
  ])('%s: never kept', async (_, asked) => {
    expect((await twice(asked)).statuses).toEqual(['bypass', 'bypass'])
  })

  test('a seed makes an answer one that can be kept', async () => {
    expect((await twice({ ...body('seeded'), temperature: 1, seed: 7 })).statuses).toEqual(['miss', 'exact-hit'])
  })

  test('callers can refuse to be kept, or to get what was', async () => {
    expect((await twice(body('private'), { 'cache-control': 'no-store' })).statuses).toEqual(['bypass', 'bypass'])
    expect(statusOf(await chat(body('private')))).toBe('miss')
    const old = JSON.parse((await chat(body('private'))).text).id
    const fresh = await chat(body('private'), { 'cache-control': 'no-cache' })
    expect(statusOf(fresh)).toBe('bypass')
    expect(JSON.parse(fresh.text).id).not.toBe(old)
    // What it got takes the older one's place.
    expect((await chat(body('private'))).text).toBe(fresh.text)
  })

  test.each([
    ['an error', { status: 500 }],
    ['a refusal', { status: 400 }],
    ['half a document', { truncated_json: true }],
    ['something that is no answer', { html_200: true }],
  ])('%s is not kept', async (name, faults) => {
    const broken = await chat(body(name), { 'x-sim-fault': JSON.stringify({ ...faults }) })
    expect(statusOf(broken)).toBe('miss')
    // The fault is a header that goes on, and so a part of the request.
    const again = await chat(body(name), { 'x-sim-fault': JSON.stringify({ ...faults }) })
    expect(statusOf(again)).toBe('miss')
  })

  test('a stream is kept when it is complete, and given again as one', async () => {
    const asked = body('stream', { stream: true, stream_options: { include_usage: true } })
    const { answers, statuses, asked: times } = await twice(asked)
    expect(statuses).toEqual(['miss', 'exact-hit'])
    expect(times).toBe(1)
    const [first, second] = answers
    expect(second.headers.get('content-type')).toMatch(/^text\/event-stream/)
    expect(second.text).toBe(first.text)
    expect(second.text).toMatch(/data: \[DONE\]\n\n$/)
    // One that does not stream, or wants other events, has an answer of its own.
    expect(statusOf(await chat(body('stream')))).toBe('miss')
    expect(statusOf(await chat(body('stream', { stream: true })))).toBe('miss')
  })

  test('the client library of OpenAI reads a cached stream as it does the first', async () => {
    const client = new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: KEYS.acme, maxRetries: 0, logLevel: 'off' })
    const read = async () => {
      const messages = [{ role: 'user' as const, content: `library ${run}` }]
      const { data, response } = await client.chat.completions
        .create({ model: 'm', temperature: 0, messages, stream: true, stream_options: { include_usage: true } })
        .withResponse()
      const parts: OpenAI.ChatCompletionChunk[] = []
      for await (const part of data) parts.push(part)
      return { status: response.headers.get('x-vllm-router-cache-status'), parts }
    }
    const [first, second] = [await read(), await read()]
    expect([first.status, second.status]).toEqual(['miss', 'exact-hit'])
    expect(second.parts).toEqual(first.parts)
    expect(second.parts.at(-1)?.usage?.completion_tokens).toBe(4)
    expect(second.parts.map(({ choices }) => choices[0]?.finish_reason ?? null)).toContain('stop')
  })

  test('usage that the router alone asked for is in no cached stream', async () => {
    const { answers, statuses } = await twice(body('silent', { stream: true }))
    expect(statuses).toEqual(['miss', 'exact-hit'])
    expect(answers[1].text).not.toContain('"usage":{')
    expect(answers[1].text).toBe(answers[0].text)
  })

  test('a stream that is cut is not kept', async () => {
    const cut = { 'x-sim-fault': JSON.stringify({ die_mid_stream: { after_events: 2, mode: 'clean' } }) }
    const { statuses } = await twice(body('cut', { stream: true }), cut)
    expect(statuses).toEqual(['miss', 'miss'])
  })

  test('completions are cached too, and are no chats', async () => {
    const asked = { model: 'm', prompt: 'text', temperature: 0, max_tokens: 2 }
    const send = () => postJson(`${fleet.url}/v1/completions`, asked, as('acme'))
    expect([statusOf(await send()), statusOf(await send())]).toEqual(['miss', 'exact-hit'])
  })

  describe('purges', () => {
    const purge = (what: object, key = KEYS.purger) =>
      adminClient(() => fleet.url, key).post('/admin/cache/purge', what)

    test.each<[string, object]>([
      ['everything', { all: true }],
      ['a tenant', { tenant: 'acme' }],
      ['a model', { model: 'm' }],
    ])('%s is forgotten', async (name, what) => {
      expect((await twice(body(name))).statuses).toEqual(['miss', 'exact-hit'])
      const answer = await purge(what)
      expect(answer.status, answer.text).toBe(200)
      expect(answer.json()).toMatchObject({ purged: what, cache: { backend: 'memory' }, semantic_cache: null })
      expect(statusOf(await chat(body(name)))).toBe('miss')
    })

    test('what others have stays', async () => {
      const own = () => chat(body('stays'))
      await own()
      await purge({ tenant: 'zeta' })
      await purge({ model: 'other' })
      expect(statusOf(await own())).toBe('exact-hit')
    })

    test('one answer is forgotten by the key that its record has', async () => {
      const [, hit] = (await twice(body('keyed'))).answers
      const id = hit.headers.get('x-request-id')
      const record = await fleet.router.record(({ request_id }) => request_id === id)
      expect((await purge({ key: record['cache_key'] })).status).toBe(200)
      expect(statusOf(await chat(body('keyed')))).toBe('miss')
    })

    test.each<[string, object]>([
      ['nothing', {}],
      ['two at once', { tenant: 'acme', model: 'm' }],
      ['no key', { key: 'abc' }],
      ['a word that is none', { tenants: 'acme' }],
    ])('%s can not be purged', async (_, what) => {
      expect((await purge(what)).status).toBe(400)
    })

    test('a key without the scope can not purge', async () => {
      const drained = await ask(`${fleet.url}/admin/drain/status`, {
        headers: { authorization: `Bearer ${KEYS.purger}` },
      })
      expect(drained.status).toBe(403)
      expect((await postJson(`${fleet.url}/admin/cache/purge`, { all: true }, as('acme'))).status).toBe(403)
    })
  })
}

const MEGABYTE = 1_000_000

/** What a test tells the worker. */
interface Asked {
  readonly vllm_xargs?: { readonly length?: number; readonly fails?: boolean; readonly failsAs200?: boolean }
}

function longAnswersConformance(runtime: RuntimeName): void {
  describe(`answers of a slow worker through the response cache on ${runtime}`, () => {
    beforeEach(() => void (run += 1))
    let worker: HttpWorker
    let router: LaunchedRouter
    let chats = 0
    /** Answers wait for this. */
    let gate: Promise<void> = Promise.resolve()

    async function answer(asked: Asked, response: ServerResponse): Promise<void> {
      chats += 1
      const id = `chat-${chats}`
      const { length = 10, fails = false, failsAs200 = false } = asked.vllm_xargs ?? {}
      await gate
      if (failsAs200) {
        response.writeHead(200, { 'content-type': 'application/json' })
        return void response.end('{"error":{"message":"the engine is gone"}}')
      }
      if (fails) return void response.writeHead(500).end('{"error":{"message":"no"}}')
      const choices = [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'x'.repeat(length) } }]
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ id, object: 'chat.completion', choices }))
    }

    beforeAll(async () => {
      worker = await startHttpWorker((request, response) => {
        if (request.url !== CHAT) return void response.end('{"object":"list","data":[{"id":"m","object":"model"}]}')
        let text = ''
        request.on('data', (chunk: Buffer) => (text += chunk.toString()))
        request.on('end', () => void answer(JSON.parse(text), response))
      })
      router = await launchRouter(runtime, {
        config: JSON.stringify({
          workers: [{ id: 'slow', url: worker.url, models: ['m'] }],
          retry: { max_retries: 0 },
          disable_circuit_breaker: true,
          admin_api_key: KEYS.admin,
          cache: { max_body_bytes: '2MB' },
        }),
      })
    })
    afterAll(async () => {
      await router?.stop()
      await worker?.close()
    })
    const send = (asked: object) => postJson(router.url + CHAT, asked)

    test.each([
      [9 * MEGABYTE, 'miss'],
      [MEGABYTE, 'exact-hit'],
    ])('an answer of %i bytes is passed on whole, and the next is a %s', async (length, expected) => {
      const asked = body('long', { vllm_xargs: { length } })
      const [first, second] = [await send(asked), await send(asked)]
      for (const answer of [first, second]) {
        expect(answer.status).toBe(200)
        expect(answer.json().choices[0].message.content.length).toBe(length)
      }
      expect([statusOf(first), statusOf(second)]).toEqual(['miss', expected])
    })

    test('an error that says it is a success is passed on, and not kept', async () => {
      const asked = body('gateway', { vllm_xargs: { failsAs200: true } })
      const [first, second] = [await send(asked), await send(asked)]
      expect(second.json()).toEqual({ error: { message: 'the engine is gone' } })
      expect([statusOf(first), statusOf(second)]).toEqual(['miss', 'miss'])
    })

    test('an answer that was under way during a purge is given to nobody after it', async () => {
      let open: () => void = () => {}
      gate = new Promise((resolve) => (open = resolve))
      const before = chats
      const asked = body('under way')
      const first = send(asked)
      await until(
        () => chats > before,
        TIME_MS,
        () => 'nobody asked the worker',
      )
      const purged = await adminClient(() => router.url, KEYS.admin).post('/admin/cache/purge', { model: 'm' })
      expect(purged.status, purged.text).toBe(200)
      // Nor does who comes after the purge wait for what began before it.
      const second = send(asked)
      await until(
        () => chats > before + 1,
        TIME_MS,
        () => 'the second waits for the first',
      )
      open()
      const ids = [(await first).json().id, (await second).json().id]
      expect(new Set(ids).size).toBe(2)
      expect((await send(asked)).json().id).not.toBe(ids[0])
    })

    test('equal requests at the same time ask as few workers as the platform lets them', async () => {
      let open: () => void = () => {}
      gate = new Promise((resolve) => (open = resolve))
      const before = chats
      const sent = Array.from({ length: 8 }, () => send(body('at once')))
      await until(
        () => chats > before,
        TIME_MS,
        () => 'nobody asked the worker',
      )
      open()
      const answers = await Promise.all(sent)
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      if (runtime === 'workerd') return
      // Whoever came before the first was answered has its answer; so have those after.
      expect(chats - before).toBe(1)
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
      expect(answers.map(statusOf).sort()).toEqual([...Array(7).fill('exact-hit'), 'miss'])
    })

    test('when the one that asks fails, the others see for themselves', async () => {
      const before = chats
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => send(body('fails', { vllm_xargs: { fails: true } }))),
      )
      expect(answers.map(({ status }) => status)).toEqual([500, 500, 500, 500])
      expect(chats - before).toBe(4)
    })

    test('when the one that asks leaves, another takes its place', async () => {
      let open: () => void = () => {}
      gate = new Promise((resolve) => (open = resolve))
      const before = chats
      const asked = body('leaves')
      const controller = new AbortController()
      const leaver = fetch(router.url + CHAT, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(asked),
        signal: controller.signal,
      }).catch(() => 'gone')
      await until(
        () => chats === before + 1,
        TIME_MS,
        () => 'the first did not reach the worker',
      )
      const others = [send(asked), send(asked)]
      controller.abort()
      expect(await leaver).toBe('gone')
      await until(
        () => chats > before + 1,
        TIME_MS,
        () => 'nobody took the place of the one that left',
      )
      open()
      for (const answer of await Promise.all(others)) expect(answer.status).toBe(200)
    })
  })
}

function placesConformance(runtime: RuntimeName, place: CachePlace): void {
  describe(`answers kept in ${place.name} on ${runtime}`, () => {
    beforeEach(() => void (run += 1))
    let bench: Awaited<ReturnType<CachePlace['open']>> | null = null
    beforeAll(async () => {
      bench = await place.open()
    })
    afterAll(() => bench?.close())
    const fleet = liveFleet<'sim'>(runtime, {
      workers: { sim: { models: ['m'] } },
      config: ({ sim }) => ({
        // Said, as a machine under load may miss the first probe.
        workers: [{ id: 'sim', url: sim, models: ['m'] }],
        ...ADMINS,
        inbound_api_key: KEYS.acme,
        cache: { ttl_secs: 600, ...bench?.settings },
      }),
    })
    const chat = (text: string, more: object = {}) => postJson(fleet.url + CHAT, body(text, more), as('acme'))

    test('are given again, streams too, and purged', async () => {
      for (const more of [{}, { stream: true }]) {
        const first = await chat('größe 漢字 🚀', more)
        expect(statusOf(first)).toBe('miss')
        // What is kept is written once the answer is out.
        let second = first
        await until(
          async () => statusOf((second = await chat('größe 漢字 🚀', more))) === 'exact-hit',
          TIME_MS,
          () => `nothing was kept:\n${fleet.router.output().slice(-2_000)}`,
        )
        expect(second.text).toMatch(/./)
        expect((await chat('größe 漢字 🚀', more)).text).toBe(second.text)
      }
      const purged = await adminClient(() => fleet.url, KEYS.admin).post('/admin/cache/purge', { model: 'm' })
      expect(purged.status, purged.text).toBe(200)
      expect(purged.json()).toMatchObject({ cache: { reaches: 'all' } })
      await until(
        async () => statusOf(await chat('größe 漢字 🚀', { stream: true })) === 'miss',
        TIME_MS,
        () => 'what was purged is still given',
      )
    })

    test('a place that hangs is a miss, and holds nobody up for long', async () => {
      if (bench?.hang === undefined) return
      bench.hang()
      // More than it takes until nobody asks there.
      for (let n = 0; n < 8; n += 1) {
        const answer = await chat(`hangs ${n % 2}`)
        expect(answer.status).toBe(200)
        expect(statusOf(answer)).toBe('miss')
      }
      await until(
        () => fleet.router.output().includes('"event":"cache_failed"'),
        TIME_MS,
        () => 'nobody says so',
      )
    })

    test('a place that is gone is a miss', async () => {
      if (bench?.fail === undefined) return
      await bench.fail()
      for (let n = 0; n < 3; n += 1) {
        const answer = await chat('gone')
        expect(answer.status).toBe(200)
        expect(statusOf(answer)).toBe('miss')
      }
    })
  })
}

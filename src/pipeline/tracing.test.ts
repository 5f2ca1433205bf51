// What tracing makes of a request before it is served, and what it costs one that is not sampled: operations are counted,
// as times are not the same twice.

import { describe, expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'
import { until } from '../../test/support/launch.ts'
import { readJson } from '../../test/support/otlp-receiver.ts'
import type { Platform } from '../platform.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = `00-${TRACE}-b7ad6b7169203331`
const CONFIG = `
workers: [{ id: w, url: http://w, models: [m] }]
policy: { type: round_robin }
`
const traced = (settings: string) =>
  `${CONFIG}trace_config: { otlp_traces_endpoint: 'http://collector:4318', ${settings} }\n`

interface Operations {
  now: number
  random: number
  randomId: number
}

/** A router whose worker answers at once, with what it asks of its platform counted. */
async function countedRouter(yaml: string) {
  const calls: UpstreamCall[] = []
  const made: Operations = { now: 0, random: 0, randomId: 0 }
  const respond = async (call: UpstreamCall) => {
    calls.push(call)
    return Response.json({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } })
  }
  const counted = (usual: Platform): Partial<Platform> => ({
    now: () => ((made.now += 1), usual.now()),
    random: () => ((made.random += 1), usual.random()),
    randomId: () => ((made.randomId += 1), usual.randomId()),
  })
  const router = await inProcessRouter(yaml, respond, undefined, { platform: counted })
  const chat = (headers: Readonly<Record<string, string>> = {}) => router.chat({ model: 'm' }, { headers })
  return {
    chat,
    calls: () => calls.filter(({ worker }) => worker === 'w'),
    sent: () => calls.filter(({ worker }) => worker.startsWith('collector')),
    /** What one more request asks for. */
    async count(headers: Readonly<Record<string, string>> = {}): Promise<Operations> {
      const before = { ...made }
      const { response } = await chat(headers)
      expect(response.status).toBe(200)
      await new Promise(setImmediate)
      const { now, random, randomId } = made
      return { now: now - before.now, random: random - before.random, randomId: randomId - before.randomId }
    },
  }
}

/** With its attributes under their names. */
interface SeenSpan extends Readonly<Record<string, unknown>> {
  readonly name: string
}

/** A router whose spans are to be seen; the clock stands still but for what moves it. */
async function spannedRouter(yaml: string, respond: (call: UpstreamCall, count: number) => Promise<Response>) {
  const messages: string[] = []
  let count = 0
  const router = await inProcessRouter(
    yaml,
    async (call) => {
      if (!call.worker.startsWith('collector')) return respond(call, (count += 1))
      messages.push(await new Response(call.body).text())
      return new Response()
    },
    async () => router.advance(50),
  )
  return {
    advance: router.advance,
    chat: (more: object = {}) => router.chat({ model: 'm', ...more }),
    /** Those of the one request, in the order they began. */
    async spans() {
      await until(
        () => messages.length > 0,
        5_000,
        () => 'no spans were sent',
      )
      return readJson(JSON.parse(messages.join(''))).map((span): SeenSpan => {
        const { name, startNs, endNs, error, events, attributes } = span
        const lastedMs = Number((endNs - startNs) / 1_000_000n)
        return { ...attributes, name, lastedMs, error, events: events.map((event) => event.name) }
      })
    },
  }
}

describe('a request that is not sampled', () => {
  test('reads no clock and makes no ids but the one its worker is told', async () => {
    const [off, on] = await Promise.all([countedRouter(CONFIG), countedRouter(traced('sampling_ratio: 0'))])
    for (const router of [off, on]) await router.count()
    const [without, unsampled] = [await off.count(), await on.count()]
    // One draw to sample by, one for the rest of the id.
    expect(unsampled).toEqual({ ...without, random: without.random + 2 })
    expect(on.calls().at(-1)?.headers.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    expect(off.calls().at(-1)?.headers.get('traceparent')).toBeNull()
  })

  test('asks nothing more of its platform where its caller has decided, and passes as it came', async () => {
    const [off, on] = await Promise.all([countedRouter(CONFIG), countedRouter(traced('sampling_ratio: 1'))])
    const headers = { traceparent: `${CALLER}-00`, tracestate: 'vendor=x' }
    for (const router of [off, on]) await router.count(headers)
    expect(await on.count(headers)).toEqual(await off.count(headers))
    const { headers: passed } = on.calls().at(-1) ?? { headers: new Headers() }
    expect([passed.get('traceparent'), passed.get('tracestate')]).toEqual([`${CALLER}-00`, 'vendor=x'])
  })

  test('has its clock read where failures are exported: it keeps its spans until it is over', async () => {
    const [off, on] = await Promise.all([
      countedRouter(CONFIG),
      countedRouter(traced('sampling_ratio: 0, export_errors: true')),
    ])
    for (const router of [off, on]) await router.count()
    expect((await on.count()).now).toBeGreaterThan((await off.count()).now)
    expect(on.sent()).toEqual([])
  })
})

describe('spans of attempts', () => {
  const FLEET = `
workers: [{ id: w, url: http://w, models: [m] }, { id: v, url: http://v, models: [m] }]
policy: { type: round_robin }
trace_config: { otlp_traces_endpoint: 'http://collector:4318', protocol: http/json }
`
  const ANSWER = { choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } }

  test('a failed one ends when its answer came, whatever is waited for after it', async () => {
    let answers = 0
    const { chat, spans, advance } = await spannedRouter(FLEET, async () => {
      advance(7)
      answers += 1
      return Response.json(ANSWER, { status: answers === 1 ? 503 : 200 })
    })
    await chat()
    const [forward, first, second] = (await spans()).filter(({ name }) => name.startsWith('worker.'))
    expect(first).toMatchObject({ lastedMs: 7, error: 'status 503', 'error.type': '503', 'vllm.router.attempt': 1 })
    expect(second).toMatchObject({ lastedMs: 7, error: null, 'vllm.router.attempt': 2 })
    expect(forward).toMatchObject({ error: null, 'http.response.status_code': 200 })
    expect(forward?.['error.type']).toBeUndefined()
  })

  test('one that a hedge has overtaken is no failure of the request', async () => {
    const { chat, spans } = await spannedRouter(
      `${FLEET}hedge: { after_ms: 50, max_share: 1 }\n`,
      ({ signal }, count) =>
        count === 1
          ? new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('called off'))))
          : Promise.resolve(
              new Response(
                'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
                {
                  headers: { 'content-type': 'text/event-stream' },
                },
              ),
            ),
    )
    await chat({ stream: true })
    const [forward, first, second] = (await spans()).filter(({ name }) => name.startsWith('worker.'))
    expect(first).toMatchObject({ error: 'superseded', 'vllm.router.attempt': 1 })
    expect(second).toMatchObject({ error: null, 'vllm.router.attempt': 2 })
    expect(forward).toMatchObject({ error: null, 'routing.worker': second?.['routing.worker'] })
  })

  test('one that the worker refuses is an error of the attempt, and none of the server', async () => {
    const { chat, spans } = await spannedRouter(FLEET, async () => Response.json({ error: {} }, { status: 400 }))
    await chat()
    const [root, , , attempt] = await spans()
    expect([root?.error, attempt?.error]).toEqual([null, 'status 400'])
  })

  test('an answer that is no stream has its first byte noted, too', async () => {
    const { chat, spans } = await spannedRouter(FLEET, async () => Response.json(ANSWER))
    await chat()
    expect((await spans())[0]?.events).toEqual(['first_byte'])
  })
})

describe('a context that can not be read', () => {
  test.each([
    ['of another length', `00-${TRACE}-b7ad6b71692033-01`],
    ['of zeros', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
    ['in capitals', `${CALLER.toUpperCase()}-01`],
    ['with more than version 00 has', `${CALLER}-01-more`],
    ['of the version that is none', `ff-${TRACE}-b7ad6b7169203331-01`],
    ['sent twice', `${CALLER}-01, ${CALLER}-01`],
  ])('begins a trace anew, without its state: %s', async (_, traceparent) => {
    for (const ratio of [0, 1]) {
      const { chat, calls } = await countedRouter(traced(`sampling_ratio: ${ratio}`))
      await chat({ traceparent, tracestate: 'vendor=x' })
      const passed = calls().at(-1)?.headers
      expect(passed?.get('traceparent')).toMatch(new RegExp(`^00-(?!${TRACE})[0-9a-f]{32}-[0-9a-f]{16}-0${ratio}$`))
      expect(passed?.get('tracestate')).toBeNull()
    }
  })

  test('of a later version is continued as ours', async () => {
    const { chat, calls } = await countedRouter(traced('sampling_ratio: 0'))
    await chat({ traceparent: `01-${TRACE}-b7ad6b7169203331-01-more` })
    expect(calls().at(-1)?.headers.get('traceparent')).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
  })
})

describe('paths without traces', () => {
  test('pass what their caller sent', async () => {
    const { chat, calls } = await countedRouter(traced('excluded_paths: [/v1/chat/completions]'))
    await chat()
    await chat({ traceparent: `${CALLER}-01` })
    expect(calls().map(({ headers }) => headers.get('traceparent'))).toEqual([null, `${CALLER}-01`])
  })
})

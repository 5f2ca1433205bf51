// What tracing makes of a request before it is served, and what it costs one that is not sampled: operations are counted,
// as times are not the same twice.

import { describe, expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'
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

  test('costs nothing at all where its caller has decided, and passes as it came', async () => {
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

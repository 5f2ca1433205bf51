// What comes of asking LMCache about a prompt, whatever it, its answers and the workers' tokenizers make of it.

import { describe, expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'
import type { DecisionRecord } from '../record/schema.ts'
import { BROKEN_PROMISES_TO_BLIND } from '../upstream/lmcache/blindness.ts'

const TOKENS = 2_048
const LONG = 'word '.repeat(TOKENS)

interface Services {
  /** What the control plane answers. */
  readonly layout?: unknown
  readonly lookup?: () => Response | Promise<Response>
  readonly tokenize?: (n: number) => Response
  readonly options?: string
  /** What workers say they had cached of each prompt; left out where they don't. */
  readonly cachedTokens?: number
}

/** A router before workers a and b, whose tokenizers and whose control plane do as told. */
async function rig({ layout = {}, lookup, tokenize, options = '', cachedTokens }: Services = {}) {
  const asked: { readonly path: string; readonly body: Record<string, unknown> }[] = []
  let tokenised = 0
  const respond = async ({ url, body }: UpstreamCall): Promise<Response> => {
    const path = new URL(url).pathname
    if (path.endsWith('/render')) return new Response(null, { status: 404 })
    if (path !== '/tokenize' && path !== '/lookup') {
      const counted = { prompt_tokens: TOKENS, completion_tokens: 1, total_tokens: TOKENS + 1 }
      const details = cachedTokens === undefined ? {} : { prompt_tokens_details: { cached_tokens: cachedTokens } }
      const usage = { ...counted, ...details }
      return Response.json({ id: 'x', object: 'chat.completion', choices: [], usage })
    }
    asked.push({ path, body: JSON.parse(new TextDecoder().decode(body as Uint8Array)) })
    if (path === '/lookup') return lookup?.() ?? Response.json({ layout_info: layout })
    tokenised += 1
    return tokenize?.(tokenised) ?? Response.json({ tokens: Array.from({ length: TOKENS }, (_, at) => at) })
  }
  const router = await inProcessRouter(
    `workers:
  - {id: a, url: "http://a", models: [m]}
  - {id: b, url: "http://b", models: [m]}
log_level: info
policy:
  type: lmcache_aware
  controller_url: http://lmcache
  lookup_mode: prefix_lookup
  # Beyond what this router lets pass at once.
  lookup_budget_ms: 5000
  controller_timeout_ms: 5000
  ${options}
`,
    respond,
  )
  const ask = async (body: object = {}): Promise<DecisionRecord> => {
    const chat = { model: 'm', messages: [{ role: 'user', content: LONG }], ...body }
    expect((await router.chat(chat)).response.status).toBe(200)
    // Beside records there are lines about what was found out.
    const record = router.records().findLast(({ decision_id: id }) => id !== undefined)
    if (record === undefined) throw new Error('no record')
    return record
  }
  return { ask, asked, router, paths: () => asked.map(({ path }) => path) }
}

const outcomes = ({ steps = [] }: DecisionRecord) =>
  Object.fromEntries(steps.map(({ step, outcome }) => [step, outcome]))

describe('a lookup', () => {
  test('tells how much of the prompt workers hold', async () => {
    const { ask, paths } = await rig({ layout: { b: ['cpu', 1_024] } })
    const record = await ask()
    expect(record).toMatchObject({ method: 'lmcache-prefix', worker: 'b', policy: 'lmcache_aware' })
    expect(record.lmcache).toMatchObject({ prompt_tokens: TOKENS, matched: { b: 1_024 } })
    expect(outcomes(record)).toEqual({ tokenize: 'ok', lookup: 'ok', occupancy: 'unknown' })
    expect(paths()).toEqual(['/tokenize', '/lookup'])
  })

  test.each<[string, Services, string]>([
    ['that finds nothing', { layout: {} }, 'miss'],
    ['of an instance that is nobody’s', { layout: { stranger: ['cpu', 1_024] } }, 'unmapped'],
    ['of parts whose beginning is nobody’s for sure', { layout: { 1: ['cpu', 768], 2: ['cpu', 1_024] } }, 'ambiguous'],
    ['that fails', { lookup: () => new Response(null, { status: 500 }) }, 'unreachable'],
    ['that lies', { layout: { b: ['cpu', TOKENS + 1] } }, 'bad_answer'],
  ])('%s leaves the decision to the fallback', async (_, services, outcome) => {
    const { ask } = await rig(services)
    const record = await ask()
    expect(outcomes(record)).toMatchObject({ tokenize: 'ok', lookup: outcome })
    expect(record).toMatchObject({ method: 'policy', policy: 'power_of_two' })
  })

  test('is not made of a salted prompt, which the controller can not be told of', async () => {
    const { ask, paths } = await rig({ layout: { b: ['cpu', 1_024] } })
    expect(outcomes(await ask({ cache_salt: 'mine' }))).toMatchObject({ lookup: 'salted' })
    expect(outcomes(await ask({ cache_salt: 7 }))).toMatchObject({ lookup: 'salted' })
    expect(paths()).toEqual([])
  })

  test('sends only the beginning', async () => {
    const { ask, asked } = await rig({ options: 'max_lookup_tokens: 512' })
    await ask()
    expect(asked[1]?.body).toEqual({ tokens: Array.from({ length: 512 }, (_, at) => at) })
  })

  test('of what the tokenizer finds too short is none', async () => {
    const { ask, paths } = await rig({ tokenize: () => Response.json({ tokens: [1, 2, 3] }) })
    const record = await ask()
    expect(outcomes(record)).toMatchObject({ tokenize: 'ok', lookup: 'short' })
    expect(record.lmcache).toMatchObject({ prompt_tokens: 3 })
    expect(paths()).toEqual(['/tokenize'])
  })
})

describe('a tail behind the parts of others', () => {
  const layout = { a: ['cpu', 512], b: ['cpu', 2_048] }

  test('is no match of whoever may lack the beginning', async () => {
    const { ask } = await rig({ layout })
    expect((await ask()).lmcache?.matched).toEqual({ a: 512 })
  })

  test('is the match of a worker that this router has sent the same before', async () => {
    let current: object = { b: ['cpu', 2_048] }
    const { ask } = await rig({
      lookup: () => Response.json({ layout_info: current }),
    })
    expect(await ask()).toMatchObject({ worker: 'b' })
    // Another instance was found for the first chunks, which says nothing of whether b holds them as well.
    current = layout
    const again = await ask()
    expect(again.lmcache?.matched).toEqual({ a: 512, b: 2_048 })
    expect(again).toMatchObject({ worker: 'b', method: 'lmcache-prefix' })
  })

  test('is one where an operator says that chains are unbroken', async () => {
    const { ask } = await rig({ layout, options: 'assume_chains: true' })
    expect((await ask()).lmcache?.matched).toEqual({ a: 512, b: 2_048 })
  })
})

describe('a prompt that nobody tokenises', () => {
  test.each<[string, object, string]>([
    ['is short', { messages: [{ role: 'user', content: 'Hi' }] }, 'short'],
    ['has no messages', { messages: null }, 'no_prompt'],
    ['is cut by the worker', { truncate_prompt_tokens: 9 }, 'truncated'],
  ])('because it %s costs no call', async (_, body, outcome) => {
    const { ask, asked } = await rig()
    expect(outcomes(await ask(body))).toMatchObject({ tokenize: outcome })
    expect(asked).toEqual([])
  })

  test('because no tokenizer works is not looked up', async () => {
    const { ask, paths } = await rig({ tokenize: () => new Response(null, { status: 500 }) })
    const record = await ask()
    expect(outcomes(record)).toMatchObject({ tokenize: 'unreachable' })
    expect(record.lmcache).not.toHaveProperty('matched')
    expect(paths()).toEqual(['/tokenize'])
  })

  test('while the control plane is left alone is not even tokenised', async () => {
    const { ask, asked } = await rig({ lookup: () => new Response('no json') })
    for (let round = 0; round < 5; round += 1) expect(outcomes(await ask())).toMatchObject({ lookup: 'bad_answer' })
    const before = asked.length
    expect(outcomes(await ask())).toMatchObject({ lookup: 'breaker_open' })
    expect(asked).toHaveLength(before)
  })

  test('waits for nobody who sees whether the control plane is back', async () => {
    let isHung = false
    const { ask, asked, router } = await rig({
      lookup: () => (isHung ? new Promise<never>(() => {}) : new Response('no json')),
    })
    for (let round = 0; round < 5; round += 1) await ask()
    isHung = true
    router.advance(10_000)
    const before = asked.length
    expect(outcomes(await ask())).toMatchObject({ lookup: 'breaker_open' })
    expect(asked.slice(before).map(({ path }) => path)).toEqual(['/lookup'])
  })
})

describe('full caches', () => {
  const instances = [
    { instanceId: 'a', ip: null, chunks: 10 },
    { instanceId: 'b', ip: null, chunks: 900 },
  ]

  test('decide where no prefix does', async () => {
    const { ask, router } = await rig()
    router.fleet.noteLmcache({ instances, saidAtMs: router.now(), lastPoll: 'ok' })
    router.advance(5_000)
    const record = await ask()
    expect(outcomes(record)).toEqual({ tokenize: 'ok', lookup: 'miss', occupancy: 'ok' })
    expect(record.lmcache).toMatchObject({ matched: {}, chunks: { a: 10, b: 900 } })
    expect(record).toMatchObject({ worker: 'b', method: 'policy', policy: 'lmcache_aware' })
  })

  test('do not where the control plane has turned out to be blind', async () => {
    const { ask, router } = await rig({ layout: { b: ['cpu', 1_024] }, cachedTokens: 0 })
    router.fleet.noteLmcache({ instances, saidAtMs: router.now(), lastPoll: 'ok' })
    router.advance(2_000)
    const before = []
    while (before.length < BROKEN_PROMISES_TO_BLIND) before.push(await ask())
    expect(new Set(before.map(({ policy }) => policy))).toEqual(new Set(['lmcache_aware']))
    // The first is still asked about, to see whether that is over.
    await ask()
    const record = await ask()
    expect(outcomes(record)).toEqual({ lookup: 'blind', occupancy: 'blind' })
    expect(record).toMatchObject({ method: 'policy', policy: 'power_of_two' })
    expect(record.lmcache).toEqual({ prefill_ms_per_token: expect.any(Number) })
    // Nothing of it is asked about a short one either.
    expect(await ask({ messages: [{ role: 'user', content: 'Hi' }] })).toMatchObject({ policy: 'power_of_two' })
  })

  test('that were full long ago do not', async () => {
    const { ask, router } = await rig()
    router.fleet.noteLmcache({ instances, saidAtMs: router.now(), lastPoll: 'timeout' })
    router.advance(60_000)
    const record = await ask()
    expect(outcomes(record)).toMatchObject({ occupancy: 'stale' })
    expect(record).toMatchObject({ policy: 'power_of_two' })
  })
})

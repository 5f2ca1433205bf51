// Which requests are looked up again after they have ended, when, and what their workers' counts say of what was promised.

import { describe, expect, test } from 'vitest'
import { candidateOf, inputOf, viewOf } from '../../test/conformance/policy.ts'
import { answered, decidedExchange } from '../../test/support/recorded-exchange.ts'
import { VirtualTime } from '../../test/support/virtual-time.ts'
import type { ExchangeOutcome } from '../record/lifecycle.ts'
import { random } from '../routing/policies/random.ts'
import type { LmcacheOccupancyView } from '../store/lmcache-occupancy.ts'
import { BROKEN_PROMISES_TO_BLIND, MISSES_TO_BLIND, type Sight } from '../upstream/lmcache/blindness.ts'
import type { LookupQuestion, LookupReply } from '../upstream/lmcache/lookup-client.ts'
import type { Exchange } from './exchange.ts'
import { judgeLookup, LmcacheSight, noteLookedUp } from './lmcache-sight.ts'

const OK: ExchangeOutcome = { status: 200, streamEnd: 'complete', errorCode: null }
const LONG = Array.from({ length: 700 }, (_, at) => at + 1)

const knows = (tokens: number): LookupReply => ({
  kind: 'answer',
  answer: { tokensByInstance: new Map(), parts: [], knownTokens: tokens },
})

function rigOf() {
  const time = new VirtualTime()
  const sight = new LmcacheSight()
  const rig = {
    time,
    sight,
    reply: knows(0),
    keys: 0,
    asked: [] as LookupQuestion[],
    probes: [] as string[],
    changes: [] as (readonly [Sight['state'], string | null])[],
    left: [] as Promise<unknown>[],
  }
  const view = (): LmcacheOccupancyView => ({
    instances: [{ instanceId: 'a', ip: null, chunks: rig.keys }],
    ageMs: 0,
    state: 'fresh',
    lastPoll: 'ok',
  })
  const lookups = {
    sight,
    client: {
      isAsked: () => true,
      async lookup(question: LookupQuestion) {
        rig.asked.push(question)
        return rig.reply
      },
    },
  }
  const parts = {
    platform: { now: time.now, after: time.after },
    events: {
      lmcacheProbed: (outcome: string) => void rig.probes.push(outcome),
      lmcacheSightChanged: ({ state }: Sight, causes: string | null) => void rig.changes.push([state, causes]),
    },
    mirror: { lmcache: view },
    lmcache: { needs: { controllerTimeoutMs: 2_000 }, lookups },
    // What is used of them here.
  } as unknown as Parameters<typeof judgeLookup>[0]

  return Object.assign(rig, {
    /** One request from its lookup to its end. */
    request(given: Partial<RequestGiven> = {}): Exchange {
      const { ids, knownTokens, matched, cachedTokens, end, isAnswered }: RequestGiven = { ...USUAL, ...given }
      const lmcache = { matchedTokens: { a: matched }, promptTokens: 700, chunkCounts: null, prefillMsPerToken: 0.2 }
      const exchange = decidedExchange(
        { input: inputOf({ lmcache }), policy: random.create({}), view: viewOf([candidateOf('a')]), seed: 1 },
        { context: { waitUntil: (task) => void rig.left.push(task), rawTarget: null } },
      )
      noteLookedUp(parts, sight, exchange, { ids, model: 'm', cacheSalt: '', knownTokens })
      if (isAnswered) answered(exchange)
      exchange.usage = { promptTokens: 700, completionTokens: 1, totalTokens: 701, cachedTokens }
      judgeLookup(parts, exchange, end)
      return exchange
    },
  })
}

interface RequestGiven {
  readonly ids: readonly number[]
  readonly knownTokens: number | null
  readonly matched: number
  readonly cachedTokens: number | null
  readonly end: ExchangeOutcome
  readonly isAnswered: boolean
}

const USUAL: RequestGiven = { ids: LONG, knownTokens: 0, matched: 0, cachedTokens: null, end: OK, isAnswered: true }

describe('a long request that has ended', () => {
  test('is looked up again five seconds later, its beginning only', async () => {
    const rig = rigOf()
    rig.request()
    await rig.time.advance(4_900)
    expect(rig.asked).toEqual([])
    await rig.time.advance(100)
    expect(rig.asked).toMatchObject([{ model: 'm', cacheSalt: '', timeoutMs: 2_000 }])
    expect(rig.asked[0]?.ids).toEqual(LONG.slice(0, 512))
    await Promise.all(rig.left)
    expect(rig.probes).toEqual(['unknown'])
  })

  test.each<readonly [string, Partial<RequestGiven>]>([
    ['that was short', { ids: LONG.slice(0, 511) }],
    ['that failed', { end: { ...OK, status: 502 } }],
    ['that was cut', { end: { ...OK, streamEnd: 'truncated' } }],
    ['whose client left', { end: { ...OK, streamEnd: 'client_aborted' } }],
    ['that no worker had', { isAnswered: false }],
    ['that was known when it came: that is proof enough', { knownTokens: 512 }],
  ])('is not, one %s', async (_, given) => {
    const rig = rigOf()
    rig.request(given)
    await rig.time.advance(60_000)
    expect([rig.asked, rig.left]).toEqual([[], []])
  })

  test('of many only one a second is, and only that one holds its tokens', async () => {
    const rig = rigOf()
    const held = Array.from({ length: 50 }, () => rig.request().lookedUp?.ids?.length ?? 0)
    expect(held.filter((length) => length > 0)).toEqual([512])
    await rig.time.advance(5_000)
    expect(rig.asked).toHaveLength(1)
  })

  test('whose probe failed says nothing', async () => {
    const rig = rigOf()
    rig.reply = { kind: 'failure', reason: 'timeout', why: 'no answer' }
    for (let at = 0; at < 3 * MISSES_TO_BLIND; at += 1) {
      rig.request()
      await rig.time.advance(1_000)
    }
    expect(new Set(rig.probes)).toEqual(new Set(['failed']))
    expect([rig.sight.judge.sight().state, rig.changes]).toEqual(['unproven', []])
  })
})

test('a blind control plane is told of once, with the likely causes, and once more when it sees', async () => {
  const rig = rigOf()
  for (let at = 0; at < 2 * MISSES_TO_BLIND; at += 1) {
    rig.keys += 3
    rig.request()
    await rig.time.advance(1_000)
  }
  expect(rig.changes).toEqual([['blind', expect.stringContaining('PYTHONHASHSEED')]])
  rig.reply = knows(512)
  rig.request()
  await rig.time.advance(5_000)
  expect(rig.changes.slice(1)).toEqual([['sighted', null]])
})

describe('what a worker had cached', () => {
  const promised = { matched: 512, knownTokens: 512 }

  test('is weighed against what was promised', () => {
    const rig = rigOf()
    for (let at = 0; at < BROKEN_PROMISES_TO_BLIND; at += 1) rig.request({ ...promised, cachedTokens: 16 })
    expect(rig.changes).toEqual([['blind', expect.stringContaining('half')]])
    rig.request({ ...promised, cachedTokens: 496 })
    expect(rig.changes.slice(1)).toEqual([['sighted', null]])
  })

  test('is unknown of one that never says', () => {
    const rig = rigOf()
    for (let at = 0; at < 3 * BROKEN_PROMISES_TO_BLIND; at += 1) rig.request(promised)
    expect(rig.changes).toEqual([])
  })

  test('is nothing of one that has said it before: vLLM leaves zero out', () => {
    const rig = rigOf()
    rig.request({ ...promised, cachedTokens: 496 })
    for (let at = 0; at < BROKEN_PROMISES_TO_BLIND; at += 1) rig.request(promised)
    expect(rig.changes.map(([state]) => state)).toEqual(['blind'])
  })
})

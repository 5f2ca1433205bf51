// Tenants' limits over eight isolates and the real object between them, which can be put away at any time.

import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, test, vi } from 'vitest'
import { BucketWitness } from '../support/bucket-witness.ts'
import { advance, chatInit, configOf, createIsolate, fake, type Isolate, POOL, useFleet } from './rig.ts'
import { watchLog } from './watch-log.ts'

useFleet()
// Real objects, and bursts of dozens of requests: on a busy machine they take their time.
vi.setConfig({ testTimeout: 30_000 })

const KEY = 'team-key-0123456789'
const ISOLATES = 8

const tenants = (limits: string) => `api_keys: [{name: team, key: ${KEY}, ${limits}}]`
const isolate = (limits: string, more: Readonly<Record<string, unknown>> = {}) =>
  createIsolate({ config: configOf('{type: round_robin}', tenants(limits)), env: more })
const isolates = (limits: string) => Array.from({ length: ISOLATES }, () => isolate(limits))

const teamObject = () => env.TENANTS.get(env.TENANTS.idFromName(`${POOL}/team`))

/** Asks the object; the router's other calls are not what is looked at here. */
const leases = ({ calls }: Isolate) => calls.filter(({ method }) => method === 'lease').length

async function chat(from: Isolate, fields: object = {}): Promise<Response> {
  const init = chatInit(fields)
  const { response } = await from.fetch('/v1/chat/completions', {
    ...init,
    headers: { ...init.headers, authorization: `Bearer ${KEY}` },
  })
  return response
}

/** Sends from everywhere at once; how many passed. */
async function burst(all: readonly Isolate[], each: number): Promise<number> {
  const sent = all.flatMap((from) => Array.from({ length: each }, () => chat(from)))
  const answers = await Promise.all(sent)
  await Promise.all(answers.map((answer) => answer.text()))
  expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true)
  return answers.filter(({ status }) => status === 200).length
}

/** Lets what runs beside requests go on: timers are real here, the clock is the rig's. */
const breathe = (ms = 30) => new Promise((resolve) => setTimeout(resolve, ms))

describe('over eight isolates', () => {
  test('no more requests pass than one bucket holds, in any window', async () => {
    const all = isolates('rate_limit_rps: 20')
    const witness = new BucketWitness(20, 20 / 1_000)
    let passed = 0
    for (const ms of [0, 250, 500, 100, 2_000, 50, 400, 3_500, 700]) {
      advance(ms)
      const now = await burst(all, 4)
      passed += now
      expect(witness.take(now, Date.now())).toBe(0)
    }
    // 7.5 seconds, of which some came when the bucket was full, and some of what is there is leased to isolates ahead.
    expect(passed).toBeGreaterThan(50)
  })

  test('no more run at a time than there are slots, and every slot comes back', async () => {
    const all = isolates('max_concurrent: 5')
    let running = 0
    let most = 0
    fake.onRequest = async ({ method }) => {
      if (method !== 'POST') return
      running += 1
      most = Math.max(most, running)
      await breathe(20)
      running -= 1
    }
    for (let round = 0; round < 3; round += 1) {
      advance(150)
      expect(await burst(all, 3)).toBeGreaterThanOrEqual(4)
      await breathe(60)
    }
    expect(most).toBeLessThanOrEqual(5)
    expect(most).toBeGreaterThanOrEqual(4)
  })

  test('an isolate that served lately asks nobody before it serves again', async () => {
    const [first] = isolates('rate_limit_rps: 100, max_concurrent: 50, tokens_per_minute: 1000000')
    if (first === undefined) throw new Error('no isolate')
    await (await chat(first)).text()
    await breathe()
    for (let sent = 0; sent < 20; sent += 1) {
      advance(50)
      const answered = first.answered.length
      const open = first.hold()
      // No answer of any object gets through meanwhile.
      const response = await chat(first)
      expect(response.status).toBe(200)
      await response.text()
      expect(first.answered.length).toBe(answered)
      open()
      await breathe(5)
    }
    // Beside requests, and fewer than those.
    expect(leases(first)).toBeLessThan(20)
  })
})

describe('an object that is put away', () => {
  test('in the middle of a burst does not come back full', async () => {
    const all = isolates('rate_limit_rps: 20')
    let passed = await burst(all, 4)
    expect(passed).toBeGreaterThanOrEqual(15)
    for (let times = 0; times < 3; times += 1) {
      await evictDurableObject(teamObject())
      // Isolates that have not been refused yet.
      passed += await burst(isolates('rate_limit_rps: 20'), 4)
    }
    expect(passed).toBeLessThanOrEqual(20)
    advance(8_000)
    expect(await burst(all, 4)).toBeGreaterThanOrEqual(15)
  })

  test('knows its debt still', async () => {
    const [first, second] = isolates('tokens_per_minute: 60')
    if (first === undefined || second === undefined) throw new Error('no isolate')
    // The workers of this rig count nothing, so an answer costs what it is thought to cost: far more than a minute's.
    expect((await chat(first)).status).toBe(200)
    expect((await chat(first)).status).toBe(429)
    await evictDurableObject(teamObject())
    advance(30_000)
    const refused = await chat(second)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('x-ratelimit-remaining-tokens')).toBe('0')
  })

  test('knows who has slots, and forgets those that came back', async () => {
    const [first, second] = isolates('max_concurrent: 1')
    if (first === undefined || second === undefined) throw new Error('no isolate')
    let finish = () => {}
    const working = new Promise<void>((begun) => {
      fake.onRequest = ({ method }) => {
        if (method !== 'POST') return
        begun()
        return new Promise<void>((resolve) => (finish = resolve))
      }
    })
    const running = chat(first)
    await working
    await evictDurableObject(teamObject())
    expect((await chat(second)).status).toBe(429)
    fake.onRequest = null
    finish()
    await (await running).text()
    await vi.waitFor(
      async () => {
        advance(200)
        expect((await chat(second)).status).toBe(200)
      },
      { timeout: 20_000, interval: 80 },
    )
  })
})

test('without its objects each isolate keeps a share of the limits, and says so in the log', async () => {
  const entries = watchLog()
  const alone = isolate('rate_limit_rps: 80', { TENANTS: undefined })
  const answers = []
  for (let sent = 0; sent < 15; sent += 1) answers.push((await chat(alone)).status)
  expect(answers.filter((status) => status === 200)).toHaveLength(10)
  expect(answers).not.toContain(500)
  expect(entries.map(({ event }) => event)).toContain('limit_store_failed')
})

// Waiting for a place: on a clock that a test moves, where waiters are called and where each looks for itself.

import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { RouterError } from '../errors/router-error.ts'
import { AdmissionQueue } from './admission-queue.ts'
import { waitForPlace } from './admission.ts'
import { type Exchange, openExchange } from './exchange.ts'
import type { RouterParts } from './router-parts.ts'

const OVERLOAD = { maxConcurrent: 1, queueSize: 2, queueTimeoutMs: 1_000 }

function bench(wakesAcrossRequests: boolean, more: Partial<typeof OVERLOAD> = {}) {
  const overload = { ...OVERLOAD, ...more }
  const clock = createFakeClock()
  let isDraining = false
  const admission = new AdmissionQueue({ now: clock.now, mustAsk: !wakesAcrossRequests })
  const parts = {
    admission,
    isDraining: () => isDraining,
    platform: { ...clock, wakesAcrossRequests, random: () => 0.5 },
    // The stage touches nothing else of the router.
  } as unknown as RouterParts
  async function pass(ms: number): Promise<void> {
    clock.advance(ms)
    await settled()
  }
  function enter(tenant: string | null = null) {
    const config = { overload } as Exchange['config']
    const context = { waitUntil() {}, rawTarget: null }
    const exchange = openExchange({ requestId: 'req-1', receivedAtMs: clock.now(), config, context })
    if (tenant !== null) exchange.tenant = { name: tenant, weight: 1 } as NonNullable<Exchange['tenant']>
    const client = new AbortController()
    const request: Request = { exchange, client, outcome: 'waits' }
    void waitForPlace(parts, exchange, { overload, signal: () => client.signal }).then(
      () => (request.outcome = 'has a place'),
      (error: unknown) => {
        request.outcome = error instanceof RouterError ? error.code : 'a defect'
        request.retryAfter = error instanceof RouterError ? error.retryAfterSeconds : null
      },
    )
    return request
  }
  return {
    admission,
    enter,
    pass,
    timers: clock.pending,
    drain() {
      isDraining = true
      admission.refuseWaiting()
    },
  }
}

interface Request {
  readonly exchange: Exchange
  readonly client: AbortController
  outcome: string
  retryAfter?: number | null
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const leave = ({ exchange }: Request) => exchange.held.forEach((held) => held.release())

describe.each([
  ['are called', true],
  ['look for themselves', false],
])('requests that %s', (_, wakes) => {
  test('get the place that another leaves, and say how long they waited', async () => {
    const { admission, enter, pass, timers } = bench(wakes)
    const [first, second, third] = [enter(), enter(), enter()]
    await pass(100)
    expect([first, second, third].map(({ outcome }) => outcome)).toEqual(['has a place', 'waits', 'waits'])
    leave(first)
    await pass(25)
    expect([second.outcome, third.outcome]).toEqual(['has a place', 'waits'])
    expect(first.exchange.queuedMs).toBeNull()
    expect(second.exchange.queuedMs).toBeGreaterThanOrEqual(100)
    expect(second.exchange.queuedMs).toBeLessThanOrEqual(125)
    leave(second)
    await pass(25)
    leave(third)
    expect([admission.running(), admission.waiting(), timers()]).toEqual([0, 0, 0])
  })

  test('are refused when the queue is full, or when they have waited long enough', async () => {
    const { enter, pass, timers } = bench(wakes)
    const [first, second, , fourth] = [enter(), enter(), enter(), enter()]
    await settled()
    expect(fourth).toMatchObject({ outcome: 'overloaded', retryAfter: 1 })
    await pass(995)
    expect(second.outcome).toBe('waits')
    await pass(30)
    expect(second).toMatchObject({ outcome: 'overloaded' })
    expect(second.exchange.queuedMs).toBeGreaterThanOrEqual(1_000)
    expect([first.outcome, timers()]).toEqual(['has a place', 0])
  })

  test('give up their spot at once when the client leaves', async () => {
    const { admission, enter, timers } = bench(wakes)
    const [first, second] = [enter(), enter()]
    second.client.abort()
    await settled()
    expect([second.outcome, admission.waiting(), timers()]).toEqual(['client_closed_request', 0, 0])
    leave(first)
    expect(admission.running()).toBe(0)
    const gone = enter()
    leave(gone)
  })

  test('of a client that has left before they had to wait take no spot', async () => {
    const { admission, enter } = bench(wakes)
    enter()
    const late = enter()
    late.client.abort()
    await settled()
    expect([late.outcome, admission.waiting()]).toEqual(['client_closed_request', 0])
  })

  test('make way for a tenant with a better claim', async () => {
    const { enter, pass } = bench(wakes)
    const greedy = [enter('greedy'), enter('greedy'), enter('greedy')]
    const modest = enter('modest')
    await pass(25)
    expect(greedy.map(({ outcome }) => outcome)).toEqual(['has a place', 'waits', 'overloaded'])
    expect(modest.outcome).toBe('waits')
  })

  test('keep what they hold already, however long they wait', async () => {
    const { enter, pass } = bench(wakes, { queueTimeoutMs: 600_000 })
    enter()
    const waiting = enter()
    let renewals = 0
    waiting.exchange.held.push({ renew: () => (renewals += 1), release() {} })
    for (let seconds = 0; seconds < 120; seconds += 1) await pass(1_000)
    expect(waiting.outcome).toBe('waits')
    expect(renewals).toBeGreaterThanOrEqual(7)
    expect(renewals).toBeLessThanOrEqual(8)
  })

  test('are told when the router shuts down', async () => {
    const { drain, enter, pass } = bench(wakes)
    const [first, second] = [enter(), enter()]
    await settled()
    drain()
    await pass(25)
    expect([first.outcome, second.outcome]).toEqual(['has a place', 'shutting_down'])
  })

  test('come back later the fuller the router is', async () => {
    const { enter, pass } = bench(wakes)
    const slow = enter()
    await pass(60_000)
    leave(slow)
    const [, , , refused] = [enter(), enter(), enter(), enter()]
    await settled()
    expect(refused.outcome).toBe('overloaded')
    expect(refused.retryAfter).toBeGreaterThan(10)
    expect(refused.retryAfter).toBeLessThanOrEqual(30)
  })
})

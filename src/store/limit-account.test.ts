import { describe, expect, test } from 'vitest'
import { limitBench, limitsOf } from '../../test/support/limit-bench.ts'

describe('requests', () => {
  test('wait for the store only once: in steady state they are let through at once', async () => {
    const { holder, time, reports } = limitBench({ rateLimitRps: 100 })
    const a = holder('a')
    expect(a.admit()).toBeInstanceOf(Promise)
    await time.advance(100)
    let waited = 0
    for (let sent = 0; sent < 200; sent++) {
      await time.advance(50)
      if (a.admit() instanceof Promise) waited += 1
    }
    expect(waited).toBeLessThanOrEqual(1)
    // Ten seconds: beside requests the store hears of them about twice a second.
    expect(reports.length).toBeLessThan(50)
  })

  test('over the limit are refused here, without a call for each', async () => {
    const { holder, time, reports } = limitBench({ rateLimitRps: 10 })
    const a = holder('a')
    for (let sent = 0; sent < 10; sent++) await a.enter()
    const { length } = reports
    const sent = Promise.all(Array.from({ length: 500 }, async () => a.admit()))
    await time.advance(100)
    const refusals = await sent
    expect(refusals.filter(({ kind }) => kind === 'refused').length).toBeGreaterThan(480)
    expect(reports.length - length).toBeLessThan(30)
  })

  test('that are refused say when to come again, and get through then', async () => {
    const { holder, time } = limitBench({ rateLimitRps: 2 })
    const a = holder('a')
    await a.enter()
    await a.enter()
    const refused = await a.outcome()
    if (refused.kind !== 'refused') throw new Error('let through')
    expect(refused.refusal.meter).toBe('requests')
    expect(refused.refusal.retryAfterMs).toBeGreaterThan(400)
    await time.advance(refused.refusal.retryAfterMs)
    await a.enter()
  })

  test.each([0.3, 0.5, 1, 3])(
    'that are refused elsewhere get through when they were told to come (%f a second)',
    async (rps) => {
      const { holder, time } = limitBench({ rateLimitRps: rps })
      const [a, b] = [holder('a'), holder('b')]
      for (let taken = 0; taken < Math.max(1, rps); taken++) {
        const running = await a.enter()
        await time.advance(5)
        running.release()
      }
      for (let times = 0; times < 3; times++) {
        await time.advance(70)
        const refused = await b.outcome()
        if (refused.kind !== 'refused') throw new Error('let through')
        await time.advance(Math.ceil(refused.refusal.retryAfterMs / 1_000) * 1_000)
        const running = await b.enter()
        await time.advance(5)
        running.release()
        while ((await a.outcome()).kind === 'admitted');
      }
    },
  )

  test('are told to the store soon where they are few, though nobody comes any more', async () => {
    const { holder, time, reports } = limitBench({ rateLimitRps: 1 })
    const running = await holder('a').enter()
    await time.advance(5)
    running.release()
    await time.advance(600)
    expect(reports.at(-1)?.meters.requests?.used).toBe(1)
  })

  test('of one holder leave everything to the others soon after they stop', async () => {
    const { holder, time } = limitBench({ rateLimitRps: 40 })
    const [a, b] = [holder('a'), holder('b')]
    for (let sent = 0; sent < 20; sent++) await a.enter()
    await time.advance(2_100)
    for (let sent = 0; sent < 40; sent++) await b.enter()
  })

  test('that are refused take nothing of what was there', async () => {
    const { holder, time } = limitBench({ rateLimitRps: 100, maxConcurrent: 1 })
    const a = holder('a')
    const running = await a.enter()
    for (let sent = 0; sent < 50; sent++) expect((await a.outcome()).kind).toBe('refused')
    running.release()
    await time.advance(200)
    expect((await a.enter()).standing().requests?.remaining).toBeGreaterThanOrEqual(98)
  })
})

describe('slots', () => {
  test('are held until the request ends, and free for others then', async () => {
    const { holder } = limitBench({ maxConcurrent: 2 })
    const [a, b] = [holder('a'), holder('b')]
    const [first] = [await a.enter(), await b.enter()]
    expect(await b.outcome()).toMatchObject({ kind: 'refused', refusal: { meter: 'slots' } })
    first.release()
    await b.enter()
  })

  test('pass from holder to holder as fast as a client can send the next request', async () => {
    const { holder, time } = limitBench({ maxConcurrent: 1 })
    const holders = Array.from({ length: 8 }, (_, at) => holder(`h${at}`))
    for (let sent = 0; sent < 40; sent++) {
      const running = await holders[(sent * 3) % 8]?.enter()
      await time.advance(30)
      running?.release()
    }
  })

  test('come back once, however often they are given back', async () => {
    const { holder } = limitBench({ maxConcurrent: 2 })
    const a = holder('a')
    const first = await a.enter()
    await a.enter()
    first.release()
    first.release()
    await a.enter()
    expect((await a.outcome()).kind).toBe('refused')
  })

  test('of streams that run for minutes stay taken', async () => {
    const { holder, time } = limitBench({ maxConcurrent: 1 })
    const [a, b] = [holder('a'), holder('b')]
    const stream = await a.enter()
    for (let ticks = 0; ticks < 60; ticks++) {
      await time.advance(5_000)
      stream.renew()
    }
    expect((await b.outcome()).kind).toBe('refused')
    stream.release()
    await b.enter()
  })

  test('of an isolate that vanished come back', async () => {
    const { holder, time } = limitBench({ maxConcurrent: 1 })
    await holder('a').enter()
    await time.advance(120_000)
    await holder('b').enter()
  })

  test('of a request that was dropped here without a word come back', async () => {
    const { holder, time } = limitBench({ maxConcurrent: 2 })
    const a = holder('a')
    await a.enter()
    const other = await a.enter()
    for (let ticks = 0; ticks < 30; ticks++) {
      await time.advance(5_000)
      other.renew()
    }
    await a.enter()
    expect(a.inFlight()).toBe(2)
  })
})

describe('tokens', () => {
  test('are charged as estimated, and corrected by what was used', async () => {
    const { holder, time } = limitBench({ tokensPerMinute: 1_000 })
    const a = holder('a')
    const first = await a.enter(800)
    first.charge(300)
    first.release()
    await time.advance(1_200)
    expect((await a.enter(100)).standing().tokens?.remaining).toBeGreaterThanOrEqual(600)
  })

  test('used beyond the estimate are a debt that holds for every holder', async () => {
    const { holder, time } = limitBench({ tokensPerMinute: 600 })
    const [a, b] = [holder('a'), holder('b')]
    const big = await a.enter(100)
    big.charge(900)
    big.release()
    await time.advance(1_200)
    const refused = await b.outcome(1)
    expect(refused).toMatchObject({ kind: 'refused', refusal: { meter: 'tokens' } })
    // 300 below zero, at ten a second.
    if (refused.kind === 'refused') expect(refused.refusal.retryAfterMs).toBeGreaterThan(25_000)
    await time.advance(32_000)
    await b.enter(1)
  })

  test('that nobody counts are let through whatever is left', async () => {
    const { holder, time } = limitBench({ tokensPerMinute: 100 })
    const a = holder('a')
    const big = await a.enter(100)
    big.charge(900)
    await time.advance(1_200)
    await a.enter(0)
    expect((await a.outcome(1)).kind).toBe('refused')
  })

  test('of a request that is bigger than what is left are lent', async () => {
    const { holder } = limitBench({ tokensPerMinute: 1_000 })
    const a = holder('a')
    await a.enter(900)
    await a.enter(900)
    expect((await a.outcome(1)).kind).toBe('refused')
  })
})

describe('a store that can not be reached', () => {
  test('is no outage: a share of the limits is kept here', async () => {
    const bench = limitBench({ rateLimitRps: 80, maxConcurrent: 8 })
    bench.store = 'down'
    const a = bench.holder('a')
    const running = await a.enter()
    // An eighth of eight slots, as nobody knows how many holders there are.
    expect(await a.outcome()).toMatchObject({ kind: 'refused', refusal: { meter: 'slots' } })
    running.release()
    let passed = 0
    for (let sent = 0; sent < 30; sent++) {
      const said = await a.outcome()
      if (said.kind === 'admitted') {
        passed += 1
        said.release()
      }
    }
    // The first and these, of a bucket of ten.
    expect(passed).toBe(9)
    expect(bench.failures.length).toBeGreaterThan(0)
  })

  test('is shared by as many as were known last', async () => {
    const bench = limitBench({ rateLimitRps: 40 })
    const [a, b] = [bench.holder('a'), bench.holder('b')]
    await a.enter()
    await b.enter()
    await bench.time.advance(3_000)
    bench.store = 'down'
    let passed = 0
    for (let sent = 0; sent < 40; sent++) if ((await b.outcome()).kind === 'admitted') passed += 1
    expect(passed).toBe(20)
  })

  test('holds nobody up but the first, and is asked once a second', async () => {
    const bench = limitBench({ rateLimitRps: 800 })
    bench.store = 'silent'
    const a = bench.holder('a')
    const startedMs = bench.time.now()
    await a.enter()
    expect(bench.time.now() - startedMs).toBeLessThanOrEqual(510)
    for (let sent = 0; sent < 50; sent++) {
      await bench.time.advance(100)
      expect(a.admit()).not.toBeInstanceOf(Promise)
    }
    expect(bench.failures.length).toBeLessThanOrEqual(6)
  })

  test('comes back: leases hold again, and the outage is no debt', async () => {
    const bench = limitBench({ rateLimitRps: 16 })
    bench.store = 'down'
    const a = bench.holder('a')
    for (let second = 0; second < 20; second++) {
      await bench.time.advance(1_000)
      await a.enter()
    }
    bench.store = 'up'
    await bench.time.advance(1_000)
    await a.enter()
    await bench.time.advance(20)
    let passed = 0
    for (let sent = 0; sent < 40; sent++) if ((await a.outcome()).kind === 'admitted') passed += 1
    expect(passed).toBeGreaterThanOrEqual(16)
    expect(passed).toBeLessThanOrEqual(18)
  })
})

test('an answer that comes late counts still', async () => {
  const bench = limitBench({ rateLimitRps: 10 })
  bench.latencyMs = 700
  const a = bench.holder('a')
  await a.enter()
  await bench.time.advance(700)
  bench.store = 'silent'
  // Leased by the late answer; the store would not answer this one.
  expect(a.admit()).not.toBeInstanceOf(Promise)
})

test('requests that are dropped while they wait leave no claim behind', async () => {
  const bench = limitBench({ rateLimitRps: 10 })
  bench.store = 'silent'
  const a = bench.holder('a')
  // Never waited for: on workerd nothing of such a request runs any more.
  for (let sent = 0; sent < 5; sent++) void a.admit()
  bench.store = 'up'
  await bench.time.advance(4_000)
  await a.enter()
  await bench.time.advance(4_000)
  await a.enter()
  expect(bench.reports.at(-1)?.meters.requests?.needed).toBeLessThanOrEqual(1)
})

test('limits that are raised reach a request that would have been refused without asking', async () => {
  const bench = limitBench({ rateLimitRps: 1 })
  const a = bench.holder('a')
  await a.enter()
  expect((await a.outcome()).kind).toBe('refused')
  bench.limits = limitsOf({ rateLimitRps: 1_000 })
  await bench.time.advance(10)
  await a.enter()
})

test('limits that change reach the next request, and those that run', async () => {
  const bench = limitBench({ rateLimitRps: 100 })
  const a = bench.holder('a')
  const running = await a.enter()
  bench.limits = limitsOf({ maxConcurrent: 1 })
  expect(await a.outcome()).toMatchObject({ kind: 'refused', refusal: { meter: 'slots' } })
  running.release()
  await a.enter()
  bench.limits = limitsOf({})
  await a.enter()
})

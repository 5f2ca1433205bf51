// Several processes as one fleet through a Redis: what one knows all know, one leads, and whoever dies, Redis included, takes
// nothing with it but what ran there.

import { describe, expect, test } from 'vitest'
import { startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { chatBody, postJson } from '../support/ask.ts'
import { until } from '../support/launch.ts'
import { expectPurgeEverywhere } from '../support/purged-memories.ts'
import { type GroupMember, routerGroup, type RouterGroup, type WorkerName, WORKERS } from '../support/router-group.ts'

/** Two seconds, after which no process decides on an older copy, and an answer that a busy machine misses. */
const KNOWN_WITHIN_MS = 4_000

/** Until the lock of a leader that was killed has expired, and another has looked; and something for a busy machine. */
const LED_WITHIN_MS = 10_000

/** Until a process that was killed counts as dead, and the leader has looked; and something for a busy machine. */
const GONE_WITHIN_MS = 20_000

/** How long a leader stands still once another leads: with that, its connection to Redis is given up, too. */
const STANDSTILL_MS = 8_000

/** Times at which requests of callers reached a worker. */
function callsAt(group: RouterGroup, name: WorkerName): readonly number[] {
  const calls = group
    .worker(name)
    .state()
    .requests.filter(({ target }) => target.startsWith('/v1/chat'))
  return calls.map(({ arrivedAtMs }) => arrivedAtMs)
}

function probesOf(group: RouterGroup, name: WorkerName): number {
  return group
    .worker(name)
    .state()
    .requests.filter(({ target }) => target === '/health').length
}

async function everyone(group: RouterGroup, holds: (member: GroupMember) => Promise<boolean>): Promise<void> {
  await until(
    async () => (await Promise.all(group.living().map(holds))).every(Boolean),
    20_000,
    () => 'not every process came to know',
  )
}

/** Drains a worker through one member under traffic at all; resolves with how long requests still went there. */
async function drainUnderTraffic(group: RouterGroup, member: GroupMember, name: WorkerName): Promise<number> {
  const traffic = group.traffic()
  await until(
    () => callsAt(group, name).length > 20,
    20_000,
    () => `nothing went to ${name}`,
  )
  const drained = await member.admin.post('/admin/drain', { id: name, timeout_secs: 60 })
  expect(drained.status).toBe(202)
  const drainedAtMs = Date.now()
  // Nobody looks meanwhile: an operator's look brings a copy up to date.
  await new Promise((resolve) => setTimeout(resolve, KNOWN_WITHIN_MS))
  const answers = await traffic.stop()
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  return Math.max(drainedAtMs, ...callsAt(group, name)) - drainedAtMs
}

/** Every process notices that Redis hangs, and none lets a request wait for it; then it goes on. */
async function hangUnderTraffic(group: RouterGroup): Promise<void> {
  await group.leader()
  const traffic = group.traffic()
  const goOn = group.hangRedis()
  try {
    await everyone(group, async (member) => (await member.role()) === 'alone')
    for (const member of group.living()) {
      const startedAtMs = Date.now()
      expect((await member.chat()).status).toBe(200)
      expect(Date.now() - startedAtMs).toBeLessThan(5_000)
    }
  } finally {
    goOn()
  }
  await group.leader()
  expect(new Set((await traffic.stop()).map(({ status }) => status))).toEqual(new Set([200]))
}

/** Redis is ended under traffic, and comes back with nothing. */
async function restartUnderTraffic(group: RouterGroup): Promise<void> {
  await group.leader()
  const traffic = group.traffic()
  const restart = await group.stopRedis()
  await everyone(group, async (member) => (await member.role()) === 'alone')
  await restart()
  await group.leader()
  const answers = await traffic.stop()
  expect(answers.length).toBeGreaterThan(20)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
}

describe('three processes', { timeout: 120_000 }, () => {
  const group = routerGroup({ runtimes: ['node', 'node', 'node'], itlMs: 1, config: { cache: { ttl_secs: 600 } } })

  test('have one leader, and the workers one prober', async () => {
    const leader = await group.leader()
    await leader.router.told('"level":"info","event":"fleet_role","role":"leader"}')
    const before = probesOf(group, 'a')
    const startedAtMs = Date.now()
    await until(
      () => probesOf(group, 'a') - before >= 5,
      30_000,
      () => 'nobody probed',
    )
    // Three would have asked fifteen times by then.
    const rounds = (Date.now() - startedAtMs) / 1_000 / 0.85
    expect(probesOf(group, 'a') - before).toBeLessThanOrEqual(rounds + 2)
  })

  test('all forget a purged answer, whichever is told to', async () => {
    await group.leader()
    for (const member of group.members) {
      await expectPurgeEverywhere(
        group.members.map(({ router }) => router.url),
        member.admin,
      )
    }
  })

  test('all know of a drain within two seconds, and of its end', async () => {
    const lastMs = await drainUnderTraffic(group, group.member(1), 'a')
    console.log(`requests still went to a drained worker for ${lastMs} ms`)
    expect(lastMs).toBeLessThan(KNOWN_WITHIN_MS)
    await group.member(2).admin.post('/admin/undrain', { id: 'a' })
    await everyone(group, async (one) => (await one.worker('a'))['draining'] === false)
  })

  test('all know what the requests of one found out', async () => {
    await group.leader()
    await group.worker('b').setFaults([{ refuse: true }])
    const one = group.member(2)
    const startedAtMs = Date.now()
    await until(
      async () => {
        expect((await one.chat()).status).toBe(200)
        return (await one.worker('b'))['is_healthy'] === false
      },
      20_000,
      () => 'requests did not find out',
    )
    await everyone(group, async (member) => (await member.worker('b'))['is_healthy'] === false)
    console.log(`an ejection was known to all after ${Date.now() - startedAtMs} ms`)
    await group.worker('b').setFaults([])
    await everyone(group, async (member) => (await member.worker('b'))['is_healthy'] === true)
  })

  test('take up a worker one after the other: one knows it first, and its models', async () => {
    const leader = await group.leader()
    const one = group.living().find((member) => member !== leader) ?? leader
    const extra = await startSimulatedWorker({ port: 0, models: ['only-extra'], outputTokens: 4 })
    const chat = (member: GroupMember) => postJson(`${member.router.url}/v1/chat/completions`, chatBody('only-extra'))
    expect((await one.admin.post('/workers', { id: 'extra', url: extra.url })).status).toBe(201)
    expect((await chat(one)).status).toBe(200)
    expect((await chat(leader)).status).toBe(404)
    expect((await leader.admin.post('/workers', { id: 'extra', url: extra.url })).status).toBe(201)
    expect((await chat(leader)).status).toBe(200)
    expect((await chat(one)).status).toBe(200)
    for (const member of [one, leader]) await member.admin.delete('/workers/extra')
    await extra.close()
  })

  test('lose no request while Redis hangs, and share again when it goes on', async () => {
    await hangUnderTraffic(group)
  })

  test('lose no request while Redis is away and comes back with nothing, and share again then', async () => {
    await group.leader()
    const timesAlone = () => group.members.map(({ router }) => router.output().split('"role":"alone"').length - 1)
    const before = timesAlone()
    await restartUnderTraffic(group)
    await until(
      () => timesAlone().every((times, at) => times > (before[at] ?? 0)),
      20_000,
      () => `told of being alone: ${timesAlone().join(', ')} times`,
    )
    expect(timesAlone()).toEqual(before.map((times) => times + 1))
    for (const { router } of group.members) expect(router.output()).not.toContain('redis://')
    await group.member(0).admin.post('/admin/drain', { id: 'c', timeout_secs: 60 })
    await everyone(group, async (member) => (await member.worker('c'))['draining'] === true)
  })

  test('have another leader soon after theirs was killed, which knows what was drained', async () => {
    const before = await group.leader()
    // Again, where the test before has: what is answered is written down.
    expect((await before.admin.post('/admin/drain', { id: 'c', timeout_secs: 60 })).status).toBe(202)
    await before.router.signal('SIGKILL')
    const killedAtMs = Date.now()
    const traffic = group.traffic()
    await group.leader()
    const tookMs = Date.now() - killedAtMs
    console.log(`another process led after ${tookMs} ms`)
    expect(tookMs).toBeLessThan(LED_WITHIN_MS)
    const asked = probesOf(group, 'a')
    await until(
      () => probesOf(group, 'a') > asked,
      10_000,
      () => 'nobody probes',
    )
    await everyone(group, async (member) => (await member.worker('c'))['draining'] === true)
    expect(new Set((await traffic.stop()).map(({ status }) => status))).toEqual(new Set([200]))
  })

  test('have another leader soon after theirs was told to end', async () => {
    const before = await group.leader()
    const next = await group.join('node')
    const ended = before.router.signal('SIGTERM')
    const toldAtMs = Date.now()
    const others = group.living().filter((member) => member !== before)
    await until(
      async () => (await Promise.all(others.map((member) => member.role()))).includes('leader'),
      20_000,
      () => 'nobody took over',
    )
    console.log(`another process led ${Date.now() - toldAtMs} ms after the leader was told to end`)
    expect(await ended).toBe(0)
    expect((await next.chat()).status).toBe(200)
  })

  test('forget what ran in one that was killed', async () => {
    const leader = await group.leader()
    const victim = await group.join('node')
    await until(
      async () => (await victim.role()) === 'follower',
      20_000,
      () => 'it did not join',
    )
    const streams = Array.from({ length: 4 }, () =>
      fetch(`${victim.router.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...chatBody('m'), stream: true, max_tokens: 100_000 }),
      }).then((answer) => answer.text().catch(() => '')),
    )
    const elsewhere = async () => {
      const shown = await Promise.all(WORKERS.map((name) => leader.worker(name)))
      return shown.reduce((sum, worker) => sum + Number(worker['in_flight_elsewhere']), 0)
    }
    await until(
      async () => (await elsewhere()) === 4,
      20_000,
      () => 'the streams were never seen',
    )
    await victim.router.signal('SIGKILL')
    const killedAtMs = Date.now()
    await until(
      async () => (await elsewhere()) === 0,
      GONE_WITHIN_MS,
      () => 'its requests are still counted',
    )
    console.log(`requests of a dead process were forgotten after ${Date.now() - killedAtMs} ms`)
    await Promise.allSettled(streams)
  })
})

describe('a leader that stands still for longer than its lock lasts', { timeout: 120_000 }, () => {
  const group = routerGroup({ runtimes: ['node', 'node', 'node'] })

  test('has no say any more, and carries out nothing by itself that it is told meanwhile', async () => {
    const before = await group.leader()
    const others = group.members.filter((member) => member !== before)
    const [other] = others
    if (other === undefined) throw new Error('there is nobody else')
    expect((await before.admin.post('/admin/drain', { id: 'a', timeout_secs: 600 })).status).toBe(202)
    before.router.process.kill('SIGSTOP')
    const late = before.admin.post('/admin/drain', { id: 'b', timeout_secs: 600 })
    try {
      await until(
        async () => (await Promise.all(others.map((member) => member.role()))).includes('leader'),
        30_000,
        () => 'nobody took over',
      )
      await other.admin.post('/admin/undrain', { id: 'a' })
      await new Promise((resolve) => setTimeout(resolve, STANDSTILL_MS))
    } finally {
      before.router.process.kill('SIGCONT')
    }
    expect((await late).status).toBe(202)
    const leader = await group.leader()
    expect(leader).not.toBe(before)
    await everyone(group, async (member) => (await member.worker('b'))['draining'] === true)
    await everyone(group, async (member) => (await member.worker('a'))['draining'] === false)
    // What the next leader would go on from is the same.
    await leader.router.signal('SIGKILL')
    await group.leader()
    await everyone(group, async (member) => (await member.worker('a'))['draining'] === false)
    await everyone(group, async (member) => (await member.worker('b'))['draining'] === true)
  })
})

describe('processes of three runtimes', { timeout: 120_000 }, () => {
  const group = routerGroup({ runtimes: ['node', 'bun', 'deno'], itlMs: 1 })

  test('are one fleet: a drain through any is known to all', async () => {
    await group.leader()
    for (const [at, name] of (['a', 'b', 'c'] as const).entries()) {
      const lastMs = await drainUnderTraffic(group, group.member(at), name)
      console.log(`requests still went to a worker drained through ${group.member(at).router.runtime}: ${lastMs} ms`)
      expect(lastMs).toBeLessThan(KNOWN_WITHIN_MS)
      await group.member(at).admin.post('/admin/undrain', { id: name })
      await everyone(group, async (one) => (await one.worker(name))['is_healthy'] === true)
    }
  })

  test('lose no request while Redis hangs, nor while it is away', async () => {
    await hangUnderTraffic(group)
    await restartUnderTraffic(group)
  })

  test('lead in turn: each goes on when the leader is killed', async () => {
    for (let left = 3; left > 1; left -= 1) {
      const leader = await group.leader()
      await leader.router.signal('SIGKILL')
      const next = await group.leader()
      expect(next).not.toBe(leader)
      expect((await next.chat()).status).toBe(200)
    }
  })
})

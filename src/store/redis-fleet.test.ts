// The fleet over Redis: the contract, by two processes of which the first leads; and what becomes of a fleet whose leader,
// whose members or whose Redis go away.

import { describe, expect, onTestFinished, test } from 'vitest'
import { fleetStoreConformance } from '../../test/conformance/fleet-store.ts'
import { defaultBreaker, fleetConfigOf, reportOf } from '../../test/support/fleet.ts'
import { until } from '../../test/support/launch.ts'
import { observationOf } from '../../test/support/observation.ts'
import { useRedis } from '../../test/support/redis-rig.ts'
import { VirtualClock } from '../simulator/clock.ts'
import type { FleetRole } from './fleet-seat.ts'
import type { FleetSnapshot } from './fleet-store.ts'
import { FENCE, RELEASE } from './leader-lock.ts'
import { type OpenRoot, SHARED_DRAIN_SETTLE_MS } from './led-state.ts'
import { createMemoryFleetStore } from './memory.ts'
import { RedisFleet } from './redis-fleet.ts'
import type { RedisLink } from './redis-link.ts'

const redis = useRedis()

const PROBE_MS = 10_000

/** Longer than any test takes: in these, locks expire when the test says so. */
const LONG_MS = 600_000

interface OpenState extends Partial<OpenRoot> {
  readonly only?: ReadonlySet<string> | null
}

interface Member {
  readonly fleet: RedisFleet
  readonly roles: FleetRole[]
  /** Rounds of probes that this process ran. */
  rounds(): number
  /** Workers that it asked, each time. */
  readonly asked: readonly string[]
  /** Scripts it has begun to run in Redis. */
  scripts(): number
  /** Cuts its connection, or mends it. */
  setCut(isCut: boolean): void
  /** Called with each script it sends, before it is sent; one that throws makes it fail. */
  onScript(hear: (script: string) => void): void
  /** Ends without a word, as a process that is killed. */
  kill(): void
}

/** Processes of one fleet, over workers `a` and `b`. Rounds after a process's first wait for `answerProbes` when held. */
function fleetOf(keyPrefix: string, { isHeld = false } = {}) {
  const clock = new VirtualClock(1_000_000)
  const members: Member[] = []
  const waiting: (() => void)[] = []

  async function join({
    lockMs = LONG_MS,
    presenceMs = LONG_MS,
    workers = ['a', 'b'],
    skewMs = 0,
  } = {}): Promise<Member> {
    const real = await redis.connect(() => clock.now())
    let isCut = false
    const reach = <Reply>(call: () => Promise<Reply>) => (isCut ? Promise.reject(new Error('cut')) : call())
    const link: RedisLink = {
      timeMs: () => reach(() => real.timeMs()),
      get: (key) => reach(() => real.get(key)),
      eval(script, call) {
        scripts += 1
        return reach(async () => {
          onScript(script)
          return real.eval(script, call)
        })
      },
      publish: (channel, message) => reach(() => real.publish(channel, message)),
      subscribe: (channel, listener) => real.subscribe(channel, (message) => (isCut ? undefined : listener(message))),
      close: () => real.close(),
    }
    let rounds = 0
    let scripts = 0
    let onScript: (script: string) => void = () => {}
    const asked: string[] = []
    let isDead = false
    const roles: FleetRole[] = []
    const after = (delayMs: number, task: () => void) => clock.after(delayMs, () => (isDead ? undefined : task()))
    function openState({ kept = [], mayProbe = async () => true, only = null }: OpenState) {
      const ids = workers.filter((id) => only?.has(id) ?? true)
      let isFirst = true
      return createMemoryFleetStore({
        config: fleetConfigOf(ids, { breaker: defaultBreaker() }),
        life: crypto.randomUUID(),
        kept,
        drainSettleMs: SHARED_DRAIN_SETTLE_MS,
        now: () => clock.now(),
        after,
        async probe() {
          if (!(await mayProbe())) return []
          if (isHeld && !isFirst) await new Promise<void>((resolve) => waiting.push(resolve))
          isFirst = false
          rounds += 1
          asked.push(...ids)
          return ids.map((id) => observationOf(id, { models: ['m', 'n'], atMs: clock.now() }))
        },
        nextProbeMs: () => PROBE_MS,
      })
    }
    const fleet = new RedisFleet({
      link,
      keyPrefix,
      lockMs,
      presenceMs,
      now: () => clock.now() + skewMs,
      random: () => 0.5,
      randomId: () => `process-${members.length}`,
      after,
      onRole: (role) => roles.push(role),
      openRoot: openState,
      ownWorkers: { workerIds: () => workers, open: (only) => openState({ only }) },
    })
    const member: Member = {
      fleet,
      roles,
      rounds: () => rounds,
      asked,
      scripts: () => scripts,
      setCut: (cut) => void (isCut = cut),
      onScript: (hear) => void (onScript = hear),
      kill() {
        isDead = true
        isCut = true
        real.close()
      },
    }
    members.push(member)
    onTestFinished(() => {
      isDead = true
    })
    await fleet.sync(reportOf(`first-${members.length}`))
    return member
  }

  /** Lets time pass in steps until something holds; what it sets going runs on the machine's time. */
  async function passUntil(holds: () => boolean | Promise<boolean>, stepMs = 250): Promise<number> {
    const startedMs = clock.now()
    await until(
      async () => {
        if (await holds()) return true
        clock.advance(stepMs)
        return false
      },
      20_000,
      () => 'it never came to pass',
    )
    return clock.now() - startedMs
  }
  const answerProbes = () => waiting.shift()?.()
  return { clock, join, passUntil, answerProbes }
}

fleetStoreConformance('redis', async () => {
  const { clock, join, answerProbes } = fleetOf(redis.newPrefix(), { isHeld: true })
  const [leader, other] = [await join(), await join()]
  return {
    store: leader.fleet,
    elsewhere: other.fleet,
    now: () => clock.now(),
    advance: (ms) => clock.advance(ms),
    async probeAgain() {
      const before = leader.rounds()
      clock.advance(PROBE_MS)
      await until(
        () => {
          answerProbes()
          return leader.rounds() > before
        },
        10_000,
        () => 'nobody probed',
      )
    },
  }
})

const stateOf = ({ workers }: FleetSnapshot, workerId: string) => workers.find((worker) => worker.workerId === workerId)

describe('one leads', { timeout: 30_000 }, () => {
  test('and only that one asks the workers', async () => {
    const { join, passUntil } = fleetOf(redis.newPrefix())
    const members = [await join(), await join(), await join()]
    expect(members.map(({ fleet }) => fleet.role())).toEqual(['leader', 'follower', 'follower'])
    await passUntil(() => (members[0]?.rounds() ?? 0) >= 3, 1_000)
    expect(members.map((member) => member.rounds() > 0)).toEqual([true, false, false])
  })

  test('and when it is killed another does once the lock has expired, with what was drained', async () => {
    const { clock, join, passUntil } = fleetOf(redis.newPrefix())
    const [first, second] = [await join({ lockMs: 2_000 }), await join({ lockMs: 2_000 })]
    expect(first.fleet.role()).toBe('leader')
    await first.fleet.drain('a', clock.now() + 300_000)
    first.kill()
    await passUntil(() => second.fleet.role() === 'leader')
    expect(second.roles).toEqual(['follower', 'leader'])
    const snapshot = await second.fleet.sync(reportOf('y'))
    expect(stateOf(snapshot, 'a')).toMatchObject({ availability: 'draining', models: ['m', 'n'] })
    expect(stateOf(snapshot, 'b')).toMatchObject({ availability: 'up' })
  })

  test('and when it ends in order another does at once', async () => {
    const { join, passUntil } = fleetOf(redis.newPrefix())
    const [first, second] = [await join(), await join()]
    await first.fleet.close()
    expect(await passUntil(() => second.fleet.role() === 'leader')).toBeLessThan(1_500)
  })

  test('and one that is asked something while it ends does not take the lead back', async () => {
    const { join, passUntil } = fleetOf(redis.newPrefix())
    const [first, second] = [await join(), await join()]
    first.onScript((script) => {
      if (!script.startsWith(RELEASE)) return
      // Sent behind the script that gives up the lock.
      queueMicrotask(() => void first.fleet.sync(reportOf('late')).catch(() => {}))
    })
    await first.fleet.close()
    expect(await passUntil(() => second.fleet.role() === 'leader')).toBeLessThan(1_500)
  })

  test('and what it could not write down at once is written down before it is answered', async () => {
    const { clock, join, passUntil } = fleetOf(redis.newPrefix())
    const [first, second] = [await join({ lockMs: 2_000 }), await join({ lockMs: 2_000 })]
    await first.fleet.drain('a', clock.now() + 300_000)
    let failures = 0
    first.onScript((script) => {
      if (!script.startsWith(FENCE) || failures > 0) return
      failures += 1
      throw new Error('no answer within 500 ms')
    })
    let isDone = false
    void first.fleet.undrain('a').then(() => (isDone = true))
    await passUntil(() => isDone)
    expect(failures).toBe(1)
    first.kill()
    await passUntil(() => second.fleet.role() === 'leader')
    expect(stateOf(await second.fleet.sync(reportOf('y')), 'a')?.drain).toBeNull()
  })

  test('and one that follows a leader which does not answer is alone, once, until there is another', async () => {
    const { clock, join, passUntil } = fleetOf(redis.newPrefix())
    const first = await join()
    first.kill()
    const second = await join({ lockMs: 2_000 })
    for (let looks = 0; looks < 8; looks += 1) {
      const before = second.scripts()
      await passUntil(() => second.scripts() > before)
      const { workers } = await second.fleet.sync(reportOf('y'))
      expect(workers.map(({ availability }) => availability)).toEqual(['up', 'up'])
    }
    expect(second.roles.filter((role) => role === 'alone')).toHaveLength(1)
    expect(second.roles.at(-1)).toBe('alone')
    expect(clock.now()).toBeGreaterThan(1_000_000)
  })

  test('and one whose clock is behind is believed all the same when it can not reach a worker', async () => {
    const { clock, join, passUntil } = fleetOf(redis.newPrefix())
    const [leader, behind] = [await join(), await join({ skewMs: -5_000 })]
    await passUntil(() => leader.rounds() > 1, 1_000)
    const atMs = clock.now() - 5_000
    const snapshot = await behind.fleet.sync(reportOf('y', { unreachable: [{ workerId: 'b', atMs }] }))
    expect(stateOf(snapshot, 'b')?.availability).toBe('suspect')
  })

  test('and one that was away for longer than the lock lasts leads no more, and asks nobody', async () => {
    const { clock, join, passUntil } = fleetOf(redis.newPrefix())
    const [first, second] = [await join({ lockMs: 1_500 }), await join({ lockMs: 1_500 })]
    first.setCut(true)
    await passUntil(() => second.fleet.role() === 'leader')
    first.setCut(false)
    await passUntil(() => first.fleet.role() === 'follower')
    const before = first.rounds()
    clock.advance(3 * PROBE_MS)
    await passUntil(() => second.rounds() > 2, 1_000)
    expect(first.rounds()).toBe(before)
  })
})

describe('a process that is killed', { timeout: 30_000 }, () => {
  test('takes its requests in flight with it', async () => {
    const { join, passUntil } = fleetOf(redis.newPrefix())
    const [leader, other] = [await join(), await join({ presenceMs: 300 })]
    await other.fleet.sync(reportOf('y', { inFlight: new Map([['a', 4]]) }))
    const elsewhere = async () => (await leader.fleet.sync(reportOf('x'))).inFlightElsewhere.get('a') ?? 0
    expect(await elsewhere()).toBe(4)
    other.kill()
    await passUntil(async () => (await elsewhere()) === 0)
  })
})

describe('without Redis', { timeout: 30_000 }, () => {
  test('each goes on by itself with what it knew, and joins again when it is back', async () => {
    const { clock, join, passUntil } = fleetOf(redis.newPrefix())
    const [leader, other] = [await join(), await join()]
    await leader.fleet.drain('a', clock.now() + 300_000)
    await passUntil(async () => stateOf(await other.fleet.sync(reportOf('y')), 'a')?.drain !== null)
    // A look at who leads, a reading of what is kept, and one to be sure that both have ended.
    const before = other.scripts()
    await passUntil(() => other.scripts() > before + 4)
    for (const member of [leader, other]) member.setCut(true)
    await passUntil(() => leader.fleet.role() === 'alone' && other.fleet.role() === 'alone')
    for (const { fleet } of [leader, other]) {
      const snapshot = await fleet.sync(reportOf('z'))
      expect(fleet.source).toBe('memory')
      expect(stateOf(snapshot, 'a')?.drain).not.toBeNull()
      expect(stateOf(snapshot, 'b')?.availability).toBe('up')
    }
    for (const member of [leader, other]) member.setCut(false)
    await passUntil(() => leader.fleet.role() !== 'alone' && other.fleet.role() !== 'alone')
    expect([leader.fleet.role(), other.fleet.role()].sort()).toEqual(['follower', 'leader'])
    expect(leader.roles.filter((role) => role === 'alone')).toHaveLength(1)
  })

  test('what an operator says to one process holds there, and for all when Redis is back', async () => {
    const { clock, join, passUntil } = fleetOf(redis.newPrefix())
    const [leader, other] = [await join(), await join()]
    other.setCut(true)
    await passUntil(() => other.fleet.role() === 'alone')
    await other.fleet.drain('b', clock.now() + 300_000)
    expect(stateOf(await other.fleet.sync(reportOf('y')), 'b')?.availability).toBe('draining')
    expect(stateOf(await leader.fleet.sync(reportOf('x')), 'b')?.availability).toBe('up')
    other.setCut(false)
    await passUntil(async () => stateOf(await leader.fleet.sync(reportOf('x')), 'b')?.drain !== null)
  })
})

describe('with something else under the names of its keys', { timeout: 30_000 }, () => {
  test('each process is alone, and they share as soon as that is gone', async () => {
    const keyPrefix = redis.newPrefix()
    const link = await redis.connect()
    const keys = [`${keyPrefix}:kept`, `${keyPrefix}:kept-version`]
    await link.eval(`redis.call('SET', KEYS[1], 'x') redis.call('SET', KEYS[2], '7')`, { keys, args: [] })
    const { join, passUntil } = fleetOf(keyPrefix)
    const members = [await join(), await join()]
    expect(members.map(({ roles }) => roles.at(-1))).toEqual(['alone', 'alone'])
    for (const { fleet } of members) {
      const { workers } = await fleet.sync(reportOf('x'))
      expect(workers.map(({ availability }) => availability)).toEqual(['up', 'up'])
    }
    await link.eval(`redis.call('DEL', KEYS[1])`, { keys, args: [] })
    await passUntil(() => members.every(({ fleet }) => fleet.role() !== 'alone'))
    expect(members.map(({ fleet }) => fleet.role()).sort()).toEqual(['follower', 'leader'])
    for (const { roles } of members) expect(roles.filter((role) => role === 'alone')).toHaveLength(1)
  })

  test('what is no memo is left out', async () => {
    const keyPrefix = redis.newPrefix()
    const link = await redis.connect()
    const keys = [`${keyPrefix}:kept`, `${keyPrefix}:kept-version`]
    await link.eval(`redis.call('HSET', KEYS[1], 'a', 'x{', 'b', '7') redis.call('SET', KEYS[2], '7')`, {
      keys,
      args: [],
    })
    const { join } = fleetOf(keyPrefix)
    const { fleet } = await join()
    expect(fleet.role()).toBe('leader')
    const { workers } = await fleet.sync(reportOf('x'))
    expect(workers.map(({ availability }) => availability)).toEqual(['up', 'up'])
  })
})

test(
  'a worker that only one process has is looked after there until the leader has it, too',
  { timeout: 30_000 },
  async () => {
    const { clock, join, passUntil } = fleetOf(redis.newPrefix())
    const [leader, other] = [await join(), await join({ workers: ['a', 'b', 'c'] })]
    expect([leader.fleet.role(), other.fleet.role()]).toEqual(['leader', 'follower'])
    expect(stateOf(await other.fleet.sync(reportOf('y')), 'c')).toMatchObject({
      availability: 'up',
      models: ['m', 'n'],
    })
    expect((await leader.fleet.sync(reportOf('x'))).workers).toHaveLength(2)
    await other.fleet.drain('c', clock.now() + 300_000)
    expect(stateOf(await other.fleet.sync(reportOf('y')), 'c')?.availability).toBe('draining')
    await other.fleet.undrain('c')
    await passUntil(() => other.rounds() > 2, 1_000)
    expect(new Set(other.asked)).toEqual(new Set(['c']))
    let isConfigured = false
    void leader.fleet.configure(fleetConfigOf(['a', 'b', 'c'])).then(() => (isConfigured = true))
    await passUntil(() => isConfigured)
    expect((await other.fleet.sync(reportOf('y'))).workers).toHaveLength(3)
    const before = other.rounds()
    clock.advance(3 * PROBE_MS)
    await passUntil(() => leader.rounds() > 2, 1_000)
    expect(other.rounds()).toBe(before)
  },
)

test('a Redis that has lost everything is told again what the fleet knows', { timeout: 30_000 }, async () => {
  const keyPrefix = redis.newPrefix()
  const { clock, join, passUntil } = fleetOf(keyPrefix)
  const [leader] = [await join(), await join()]
  await leader.fleet.drain('a', clock.now() + 300_000)
  const link = await redis.connect()
  const kept = () => link.eval(`return redis.call('HGET', KEYS[1], 'a')`, { keys: [`${keyPrefix}:kept`], args: [] })
  expect(await kept()).toContain('"draining"')
  await link.eval(`return redis.call('FLUSHALL')`, { keys: [], args: [] })
  await passUntil(async () => (await kept()) !== null)
  expect(await kept()).toContain('"draining"')
  expect(stateOf(await leader.fleet.sync(reportOf('x')), 'a')?.availability).toBe('draining')
})

// An isolate's copy of the fleet: when it asks, when a request waits, and what it decides on when nobody answers.

import { describe, expect, test } from 'vitest'
import { BREAKER, HEALTH, outcomesOf, snapshotOf, workerOf, workerStateOf } from '../../test/support/fleet.ts'
import type { BreakerConfig, WorkerConfig } from '../config/config.ts'
import { VirtualClock } from '../simulator/clock.ts'
import { FleetLink } from './fleet-link.ts'
import { FleetMirror } from './fleet-mirror.ts'
import type { FleetSnapshot, FleetStore, HolderReport, WorkerState } from './fleet-store.ts'
import type { Outcome } from './outcome-ledger.ts'

const START_MS = 1_000_000

const upAt = (checkedAtMs: number, workerId = 'a'): WorkerState => workerStateOf(workerId, { checkedAtMs })

interface Rig {
  readonly mirror: FleetMirror
  readonly link: FleetLink
  readonly clock: VirtualClock
  /** Reports the store was given, call by call. */
  readonly calls: HolderReport[]
  readonly failures: unknown[]
  /** Refreshes started beside a request. */
  readonly beside: Promise<unknown>[]
  /** A request looks: true when it has to wait. */
  look(ticketKey?: string | null): Promise<boolean>
  answerWith(answer: (report: HolderReport) => Promise<FleetSnapshot>): void
}

function rigOf(
  workers: readonly WorkerConfig[] = [workerOf('a'), workerOf('b')],
  ticketNow: FleetStore['ticketNow'] = null,
  breaker: BreakerConfig | null = BREAKER,
): Rig {
  const clock = new VirtualClock(START_MS)
  const calls: HolderReport[] = []
  const failures: unknown[] = []
  const beside: Promise<unknown>[] = []
  let answer: (report: HolderReport) => Promise<FleetSnapshot> = async () => snapshotAt(clock.now())
  const refuse = () => Promise.reject(new Error('not part of this test'))
  const link = new FleetLink({
    now: () => clock.now(),
    random: () => 0.5,
    randomId: () => 'isolate-1',
    onSyncFailed: (cause) => failures.push(cause),
    store: {
      source: 'fleet',
      ticketNow,
      sync(report) {
        calls.push(report)
        return answer(report)
      },
      drain: refuse,
      undrain: refuse,
      takeTicket: async () => 77,
      rememberResponse: refuse,
      findResponse: refuse,
      forgetResponse: refuse,
      announcePurge: refuse,
    },
  })
  const mirror = new FleetMirror(link, { workers, health: HEALTH, breaker })
  return {
    mirror,
    link,
    clock,
    calls,
    failures,
    beside,
    async look(ticketKey = null) {
      const waited = mirror.ensureFresh((task) => beside.push(task), ticketKey)
      await waited
      return waited !== null
    },
    answerWith(next) {
      answer = next
    },
  }
}

function snapshotAt(takenAtMs: number, given: Partial<FleetSnapshot> = {}): FleetSnapshot {
  return snapshotOf(takenAtMs, { workers: [upAt(takenAtMs), upAt(takenAtMs, 'b')], ...given })
}

const beside = (rig: Rig) => (task: Promise<unknown>) => void rig.beside.push(task)

/** An attempt at worker `a`, or its first rank, that ends like this at once. */
function end(rig: Rig, outcome: Outcome): void {
  const lease = rig.mirror.acquire(rig.mirror.candidatesOf('a')[0] ?? 'a', beside(rig))
  lease.note(outcome)
  lease.release()
}

const fault = (rig: Rig, reach: 'not_sent' | 'maybe_sent' | 'sent') => end(rig, { kind: 'fault', reach })

const availabilities = ({ mirror }: Rig) => mirror.view().candidates.map(({ availability }) => availability)

describe('when the store is asked', () => {
  test('before the first decision, which waits for it', async () => {
    const rig = rigOf()
    expect(rig.mirror.view()).toMatchObject({ source: 'none', ageMs: 0 })
    expect(availabilities(rig)).toEqual(['unknown', 'unknown'])
    expect(await rig.look()).toBe(true)
    expect(rig.calls).toHaveLength(1)
    expect(rig.mirror.view()).toMatchObject({ source: 'fleet', ageMs: 0 })
    expect(availabilities(rig)).toEqual(['up', 'up'])
  })

  test('not at all while the copy is a second old at most, however many requests come', async () => {
    const rig = rigOf()
    await rig.look()
    for (let at = 0; at < 1_000; at += 1) {
      rig.clock.advance(1)
      expect(await rig.look()).toBe(false)
    }
    expect(rig.calls).toHaveLength(1)
  })

  test('once, beside the requests, when the copy is between one and two seconds old', async () => {
    const rig = rigOf()
    await rig.look()
    rig.clock.advance(1_001)
    rig.answerWith(() => new Promise(() => {}))
    for (let at = 0; at < 50; at += 1) {
      expect(await rig.look()).toBe(false)
      rig.clock.advance(19)
    }
    expect(rig.beside).toHaveLength(1)
    expect(rig.calls).toHaveLength(2)
  })

  test('before deciding when the copy is older than two seconds', async () => {
    const rig = rigOf()
    await rig.look()
    rig.clock.advance(2_001)
    expect(await rig.look()).toBe(true)
    expect(rig.calls).toHaveLength(2)
    expect(rig.beside).toHaveLength(0)
    expect(rig.mirror.view().ageMs).toBe(0)
  })

  test('before deciding when what was handed on was old by then: two seconds after a change everybody knows', async () => {
    const rig = rigOf()
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { ageMs: 500 }))
    await rig.look()
    rig.answerWith(() => new Promise(() => {}))
    rig.clock.advance(1_500)
    expect(await rig.look()).toBe(false)
    expect([rig.beside.length, rig.calls.length]).toEqual([1, 2])
    rig.clock.advance(1)
    void rig.look()
    expect([rig.beside.length, rig.calls.length]).toEqual([1, 3])
  })

  test('not by each request because the store is slow: what it sent is good for a second at least', async () => {
    const rig = rigOf()
    rig.answerWith(async () => {
      rig.clock.advance(5_000)
      return snapshotAt(rig.clock.now())
    })
    await rig.look()
    rig.clock.advance(900)
    expect(await rig.look()).toBe(false)
    expect(rig.calls).toHaveLength(1)
  })

  test('a stream of requests costs one call a second, and none of them waits', async () => {
    const rig = rigOf()
    await rig.look()
    for (let at = 0; at < 10_000; at += 10) {
      rig.clock.advance(10)
      expect(await rig.look()).toBe(false)
    }
    expect(rig.calls.length).toBeGreaterThanOrEqual(10)
    expect(rig.calls.length).toBeLessThanOrEqual(11)
  })

  test('by each request that has no copy, as on workerd none may wait for the promise of another', async () => {
    const rig = rigOf()
    await Promise.all([rig.look(), rig.look(), rig.look()])
    expect(rig.calls).toHaveLength(3)
  })
})

describe('when the store fails', () => {
  test('decisions go on with the older copy, which says so, and the store is asked once a second', async () => {
    const rig = rigOf()
    await rig.look()
    rig.answerWith(() => Promise.reject(new Error('overloaded')))
    for (let at = 0; at < 500; at += 1) {
      rig.clock.advance(20)
      await rig.look()
    }
    expect(rig.calls.length).toBeLessThanOrEqual(1 + 10)
    expect(rig.failures).toHaveLength(rig.calls.length - 1)
    expect(rig.mirror.view()).toMatchObject({ source: 'stale', ageMs: 10_000 })
    expect(availabilities(rig)).toEqual(['up', 'up'])
  })

  test('a first sync that fails leaves nothing known, and does not throw', async () => {
    const rig = rigOf()
    rig.answerWith(() => Promise.reject(new Error('overloaded')))
    expect(await rig.look()).toBe(true)
    expect(rig.mirror.view().source).toBe('none')
  })

  test("one success later it is the store's word again", async () => {
    const rig = rigOf()
    await rig.look()
    rig.answerWith(() => Promise.reject(new Error('overloaded')))
    rig.clock.advance(3_000)
    await rig.look()
    rig.answerWith(async () => snapshotAt(rig.clock.now()))
    rig.clock.advance(1_001)
    await rig.look()
    expect(rig.mirror.view()).toMatchObject({ source: 'fleet', ageMs: 0 })
  })
})

describe('answers out of order', () => {
  test('the older of two that were under way at once does not overwrite the newer', async () => {
    const rig = rigOf()
    const answers: ((snapshot: FleetSnapshot) => void)[] = []
    rig.answerWith(() => new Promise((resolve) => answers.push(resolve)))
    const first = rig.look()
    const second = rig.look()
    answers[1]?.(snapshotAt(START_MS + 5))
    await second
    answers[0]?.(snapshotAt(START_MS + 2, { workers: [] }))
    await first
    expect(availabilities(rig)).toEqual(['up', 'up'])
  })

  test('a clock that went back is believed once the store is asked again', async () => {
    const rig = rigOf()
    await rig.look()
    const workers = [{ ...upAt(START_MS), availability: 'down' as const }]
    // The object has moved to a machine that is an hour behind.
    rig.answerWith(async () => snapshotAt(rig.clock.now() - 3_600_000, { workers }))
    rig.clock.advance(1_001)
    await rig.look()
    await Promise.all(rig.beside)
    expect(availabilities(rig)).toEqual(['down', 'unknown'])
    rig.clock.advance(900)
    expect(await rig.look()).toBe(false)
    expect(rig.calls).toHaveLength(2)
  })

  test('a copy from a clock ahead of ours is never of a negative age', async () => {
    const rig = rigOf()
    rig.answerWith(async () => snapshotAt(rig.clock.now() + 50_000))
    await rig.look()
    expect(rig.mirror.view().ageMs).toBe(0)
  })
})

describe('workers that requests could not reach', () => {
  test('are out at once here, and told to the others with the next report, which comes soon', async () => {
    const rig = rigOf()
    await rig.look()
    rig.clock.advance(100)
    fault(rig, 'not_sent')
    expect(availabilities(rig)).toEqual(['suspect', 'up'])
    rig.clock.advance(901)
    expect(await rig.look()).toBe(false)
    expect(rig.calls[1]?.unreachable).toEqual([{ workerId: 'a', atMs: START_MS + 100 }])
  })

  test('one request that may have reached the worker is no proof', async () => {
    const rig = rigOf()
    await rig.look()
    fault(rig, 'maybe_sent')
    expect(availabilities(rig)).toEqual(['up', 'up'])
    fault(rig, 'maybe_sent')
    expect(availabilities(rig)).toEqual(['suspect', 'up'])
    rig.clock.advance(1_001)
    await rig.look()
    expect(rig.calls[1]?.unreachable).toHaveLength(1)
  })

  test('an answer in between clears them', async () => {
    const rig = rigOf()
    await rig.look()
    fault(rig, 'maybe_sent')
    end(rig, { kind: 'ok' })
    fault(rig, 'maybe_sent')
    expect(availabilities(rig)).toEqual(['up', 'up'])
  })

  test('come back with a look at them that is later than the failure', async () => {
    const rig = rigOf()
    await rig.look()
    rig.clock.advance(10)
    fault(rig, 'not_sent')
    // An answer given before the failure must not bring the worker back.
    rig.answerWith(async () => snapshotAt(START_MS + 5))
    rig.clock.advance(1_001)
    await rig.look()
    await Promise.all(rig.beside)
    expect(availabilities(rig)).toEqual(['suspect', 'up'])
    rig.answerWith(async () => snapshotAt(rig.clock.now()))
    rig.clock.advance(1_001)
    await rig.look()
    await Promise.all(rig.beside)
    expect(availabilities(rig)).toEqual(['up', 'up'])
  })

  test('what could not be told is told with the next reports, until it has arrived', async () => {
    const rig = rigOf()
    await rig.look()
    rig.answerWith(() => Promise.reject(new Error('overloaded')))
    fault(rig, 'not_sent')
    await Promise.all(rig.beside)
    rig.clock.advance(1_001)
    await rig.look()
    await Promise.all(rig.beside)
    rig.answerWith(async () => snapshotAt(rig.clock.now()))
    for (let time = 0; time < 2; time += 1) {
      rig.clock.advance(1_001)
      await rig.look()
      await Promise.all(rig.beside)
    }
    expect(rig.calls.map(({ unreachable }) => unreachable.length)).toEqual([0, 1, 1, 1, 0])
  })
})

describe('attempts', () => {
  test('are told with the next report, each once: how they ended, under the epoch they began in', async () => {
    const rig = rigOf()
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { workers: [workerStateOf('a', { epoch: 7 })] }))
    await rig.look()
    end(rig, { kind: 'ok' })
    end(rig, { kind: 'caller' })
    const lease = rig.mirror.acquire('a', beside(rig))
    lease.note({ kind: 'fault', reach: 'sent' })
    lease.note({ kind: 'ok' })
    lease.release()
    // A client that left: its attempt says nothing.
    rig.mirror.acquire('a', beside(rig)).release()
    for (let time = 0; time < 2; time += 1) {
      rig.clock.advance(1_001)
      await rig.look()
      await Promise.all(rig.beside)
    }
    const outcomes = rig.calls.map((call) => call.outcomes?.workers ?? [])
    expect(outcomes).toEqual([[], [outcomesOf('a', { epoch: 7, oks: 1, faults: 1, faultsInRow: 1 })], []])
  })

  test('with faults in a row take a worker out at once here, and the store hears of it beside the request', async () => {
    const rig = rigOf()
    await rig.look()
    for (let at = 0; at < BREAKER.failureThreshold; at += 1) fault(rig, 'sent')
    expect(availabilities(rig)).toEqual(['open', 'up'])
    expect(rig.calls).toHaveLength(2)
    expect(rig.calls[1]).toMatchObject({
      isUrgent: true,
      outcomes: { workers: [{ faults: BREAKER.failureThreshold }] },
    })
    await Promise.all(rig.beside)
    // The store has weighed it with what others know, and its word counts from here on.
    expect(availabilities(rig)).toEqual(['up', 'up'])
  })

  test('keep it out while the store only has a copy that is older than what it was told', async () => {
    const rig = rigOf()
    await rig.look()
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { workers: [upAt(START_MS)], ageMs: 3_000 }))
    for (let at = 0; at < BREAKER.failureThreshold; at += 1) fault(rig, 'sent')
    await Promise.all(rig.beside)
    expect(availabilities(rig)).toEqual(['open', 'unknown'])
    rig.clock.advance(1_500)
    await rig.look()
    expect(availabilities(rig)).toEqual(['open', 'unknown'])
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { workers: [upAt(START_MS)] }))
    rig.clock.advance(1_500)
    await rig.look()
    await Promise.all(rig.beside)
    expect(availabilities(rig)).toEqual(['up', 'unknown'])
  })

  test('that a worker answered with a wish to be left alone take it out of the usual, and lower its share', async () => {
    const rig = rigOf()
    await rig.look()
    end(rig, { kind: 'busy', waitMs: 3_000 })
    const [candidate] = rig.mirror.view().candidates
    expect(candidate).toMatchObject({ availability: 'suspect', share: 0.5 })
    rig.clock.advance(3_000)
    expect(rig.mirror.view().candidates[0]).toMatchObject({ availability: 'up', share: 0.6 })
  })

  test('of others that met such a wish count here too', async () => {
    const rig = rigOf()
    const busyUntilMs = START_MS + 900
    rig.answerWith(async () =>
      snapshotAt(rig.clock.now(), { workers: [workerStateOf('a', { busyUntilMs, share: 0.3 })] }),
    )
    await rig.look()
    expect(rig.mirror.view().candidates[0]).toMatchObject({ availability: 'suspect', share: 0.3 })
    rig.clock.advance(900)
    expect(rig.mirror.view().candidates[0]).toMatchObject({ availability: 'up' })
  })

  test('at a half-open worker take a permit, say so at once, and say at once how they ended', async () => {
    const rig = rigOf()
    const workers = [workerStateOf('a', { availability: 'half_open', epoch: 3 }), upAt(START_MS, 'b')]
    rig.answerWith(async ({ wantsPermits }) =>
      snapshotAt(rig.clock.now(), { workers, permits: wantsPermits ? [{ id: 5, workerId: 'a' }] : [] }),
    )
    await rig.look()
    expect(rig.calls[0]).toMatchObject({ wantsPermits: true, permits: [] })
    const hasPermit = () => rig.mirror.view().candidates.map((candidate) => candidate.hasPermit)
    expect(hasPermit()).toEqual([true, false])
    rig.mirror.reservePermit('a')
    expect(hasPermit()).toEqual([false, false])
    const lease = rig.mirror.acquire('a', beside(rig))
    expect(rig.calls[1]).toMatchObject({ isUrgent: true, permits: [{ id: 5, workerId: 'a', isInUse: true }] })
    lease.note({ kind: 'ok' })
    lease.release()
    expect(rig.calls[2]).toMatchObject({ isUrgent: true, permits: [], outcomes: { workers: [{ epoch: 3, oks: 1 }] } })
  })

  test('keep their permit for as long as nothing comes back, however long, and a while from the first byte on', async () => {
    const rig = rigOf()
    const workers = [workerStateOf('a', { availability: 'half_open', epoch: 3 })]
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { workers, permits: [{ id: 5, workerId: 'a' }] }))
    await rig.look()
    rig.mirror.reservePermit('a')
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { workers }))
    const lease = rig.mirror.acquire('a', beside(rig))
    const runFor = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 5_000) {
        rig.clock.advance(5_000)
        lease.renew()
        await Promise.all(rig.beside)
      }
      return rig.calls.at(-1)?.permits
    }
    expect(await runFor(300_000)).toEqual([{ id: 5, workerId: 'a', isInUse: true }])
    lease.activity.lastByteAtMs = rig.clock.now()
    expect(await runFor(10_000)).toHaveLength(1)
    expect(await runFor(10_000)).toEqual([])
  })

  test('that run on without traffic are told every few seconds, with the last byte of each worker', async () => {
    const rig = rigOf()
    await rig.look()
    const lease = rig.mirror.acquire('a', beside(rig))
    rig.clock.advance(3_000)
    lease.activity.lastByteAtMs = rig.clock.now()
    lease.renew()
    expect(rig.calls).toHaveLength(1)
    rig.clock.advance(2_000)
    lease.renew()
    // The store has not heard of work on this worker at all, so no copy in between may keep it.
    expect(rig.calls[1]).toMatchObject({
      isUrgent: true,
      inFlight: new Map([['a', 1]]),
      quietMs: new Map([['a', 2_000]]),
    })
    await Promise.all(rig.beside)
    rig.clock.advance(5_000)
    lease.activity.isWaiting = false
    lease.renew()
    // Nobody reads: that is not the worker's silence.
    expect(rig.calls[2]).toMatchObject({ isUrgent: false, quietMs: new Map([['a', 0]]) })
    await Promise.all(rig.beside)
    lease.release()
    expect(rig.calls[3]?.inFlight.size).toBe(0)
  })

  test('that end with an answer, whatever it says, show that their worker gets on', async () => {
    const outcomes: Outcome[] = [{ kind: 'ok' }, { kind: 'caller' }, { kind: 'busy', waitMs: 0 }]
    for (const outcome of [...outcomes, { kind: 'fault', reach: 'sent' } as const]) {
      const rig = rigOf()
      await rig.look()
      end(rig, outcome)
      rig.clock.advance(2_001)
      await rig.look()
      expect(rig.calls[1]?.quietMs).toEqual(new Map(outcome.kind === 'fault' ? [] : [['a', 2_001]]))
    }
  })

  test('that were never reported need no report of their end', async () => {
    const rig = rigOf()
    await rig.look()
    end(rig, { kind: 'ok' })
    expect(rig.calls).toHaveLength(1)
  })

  test('the last one at a draining worker is reported as it ends', async () => {
    const rig = rigOf()
    const drain = { state: 'draining', sinceMs: 0, deadlineMs: 9e9, inFlight: 2, leftRunning: null } as const
    const workers = [workerStateOf('a', { availability: 'draining', drain }), upAt(START_MS, 'b')]
    const first = rig.mirror.acquire('a', beside(rig))
    const second = rig.mirror.acquire('a', beside(rig))
    const other = rig.mirror.acquire('b', beside(rig))
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { workers }))
    await rig.look()
    first.release()
    expect(rig.calls).toHaveLength(1)
    second.release()
    expect(rig.calls[1]).toMatchObject({ isUrgent: true, inFlight: new Map([['b', 1]]) })
    other.release()
  })
})

describe('configurations that follow one another', () => {
  test('share leases, snapshot and evidence; each sees its own workers', async () => {
    const rig = rigOf()
    await rig.look()
    const lease = rig.mirror.acquire('a', beside(rig))
    fault(rig, 'not_sent')
    const next = new FleetMirror(rig.link, { workers: [workerOf('a'), workerOf('c')], health: HEALTH, breaker: null })
    expect(next.view().candidates.map(({ id, inFlightHere }) => [id, inFlightHere])).toEqual([
      ['a', 1],
      ['c', 0],
    ])
    expect(next.view().candidates[0]?.availability).toBe('suspect')
    lease.release()
    expect([next.inFlight(), rig.mirror.inFlight()]).toEqual([0, 0])
    expect(rig.mirror.worker('b')).not.toBeNull()
    expect(next.worker('b')).toBeNull()
  })
})

describe('workers as operators see them', () => {
  test('with state, load and its age, and requests here and elsewhere over all ranks', async () => {
    const rig = rigOf([workerOf('a', { dataParallelSize: 2 }), workerOf('b')])
    const load = { running: 3, waiting: 1, kvUsage: 0.5, tokensTotal: 900, atMs: START_MS - 400, ours: 2 }
    const breaker = { state: 'half_open', retryAtMs: START_MS, errorRate: 0.7 } as const
    const workers = [workerStateOf('a', { availability: 'half_open', reason: 'recovering', load, breaker, share: 0.4 })]
    const inFlightElsewhere = new Map([
      ['a@0', 2],
      ['a@1', 3],
    ])
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { workers, inFlightElsewhere }))
    await rig.mirror.refreshNow()
    expect(rig.calls[0]?.isUrgent).toBe(true)
    rig.mirror.acquire('a@1', beside(rig))
    expect(rig.mirror.workers()).toEqual([
      {
        id: 'a',
        url: 'http://a.test',
        availability: 'half_open',
        reason: 'recovering',
        sinceMs: 0,
        checkedAtMs: 0,
        models: ['m'],
        load: { ...load, ageMs: 400 },
        inFlightHere: 1,
        inFlightElsewhere: 5,
        drain: null,
        breaker,
        share: 0.4,
        busyUntilMs: null,
      },
      {
        id: 'b',
        url: 'http://b.test',
        availability: 'unknown',
        reason: 'not_asked_yet',
        sinceMs: null,
        checkedAtMs: null,
        models: null,
        load: null,
        inFlightHere: 0,
        inFlightElsewhere: 0,
        drain: null,
        breaker: { state: 'closed', retryAtMs: null, errorRate: null },
        share: 1,
        busyUntilMs: null,
      },
    ])
  })

  test('one that asked to be left alone, here or elsewhere, is busy, and until when', async () => {
    const rig = rigOf()
    const told = workerStateOf('b', { reason: 'busy', busyUntilMs: START_MS + 2_000, share: 0.5 })
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { workers: [workerStateOf('a'), told] }))
    await rig.look()
    end(rig, { kind: 'busy', waitMs: 3_000 })
    const busy = { availability: 'suspect', reason: 'busy' }
    expect(rig.mirror.workers()).toMatchObject([
      { ...busy, busyUntilMs: START_MS + 3_000 },
      { ...busy, busyUntilMs: START_MS + 2_000 },
    ])
    rig.clock.advance(3_000)
    expect(rig.mirror.workers().map(({ busyUntilMs }) => busyUntilMs)).toEqual([null, null])
  })

  test('what only this process knows yet is shown too', async () => {
    const rig = rigOf()
    await rig.look()
    rig.answerWith(() => new Promise(() => {}))
    fault(rig, 'not_sent')
    expect(rig.mirror.workers()[0]).toMatchObject({ availability: 'suspect', reason: 'request_failed' })
  })
})

describe('what it reports and shows', () => {
  test('its own leases, apart from those of others', async () => {
    const rig = rigOf()
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { inFlightElsewhere: new Map([['a', 5]]) }))
    await rig.look()
    const lease = rig.mirror.acquire('a', beside(rig))
    expect(rig.mirror.view().candidates[0]).toMatchObject({ inFlightHere: 1, inFlightElsewhere: 5 })
    rig.clock.advance(2_001)
    await rig.look()
    expect(rig.calls[1]).toMatchObject({ holder: 'isolate-1', inFlight: new Map([['a', 1]]) })
    lease.release()
    expect(rig.mirror.inFlight()).toBe(0)
    rig.clock.advance(2_001)
    await rig.look()
    expect(rig.calls[2]?.inFlight.size).toBe(0)
  })

  test('ranks of a data-parallel worker are candidates of their own, down and up together', async () => {
    const rig = rigOf([workerOf('a', { dataParallelSize: 3 }), workerOf('b')])
    await rig.look()
    rig.mirror.acquire('a@1', beside(rig))
    fault(rig, 'not_sent')
    const { candidates } = rig.mirror.view()
    expect(candidates.map(({ id }) => id)).toEqual(['a@0', 'a@1', 'a@2', 'b'])
    expect(candidates.map(({ inFlightHere }) => inFlightHere)).toEqual([0, 1, 0, 0])
    expect(candidates.map(({ availability }) => availability)).toEqual(['suspect', 'suspect', 'suspect', 'up'])
  })

  test('models: configured ones win, learned ones fill in, silent workers are known to be silent', async () => {
    const rig = rigOf([workerOf('a', { models: ['own'] }), workerOf('b'), workerOf('c')])
    expect([...rig.mirror.models()]).toEqual(['own'])
    await rig.look()
    expect([...rig.mirror.models()].sort()).toEqual(['m', 'own'])
    expect([...(rig.mirror.modelsOf('a') ?? [])]).toEqual(['own'])
    expect(rig.mirror.modelsOf('c')).toBeNull()
    expect(rig.mirror.hasSilentWorkers()).toBe(true)
    expect(rig.mirror.worker('b')?.url).toBe('http://b.test')
    expect(rig.mirror.worker('z')).toBeNull()
  })
})

describe('turns', () => {
  const leasing =
    (rig: Rig) =>
    async ({ ticketsWanted }: HolderReport) => {
      const tickets = new Map(Array.from(ticketsWanted, ([key, count]) => [key, { first: 500, count }] as const))
      tickets.delete('made-up')
      return snapshotAt(rig.clock.now(), { tickets })
    }

  test("are leased along with the first call, so that the first request takes one of the fleet's", async () => {
    const rig = rigOf()
    rig.answerWith(leasing(rig))
    await rig.look('m')
    expect(rig.calls[0]?.ticketsWanted).toEqual(new Map([['m', 64]]))
    expect([rig.mirror.ticket('m'), rig.mirror.ticket('m')]).toEqual([500, 501])
  })

  test('are leased for every model ahead of its first request, once requests take turns at all', async () => {
    const rig = rigOf([workerOf('a', { models: ['m', 'n'] })])
    await rig.look(null)
    for (const key of [null, 'm', 'm']) {
      rig.clock.advance(2_001)
      await rig.look(key)
    }
    expect(rig.calls.map(({ ticketsWanted }) => [...ticketsWanted.keys()])).toEqual([[], [], ['m'], ['m', 'n']])
  })

  test('are asked for once under a name that nobody serves, which is then forgotten', async () => {
    const rig = rigOf()
    rig.answerWith(leasing(rig))
    await rig.look('made-up')
    rig.clock.advance(2_001)
    await rig.look('m')
    expect([...(rig.calls[1]?.ticketsWanted.keys() ?? [])]).toEqual(['m'])
  })

  test('are neither leased nor waited for where the count is in this process', async () => {
    let next = 0
    const rig = rigOf(undefined, () => next++)
    await rig.look('m')
    rig.clock.advance(2_001)
    await rig.look('m')
    expect(rig.calls.map(({ ticketsWanted }) => ticketsWanted.size)).toEqual([0, 0])
    expect([rig.mirror.ticket('m'), rig.mirror.ticket('m')]).toEqual([0, 1])
  })

  test('strict ones are asked of the store each time', async () => {
    expect(await rigOf().mirror.strictTicket('m')).toBe(77)
  })
})

describe('what is the same for many requests', () => {
  test('is not made anew, while requests in flight are counted and older views stay as they were', async () => {
    const { mirror, look } = rigOf()
    await look()
    const before = mirror.view().candidates
    const lease = mirror.acquire('b', () => {})
    const during = mirror.view().candidates
    lease.release()
    const after = mirror.view().candidates
    expect([before, during, after].map((view) => view.map(({ inFlightHere }) => inFlightHere))).toEqual([
      [0, 0],
      [0, 1],
      [0, 0],
    ])
    expect(during[0]).toBe(before[0])
    expect(after).toEqual(before)
    expect(after).not.toBe(before)
  })
})

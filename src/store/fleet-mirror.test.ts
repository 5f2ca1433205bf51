// An isolate's copy of the fleet: when it asks, when a request waits, and what it decides on when nobody answers.

import { describe, expect, test } from 'vitest'
import type { WorkerConfig } from '../config/config.ts'
import { VirtualClock } from '../simulator/clock.ts'
import { FleetMirror } from './fleet-mirror.ts'
import type { FleetSnapshot, FleetStore, HolderReport, WorkerState } from './fleet-store.ts'

const START_MS = 1_000_000

function workerOf(id: string, given: Partial<WorkerConfig> = {}): WorkerConfig {
  const plain = { isNamed: true, models: null, weight: 1, labels: {}, apiKey: null, binding: null, dataParallelSize: 1 }
  return { id, url: `http://${id}.test`, ...plain, ...given }
}

const upAt = (checkedAtMs: number, workerId = 'a'): WorkerState => ({
  workerId,
  availability: 'up',
  models: ['m'],
  checkedAtMs,
})

interface Rig {
  readonly mirror: FleetMirror
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
): Rig {
  const clock = new VirtualClock(START_MS)
  const calls: HolderReport[] = []
  const failures: unknown[] = []
  const beside: Promise<unknown>[] = []
  let answer: (report: HolderReport) => Promise<FleetSnapshot> = async () => snapshotAt(clock.now())
  const refuse = () => Promise.reject(new Error('not part of this test'))
  const mirror = new FleetMirror({
    workers,
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
      takeTicket: async () => 77,
      rememberResponse: refuse,
      findResponse: refuse,
      forgetResponse: refuse,
    },
  })
  return {
    mirror,
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
  const workers = [upAt(takenAtMs), upAt(takenAtMs, 'b')]
  return { takenAtMs, workers, inFlightElsewhere: new Map(), tickets: new Map(), ...given }
}

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
    rig.mirror.noteFailure('a', 'not_sent')
    expect(availabilities(rig)).toEqual(['suspect', 'up'])
    rig.clock.advance(901)
    expect(await rig.look()).toBe(false)
    expect(rig.calls[1]?.unreachable).toEqual([{ workerId: 'a', atMs: START_MS + 100 }])
  })

  test('one request that may have reached the worker is no proof', async () => {
    const rig = rigOf()
    await rig.look()
    rig.mirror.noteFailure('a', 'maybe_sent')
    expect(availabilities(rig)).toEqual(['up', 'up'])
    rig.mirror.noteFailure('a', 'maybe_sent')
    expect(availabilities(rig)).toEqual(['suspect', 'up'])
    rig.clock.advance(1_001)
    await rig.look()
    expect(rig.calls[1]?.unreachable).toHaveLength(1)
  })

  test('an answer in between clears them', async () => {
    const rig = rigOf()
    await rig.look()
    rig.mirror.noteFailure('a', 'maybe_sent')
    rig.mirror.noteAnswer('a')
    rig.mirror.noteFailure('a', 'maybe_sent')
    expect(availabilities(rig)).toEqual(['up', 'up'])
  })

  test('come back with a look at them that is later than the failure', async () => {
    const rig = rigOf()
    await rig.look()
    rig.clock.advance(10)
    rig.mirror.noteFailure('a', 'not_sent')
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

  test('what could not be told is told with the next report', async () => {
    const rig = rigOf()
    await rig.look()
    rig.mirror.noteFailure('a', 'not_sent')
    rig.answerWith(() => Promise.reject(new Error('overloaded')))
    rig.clock.advance(1_001)
    await rig.look()
    await Promise.all(rig.beside)
    rig.answerWith(async () => snapshotAt(rig.clock.now()))
    rig.clock.advance(1_001)
    await rig.look()
    expect(rig.calls.map(({ unreachable }) => unreachable.length)).toEqual([0, 1, 1])
  })
})

describe('what it reports and shows', () => {
  test('its own leases, apart from those of others', async () => {
    const rig = rigOf()
    rig.answerWith(async () => snapshotAt(rig.clock.now(), { inFlightElsewhere: new Map([['a', 5]]) }))
    await rig.look()
    const lease = rig.mirror.acquire('a')
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
    rig.mirror.acquire('a@1')
    rig.mirror.noteFailure('a', 'not_sent')
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

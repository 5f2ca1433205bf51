// What everything held for and against a worker comes to: which word wins, what moves it, and that it always finds back.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BREAKER, HEALTH, outcomesOf } from '../../test/support/fleet.ts'
import { observationOf } from '../../test/support/observation.ts'
import type { WorkerLoad, WorkerObservation } from './fleet-store.ts'
import { type HealthSettings, WorkerHealth } from './worker-health.ts'

const SETTLE_MS = 2_000
const SETTINGS: HealthSettings = { health: HEALTH, breaker: BREAKER, drainSettleMs: SETTLE_MS }
const START_MS = 1_000_000

function rigOf(settings: HealthSettings = SETTINGS) {
  let nowMs = START_MS
  const worker = new WorkerHealth('a', settings, { epoch: 1, nowMs })
  const rig = {
    worker,
    now: () => nowMs,
    advance(ms: number) {
      nowMs += ms
    },
    probe(given: Partial<WorkerObservation> = {}, times = 1) {
      for (let at = 0; at < times; at += 1) worker.observe(observationOf('a', { atMs: nowMs, ...given }))
    },
    note: (given: Parameters<typeof outcomesOf>[1]) =>
      worker.noteOutcomes(outcomesOf('a', { epoch: worker.epoch, ...given }), nowMs),
    /** `inFlight` requests run, and everybody has just said so. */
    run: (inFlight: number) =>
      worker.noteWork(inFlight === 0 ? undefined : { isRunning: true, inFlight, provenUntilMs: nowMs }, nowMs),
    state: () => worker.state(nowMs),
    word: () => worker.state(nowMs).availability,
    reason: () => worker.state(nowMs).reason,
  }
  return rig
}

const loadOf = (tokensTotal: number | null, atMs: number): WorkerLoad => ({
  running: 1,
  waiting: 0,
  kvUsage: 0.1,
  tokensTotal,
  atMs,
})

describe('probes', () => {
  test('take a worker out and bring it back, which takes all its work by and by', () => {
    const { probe, word, reason, state, advance } = rigOf()
    expect([word(), reason()]).toEqual(['unknown', 'not_asked_yet'])
    probe({ models: ['m'] })
    expect([word(), reason(), state().share]).toEqual(['up', 'probe_ok', 1])
    probe({ health: 'bad_status', status: 503 })
    expect([word(), reason()]).toEqual(['suspect', 'probe_status'])
    probe({ health: 'timeout', status: null }, 2)
    expect([word(), reason(), state().models]).toEqual(['ejected', 'probe_timeout', ['m']])
    probe({}, 2)
    expect([word(), reason(), state().share]).toEqual(['up', 'recovering', 0.1])
    advance(15_000)
    expect(state().share).toBeCloseTo(0.55)
    advance(15_000)
    expect([state().share, reason()]).toEqual([1, 'probe_ok'])
  })

  test('one that is older than what is known changes nothing, unless the clock was set back', () => {
    const { probe, word, now } = rigOf()
    probe()
    probe({ health: 'unreachable', atMs: now() - 1 }, 5)
    expect(word()).toBe('up')
    probe({ health: 'unreachable', atMs: now() - 3_600_000 }, 3)
    expect(word()).toBe('down')
  })

  test('that are good never close a breaker that requests opened, nor wake what hangs', () => {
    const { probe, note, word, advance } = rigOf()
    probe()
    note({ faults: 5 })
    for (let at = 0; at < 100; at += 1) {
      advance(1_000)
      probe()
    }
    expect(word()).toBe('half_open')
  })
})

describe('requests', () => {
  test('that could not reach it make it suspect, until a later probe could', () => {
    const { worker, probe, word, reason, now, advance } = rigOf()
    probe()
    worker.noteUnreachable(now() - 1)
    expect(word()).toBe('up')
    worker.noteUnreachable(now())
    expect([word(), reason()]).toEqual(['suspect', 'request_failed'])
    advance(1)
    probe()
    expect(word()).toBe('up')
  })

  test('open, half open and up again, with a share that climbs', () => {
    const { probe, note, word, reason, advance, state, worker, now } = rigOf()
    probe()
    note({ faults: 5 })
    expect([word(), reason(), state().breaker]).toEqual([
      'open',
      'faults_in_row',
      { state: 'open', retryAtMs: now() + 10_000, errorRate: null },
    ])
    expect(worker.probesAllowed(now())).toBe(0)
    advance(10_000)
    expect([word(), reason(), worker.probesAllowed(now())]).toEqual(['half_open', 'recovering', 1])
    note({ oks: 2 })
    expect([word(), state().share, worker.probesAllowed(now())]).toEqual(['up', 0.1, 0])
  })

  test('out for its error rate it is ejected all along, and tried all the same', () => {
    const { probe, note, word, reason, advance, worker, now } = rigOf()
    probe()
    for (let pair = 0; pair < 10; pair += 1) {
      note({ oks: 1 })
      note({ faults: 1 })
    }
    expect([word(), reason()]).toEqual(['ejected', 'error_rate'])
    advance(10_000)
    expect([word(), worker.probesAllowed(now())]).toEqual(['ejected', 1])
    note({ oks: 2 })
    expect(word()).toBe('up')
  })

  test('pressure halves its share, never below a tenth, which climbs back in 15 s, and vetoes nothing', () => {
    const { probe, note, word, reason, state, advance, now } = rigOf()
    probe()
    note({ busies: 1, busyForMs: 3_000 })
    expect([word(), reason(), state().share, state().busyUntilMs]).toEqual(['up', 'busy', 0.5, now() + 3_000])
    note({ busies: 9 })
    expect(state().share).toBe(0.5)
    for (let at = 0; at < 10; at += 1) {
      advance(1_000)
      note({ busies: 3 })
    }
    expect([word(), reason(), state().share, state().busyUntilMs]).toEqual(['up', 'busy', 0.1, null])
    advance(15_000)
    expect([state().share, state().busyUntilMs, reason()]).toEqual([1, null, 'probe_ok'])
  })
})

describe('progress', () => {
  /** Runs a request for `stallMs` and a little, and looks every five seconds. */
  function runOn(rig: ReturnType<typeof rigOf>, each: () => void): void {
    rig.run(1)
    for (let at = 0; at <= HEALTH.stallMs; at += 5_000) {
      rig.advance(5_000)
      each()
      rig.run(1)
    }
  }

  test('none for long, with requests running: it hangs, though every probe is good', () => {
    const rig = rigOf()
    runOn(rig, () => rig.probe())
    expect([rig.word(), rig.reason()]).toEqual(['hung', 'no_progress'])
    rig.advance(10_000)
    expect(rig.word()).toBe('half_open')
    rig.note({ oks: 2 })
    expect(rig.word()).toBe('up')
  })

  test('a byte to anybody, or tokens by its own count, are progress', () => {
    const withBytes = rigOf()
    runOn(withBytes, () => withBytes.worker.noteByte(withBytes.now() - 100))
    expect(withBytes.word()).toBe('unknown')
    const withTokens = rigOf()
    runOn(withTokens, () => withTokens.probe({ load: loadOf(withTokens.now(), withTokens.now()) }))
    expect(withTokens.word()).toBe('up')
  })

  test('a count of tokens that stands still is none', () => {
    const rig = rigOf()
    runOn(rig, () => rig.probe({ load: loadOf(77, rig.now()) }))
    expect(rig.word()).toBe('hung')
  })

  test('a worker without requests may be silent', () => {
    const rig = rigOf()
    rig.run(1)
    rig.run(0)
    rig.advance(10 * HEALTH.stallMs)
    rig.run(0)
    expect(rig.word()).toBe('unknown')
    rig.run(1)
    expect(rig.word()).toBe('unknown')
  })

  test('holders that have not reported of late prove nothing', () => {
    const rig = rigOf()
    rig.run(1)
    const provenUntilMs = rig.now() + 1_000
    rig.advance(10 * HEALTH.stallMs)
    rig.worker.noteWork({ isRunning: true, inFlight: 1, provenUntilMs }, rig.now())
    expect(rig.word()).toBe('unknown')
  })

  test('one that still hangs when it is tried again is out for longer', () => {
    const rig = rigOf({ ...SETTINGS, health: { ...HEALTH, stallMs: 5_000 } })
    rig.run(1)
    rig.advance(5_000)
    rig.run(1)
    expect(rig.word()).toBe('hung')
    rig.advance(10_000)
    expect(rig.word()).toBe('half_open')
    rig.run(1)
    expect(rig.word()).toBe('hung')
    rig.advance(19_999)
    expect(rig.word()).toBe('hung')
  })
})

describe('drain', () => {
  test('lasts until nothing runs and everybody knows, then it is parked until it is wanted again', () => {
    const rig = rigOf()
    rig.probe()
    rig.run(3)
    rig.worker.drain(rig.now() + 60_000, rig.now())
    expect([rig.word(), rig.reason()]).toEqual(['draining', 'drained'])
    expect(rig.state().drain).toEqual({
      state: 'draining',
      sinceMs: START_MS,
      deadlineMs: START_MS + 60_000,
      inFlight: 3,
      leftRunning: null,
    })
    rig.advance(30_000)
    rig.run(1)
    expect(rig.state().drain).toMatchObject({ state: 'draining', inFlight: 1 })
    rig.run(0)
    expect(rig.state().drain).toMatchObject({ state: 'parked', inFlight: 0, leftRunning: null })
    expect(rig.word()).toBe('parked')
    rig.probe({}, 10)
    expect(rig.word()).toBe('parked')
    rig.worker.undrain(rig.now())
    expect([rig.word(), rig.state().drain, rig.state().share]).toEqual(['up', null, 0.1])
  })

  test('nothing in flight proves nothing before everybody knows', () => {
    const rig = rigOf()
    rig.worker.drain(rig.now() + 60_000, rig.now())
    rig.advance(SETTLE_MS - 1)
    expect(rig.word()).toBe('draining')
    rig.advance(1)
    expect(rig.word()).toBe('parked')
  })

  test('nor in another life, before those who run something have reported again', () => {
    const rig = rigOf()
    rig.run(1)
    rig.worker.drain(rig.now() + 60_000, rig.now())
    rig.advance(30_000)
    const again = new WorkerHealth('a', SETTINGS, { epoch: 99, nowMs: rig.now() })
    again.resume(rig.worker.memo())
    expect(again.state(rig.now() + SETTLE_MS - 1).availability).toBe('draining')
    expect(again.state(rig.now() + SETTLE_MS).availability).toBe('parked')
  })

  test('at its deadline it is parked, and says how many it left running', () => {
    const rig = rigOf()
    rig.run(2)
    rig.worker.drain(rig.now() + 5_000, rig.now())
    rig.advance(5_000)
    expect(rig.state().drain).toMatchObject({ state: 'parked', inFlight: 2, leftRunning: 2 })
  })

  test('asked for again it gets another deadline; one that is parked stays so', () => {
    const rig = rigOf()
    rig.run(1)
    rig.worker.drain(rig.now() + 5_000, rig.now())
    rig.advance(1_000)
    rig.worker.drain(rig.now() + 90_000, rig.now())
    expect(rig.state().drain).toMatchObject({ sinceMs: START_MS, deadlineMs: START_MS + 91_000 })
    rig.run(0)
    rig.advance(5_000)
    expect(rig.word()).toBe('parked')
    rig.worker.drain(rig.now() + 90_000, rig.now())
    expect(rig.word()).toBe('parked')
  })
})

describe('which word wins', () => {
  test('an operator, then sleep, then no server, then requests, then probes', () => {
    const rig = rigOf()
    rig.probe({ isAsleep: true })
    rig.probe({ health: 'bad_status' }, 3)
    rig.note({ faults: 5 })
    rig.worker.drain(rig.now() + 60_000, rig.now())
    const words = [rig.word()]
    rig.worker.undrain(rig.now())
    words.push(rig.word())
    rig.probe({ isAsleep: false })
    rig.probe({ health: 'bad_status' }, 3)
    words.push(rig.word())
    rig.probe({ health: 'unreachable' }, 3)
    words.push(rig.word())
    rig.probe({ health: 'bad_status' })
    rig.advance(10_000)
    words.push(rig.word())
    rig.note({ oks: 2 })
    words.push(rig.word())
    expect(words).toEqual(['draining', 'asleep', 'open', 'down', 'half_open', 'ejected'])
  })
})

test('goes on in another life where it stood, and knows what is worth keeping', () => {
  const rig = rigOf()
  const revisions = [rig.worker.revision]
  const noteRevision = () => revisions.push(rig.worker.revision)
  rig.probe({ models: ['m'] })
  noteRevision()
  rig.probe({ models: ['m'] })
  noteRevision()
  rig.note({ faults: 5 })
  noteRevision()
  rig.worker.drain(rig.now() + 60_000, rig.now())
  noteRevision()
  expect(revisions.map((revision, at) => at > 0 && revision > (revisions[at - 1] ?? 0))).toEqual([
    false,
    true,
    false,
    true,
    true,
  ])
  const again = new WorkerHealth('a', SETTINGS, { epoch: 99, nowMs: rig.now() })
  again.resume(structuredClone(rig.worker.memo()))
  expect(again.state(rig.now())).toEqual(rig.state())
  again.undrain(rig.now())
  expect(again.state(rig.now()).availability).toBe('open')
})

const history = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('probe' as const),
      health: fc.constantFrom('ok' as const, 'unreachable' as const, 'timeout' as const, 'bad_status' as const),
      isAsleep: fc.constantFrom(null, true, false),
    }),
    fc.record({ kind: fc.constant('outcomes' as const), oks: fc.nat(9), faults: fc.nat(9), busies: fc.nat(2) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(200_000) }),
    fc.record({ kind: fc.constant('run' as const), inFlight: fc.nat(3) }),
    fc.constant({ kind: 'unreachable' as const }),
    fc.constant({ kind: 'drain' as const }),
  ),
  { maxLength: 60 },
)

test('property: whatever happened to a worker, one that does well again is up again', () => {
  fc.assert(
    fc.property(history, fc.option(fc.constant(BREAKER)), (steps, breaker) => {
      const rig = rigOf({ ...SETTINGS, breaker })
      for (const step of steps) {
        if (step.kind === 'probe') rig.probe({ health: step.health, isAsleep: step.isAsleep })
        else if (step.kind === 'outcomes') rig.note(step)
        else if (step.kind === 'wait') rig.advance(step.ms)
        else if (step.kind === 'run') rig.run(step.inFlight)
        else if (step.kind === 'unreachable') rig.worker.noteUnreachable(rig.now())
        else rig.worker.drain(rig.now() + 1_000, rig.now())
        expect(rig.state().share).toBeGreaterThan(0)
        expect(rig.state().share).toBeLessThanOrEqual(1)
      }
      rig.run(0)
      rig.worker.undrain(rig.now())
      rig.advance(5 * 60_000)
      rig.probe({ isAsleep: false }, 2)
      // What it takes to be asked at all: a permit, or panic.
      if (rig.word() !== 'up') expect(rig.worker.probesAllowed(rig.now())).toBe(1)
      rig.note({ oks: 2 })
      expect(rig.word()).toBe('up')
      rig.advance(60_000)
      expect(rig.state().share).toBe(1)
    }),
  )
})

test('property: callers’ errors and pressure move nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ busies: fc.nat(50), busyForMs: fc.nat(60_000), ms: fc.nat(5_000) })), (steps) => {
      const rig = rigOf()
      rig.probe()
      for (const { ms, ...counts } of steps) {
        rig.note(counts)
        rig.advance(ms)
        expect(rig.word()).toBe('up')
      }
    }),
  )
})

describe('the load that a worker tells of', () => {
  test('comes with what of it is ours, reports that come a little late included', () => {
    const { probe, run, state, advance, now } = rigOf()
    run(2)
    probe({ load: { ...loadOf(0, now()), running: 5 } })
    expect(state().load).toMatchObject({ running: 5, ours: 2 })
    advance(1_500)
    run(4)
    expect(state().load?.ours).toBe(4)
    run(1)
    expect(state().load?.ours).toBe(4)
    advance(1_000)
    run(9)
    // Begun since, for all that is known.
    expect(state().load?.ours).toBe(4)
    probe({ load: loadOf(0, now()) })
    expect(state().load?.ours).toBe(9)
  })

  test('of one that is well and says nothing of sleep is that of one awake', () => {
    const { probe, word } = rigOf()
    probe({ isAsleep: true })
    expect(word()).toBe('asleep')
    probe({ health: 'unreachable', status: null })
    expect(word()).toBe('asleep')
    probe({ isAsleep: null })
    expect(word()).toBe('up')
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Admission, AdmissionQueue, NOTICE_MS, type Place, PLACE_TTL_MS, type Waiter } from './admission-queue.ts'

function bench(maxConcurrent: number, queueSize: number, mustAsk = true) {
  let nowMs = 0
  const queue = new AdmissionQueue({ now: () => nowMs, mustAsk })
  const limits = { maxConcurrent, queueSize }
  return {
    queue,
    limits,
    pass: (ms: number) => void (nowMs += ms),
    enter: (group = '', weight = 1) => queue.enter({ group, weight }, limits),
  }
}

function placeOf(admission: Admission): Place {
  if (admission.kind !== 'admitted') throw new Error(`not admitted: ${admission.kind}`)
  return admission.place
}

function waiterOf(admission: Admission): Waiter {
  if (admission.kind !== 'waiting') throw new Error(`not waiting: ${admission.kind}`)
  return admission.waiter
}

function takenBy(waiter: Waiter): Place {
  const turn = waiter.turn()
  if (turn === 'not_yet' || turn === 'refused') throw new Error(`no place: ${turn}`)
  return turn
}

describe('admission queue', () => {
  test('admits up to the limit, queues up to the size, then is full', () => {
    const { queue, enter } = bench(2, 2)
    const kinds = Array.from({ length: 6 }, () => enter().kind)
    expect(kinds).toEqual(['admitted', 'admitted', 'waiting', 'waiting', 'full', 'full'])
    expect([queue.running(), queue.waiting()]).toEqual([2, 2])
  })

  test('without a queue everybody beyond the limit is refused', () => {
    const { enter } = bench(1, 0)
    expect([enter().kind, enter('a').kind, enter('b').kind]).toEqual(['admitted', 'full', 'full'])
  })

  test('gives a place that is free to the one who waited longest', () => {
    const { enter } = bench(1, 3)
    const place = placeOf(enter())
    const [first, second] = [waiterOf(enter()), waiterOf(enter())]
    expect([first.turn(), second.turn()]).toEqual(['not_yet', 'not_yet'])
    place.release()
    expect(second.turn()).toBe('not_yet')
    const next = takenBy(first)
    expect(second.turn()).toBe('not_yet')
    next.release()
    takenBy(second)
  })

  test('lets nobody overtake, even when a place is free', () => {
    const { queue, enter } = bench(1, 3)
    placeOf(enter()).release()
    const place = placeOf(enter())
    const waiter = waiterOf(enter())
    place.release()
    expect(enter().kind).toBe('waiting')
    takenBy(waiter)
    expect(queue.running()).toBe(1)
  })

  test('a second release gives back nobody else’s place', () => {
    const { queue, enter } = bench(2, 1)
    const [one] = [placeOf(enter()), placeOf(enter())]
    one.release()
    one.release()
    one.release()
    expect(queue.running()).toBe(1)
    expect([enter().kind, enter().kind]).toEqual(['admitted', 'waiting'])
  })

  test('a waiter that leaves makes room at once, whether its turn had come or not', () => {
    const { queue, enter } = bench(1, 1)
    const place = placeOf(enter())
    const early = waiterOf(enter())
    expect(enter().kind).toBe('full')
    early.leave()
    early.leave()
    const late = waiterOf(enter())
    place.release()
    expect(queue.running()).toBe(1)
    late.leave()
    expect([queue.running(), queue.waiting()]).toEqual([0, 0])
    expect(enter().kind).toBe('admitted')
  })

  test('leaving after the place was taken does not give it back', () => {
    const { queue, enter } = bench(1, 1)
    const place = placeOf(enter())
    const waiter = waiterOf(enter())
    place.release()
    const taken = takenBy(waiter)
    waiter.leave()
    expect(queue.running()).toBe(1)
    taken.release()
    expect(queue.running()).toBe(0)
  })

  test('calls whoever asked to be called, for its turn and for its refusal', () => {
    const { queue, enter } = bench(1, 2, false)
    const place = placeOf(enter())
    const called: string[] = []
    waiterOf(enter()).onTurn(() => called.push('first'))
    const second = waiterOf(enter())
    second.onTurn(() => called.push('second'))
    place.release()
    expect(called).toEqual(['first'])
    queue.refuseWaiting()
    expect(called).toEqual(['first', 'second'])
    expect(second.turn()).toBe('refused')
    expect([queue.running(), queue.waiting()]).toEqual([1, 0])
  })

  test('a raised limit serves those who wait; a lowered one takes nobody’s place', () => {
    const { queue, enter } = bench(2, 2)
    const places = [placeOf(enter()), placeOf(enter())]
    const waiter = waiterOf(enter())
    queue.enter({ group: 'other', weight: 1 }, { maxConcurrent: 3, queueSize: 2 })
    const taken = takenBy(waiter)
    expect(queue.enter({ group: '', weight: 1 }, { maxConcurrent: 1, queueSize: 0 }).kind).toBe('full')
    for (const place of [...places, taken]) place.release()
    expect(queue.running()).toBe(1)
  })

  test('says how long a wait may be, by how long places were held', () => {
    const { queue, enter, pass } = bench(2, 10)
    for (let at = 0; at < 100; at += 1) {
      const place = placeOf(enter())
      pass(4_000)
      place.release()
    }
    for (let at = 0; at < 5; at += 1) enter()
    expect(queue.waiting()).toBe(3)
    expect(queue.expectedWaitMs()).toBeCloseTo(8_000, -2)
  })
})

describe('who is gone without a word', () => {
  test('loses a place that nobody renews, and keeps one that is renewed', () => {
    const { queue, enter, pass } = bench(2, 2)
    const [kept, lost] = [placeOf(enter()), placeOf(enter())]
    const waiter = waiterOf(enter())
    for (let at = 0; at <= PLACE_TTL_MS; at += 1_000) {
      pass(1_000)
      kept.renew()
      if (waiter.turn() !== 'not_yet') break
      expect(at).toBeLessThan(PLACE_TTL_MS)
    }
    expect(queue.running()).toBe(2)
    lost.release()
    expect(queue.running()).toBe(2)
    kept.release()
    expect(queue.running()).toBe(1)
  })

  test('loses a place it does not notice, where it has to ask', () => {
    const { queue, enter, pass } = bench(1, 2)
    const place = placeOf(enter())
    const [gone, alive] = [waiterOf(enter()), waiterOf(enter())]
    place.release()
    for (let ms = 0; ms <= NOTICE_MS; ms += 500) {
      expect(alive.turn()).toBe('not_yet')
      pass(500)
    }
    pass(1_000)
    takenBy(alive)
    expect(gone.turn()).toBe('refused')
    expect(queue.running()).toBe(1)
  })

  test('loses its spot in the queue, where it has to ask', () => {
    const { enter, pass } = bench(1, 1)
    placeOf(enter())
    waiterOf(enter())
    pass(NOTICE_MS + 1)
    expect(enter().kind).toBe('waiting')
  })

  test('keeps its spot where it is called', () => {
    const { enter, pass } = bench(1, 1, false)
    placeOf(enter())
    waiterOf(enter())
    pass(NOTICE_MS * 3)
    expect(enter().kind).toBe('full')
  })
})

describe('a full queue', () => {
  test('makes room for a group that has less of it: the last of the longest gives way', () => {
    const { enter } = bench(1, 4)
    placeOf(enter('greedy'))
    const greedy = Array.from({ length: 4 }, () => waiterOf(enter('greedy')))
    expect(enter('greedy').kind).toBe('full')
    const modest = [waiterOf(enter('modest')), waiterOf(enter('modest'))]
    expect(greedy.map((waiter) => waiter.turn())).toEqual(['not_yet', 'not_yet', 'refused', 'refused'])
    expect(modest.map((waiter) => waiter.turn())).toEqual(['not_yet', 'not_yet'])
    expect([enter('modest').kind, enter('greedy').kind]).toEqual(['full', 'full'])
  })

  test('by weight', () => {
    const { enter } = bench(1, 8)
    placeOf(enter('light'))
    for (let at = 0; at < 8; at += 1) enter('light')
    const heavy = Array.from({ length: 8 }, () => enter('heavy', 3).kind)
    expect(heavy.filter((kind) => kind === 'waiting')).toHaveLength(6)
  })
})

describe('random histories', () => {
  type Step = readonly ['enter' | 'release' | 'leave' | 'look' | 'pass', number]
  const step: fc.Arbitrary<Step> = fc.tuple(
    fc.constantFrom('enter', 'enter', 'enter', 'release', 'leave', 'look', 'look', 'pass'),
    fc.nat(50),
  )

  test.each([true, false])(
    'never exceed the limits, and end with every place free (waiters must ask: %s)',
    (mustAsk) => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 4 }),
          fc.nat(5),
          fc.array(step, { maxLength: 200 }),
          (max, size, steps) => {
            const { queue, enter, pass } = bench(max, size, mustAsk)
            const places: Place[] = []
            const waiters: Waiter[] = []
            const look = (waiter: Waiter) => {
              const turn = waiter.turn()
              if (turn !== 'not_yet' && turn !== 'refused') places.push(turn)
              return turn === 'not_yet'
            }
            for (const [what, pick] of steps) {
              if (what === 'enter') {
                const admission = enter(`group-${pick % 3}`, 1 + (pick % 2))
                if (admission.kind === 'admitted') places.push(admission.place)
                if (admission.kind === 'waiting') waiters.push(admission.waiter)
              }
              // Released again at the end: a second release must do nothing.
              if (what === 'release') places[pick % Math.max(1, places.length)]?.release()
              if (what === 'leave') waiters.splice(pick, 1)[0]?.leave()
              if (what === 'look') waiters.splice(0, waiters.length, ...waiters.filter(look))
              if (what === 'pass') pass(pick)
              expect(queue.running()).toBeLessThanOrEqual(max)
              expect(queue.waiting()).toBeLessThanOrEqual(size)
              // Nobody waits beside a free place.
              expect(queue.waiting() === 0 || queue.running() === max).toBe(true)
            }
            for (const waiter of waiters) if (!look(waiter)) waiter.leave()
            for (const waiter of waiters) waiter.leave()
            for (const place of places) place.release()
            expect([queue.running(), queue.waiting()]).toEqual([0, 0])
          },
        ),
      )
    },
  )
})

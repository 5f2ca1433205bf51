// Fairness of the admission queue, by simulation: arrivals and holding times over an injected clock, and what part of a
// full router each group of callers gets.

import { describe, expect, test } from 'vitest'
import { AdmissionQueue, type Place, type Waiter } from './admission-queue.ts'

interface Party {
  readonly group: string
  readonly weight?: number
  /** Requests per second. */
  readonly rate: number
  readonly holdMs: number
  readonly fromMs?: number
}

interface Simulation {
  readonly maxConcurrent: number
  readonly queueSize: number
  readonly seconds: number
  readonly timeoutMs?: number
}

/** Seconds that places were held, by group, over the time from `sinceMs`. */
function simulate(parties: readonly Party[], options: Simulation, sinceMs = 0): Readonly<Record<string, number>> {
  const { maxConcurrent, queueSize, seconds, timeoutMs = 10_000 } = options
  const random = seeded(7)
  let nowMs = 0
  const queue = new AdmissionQueue({ now: () => nowMs, mustAsk: true })
  const running: { readonly party: Party; readonly place: Place; readonly endMs: number }[] = []
  let waiting: { readonly party: Party; readonly waiter: Waiter; readonly dueMs: number }[] = []
  const heldMs = new Map<string, number>()
  const begin = (party: Party, place: Place) => {
    running.push({ party, place, endMs: nowMs + party.holdMs * (0.5 + random()) })
  }
  for (; nowMs < seconds * 1000; nowMs += 5) {
    for (const party of parties) {
      if (nowMs < (party.fromMs ?? 0) || random() >= (party.rate * 5) / 1000) continue
      const admission = queue.enter({ group: party.group, weight: party.weight ?? 1 }, { maxConcurrent, queueSize })
      if (admission.kind === 'admitted') begin(party, admission.place)
      if (admission.kind === 'waiting') waiting.push({ party, waiter: admission.waiter, dueMs: nowMs + timeoutMs })
    }
    for (const each of running.filter(({ endMs }) => endMs <= nowMs)) {
      running.splice(running.indexOf(each), 1)
      each.place.release()
    }
    waiting = waiting.filter(({ party, waiter, dueMs }) => {
      const turn = waiter.turn()
      if (turn === 'not_yet' && nowMs >= dueMs) waiter.leave()
      else if (turn === 'not_yet') return true
      else if (turn !== 'refused') begin(party, turn)
      return false
    })
    if (nowMs < sinceMs) continue
    for (const { party } of running) heldMs.set(party.group, (heldMs.get(party.group) ?? 0) + 5)
  }
  return Object.fromEntries([...heldMs].map(([group, ms]) => [group, ms / 1000]))
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}

/** A group's part of all the time that places were held. */
function partOf(group: string, held: Readonly<Record<string, number>>): number {
  return (held[group] ?? 0) / Object.values(held).reduce((sum, seconds) => sum + seconds, 0)
}

describe('fairness of a full router', () => {
  test.each([1, 2, 10, 50])(
    'one tenant at 50x leaves another at least nine tenths of its half, with %i places',
    (places) => {
      const capacity = (places * 1000) / 200
      const modest = { group: 'modest', rate: capacity, holdMs: 200 }
      const greedy = { group: 'greedy', rate: capacity * 50, holdMs: 200 }
      const held = simulate([modest, greedy], { maxConcurrent: places, queueSize: 100, seconds: 60 })
      expect(partOf('modest', held)).toBeGreaterThan(0.45)
    },
  )

  test('a tenant that wants less than its share gets all of it, whatever another wants', () => {
    const modest = { group: 'modest', rate: 10, holdMs: 200 }
    const alone = simulate([modest], { maxConcurrent: 10, queueSize: 100, seconds: 60 })
    const greedy = { group: 'greedy', rate: 500, holdMs: 200 }
    const beside = simulate([modest, greedy], { maxConcurrent: 10, queueSize: 100, seconds: 60 })
    expect(beside['modest']).toBeGreaterThan(0.9 * (alone['modest'] ?? 0))
    expect(partOf('greedy', beside)).toBeGreaterThan(0.7)
  })

  test('long requests are not worth more than short ones', () => {
    const short = { group: 'short', rate: 100, holdMs: 100 }
    const long = { group: 'long', rate: 50, holdMs: 5_000 }
    const held = simulate([short, long], { maxConcurrent: 10, queueSize: 100, seconds: 300 }, 20_000)
    expect(partOf('short', held)).toBeGreaterThan(0.45)
  })

  test('by weight', () => {
    const parties = [1, 2, 5].map((weight) => ({ group: `w${weight}`, weight, rate: 200, holdMs: 200 }))
    const held = simulate(parties, { maxConcurrent: 8, queueSize: 120, seconds: 120 })
    for (const weight of [1, 2, 5]) {
      const part = partOf(`w${weight}`, held) / (weight / 8)
      expect([weight, part > 0.9 && part < 1.1]).toEqual([weight, true])
    }
  })

  test('ten tenants, one of them at 50x: each of the others keeps nine tenths of its tenth', () => {
    const capacity = (20 * 1000) / 200
    const others = Array.from({ length: 9 }, (_, at) => ({ group: `t${at}`, rate: capacity / 10, holdMs: 200 }))
    const greedy = { group: 'greedy', rate: capacity * 5, holdMs: 200 }
    const held = simulate([...others, greedy], { maxConcurrent: 20, queueSize: 100, seconds: 120 })
    for (const { group } of others) expect([group, partOf(group, held) > 0.09]).toEqual([group, true])
  })

  test('absence earns nothing: who comes back shares from then on, and does not make up for it', () => {
    const early = { group: 'early', rate: 200, holdMs: 200 }
    const late = { group: 'late', rate: 200, holdMs: 200, fromMs: 60_000 }
    const held = simulate([early, late], { maxConcurrent: 10, queueSize: 100, seconds: 70 }, 61_000)
    expect(partOf('early', held)).toBeGreaterThan(0.4)
    expect(partOf('late', held)).toBeGreaterThan(0.4)
  })

  test('places that come free in the same moment are shared, too', () => {
    const { queue, pass, take, line } = bench(10)
    const early = Array.from({ length: 10 }, () => take('early'))
    const parties = { a: line('a', 10), b: line('b', 10) }
    pass(100)
    for (const place of early) place.release()
    expect(queue.waiting()).toBe(10)
    expect(served(parties.a)).toBe(5)
    expect(served(parties.b)).toBe(5)
  })

  test('what was used while nobody waited is no debt', () => {
    const { pass, take, line } = bench(10)
    const busy = Array.from({ length: 9 }, () => take('busy'))
    const idle = take('idle')
    pass(100_000)
    const parties = { busy: line('busy', 10), idle: line('idle', 10) }
    for (const place of [...busy, idle]) {
      pass(100)
      place.release()
    }
    expect(served(parties.busy)).toBeGreaterThanOrEqual(4)
    expect(served(parties.idle)).toBeGreaterThanOrEqual(4)
  })

  test('without a queue nothing can be shared: the one who asks more often gets more', () => {
    const modest = { group: 'modest', rate: 50, holdMs: 200 }
    const greedy = { group: 'greedy', rate: 2_500, holdMs: 200 }
    const held = simulate([modest, greedy], { maxConcurrent: 10, queueSize: 0, seconds: 20 })
    expect(partOf('modest', held)).toBeLessThan(0.3)
  })
})

function bench(maxConcurrent: number) {
  let nowMs = 0
  const queue = new AdmissionQueue({ now: () => nowMs, mustAsk: false })
  const enter = (group: string) => queue.enter({ group, weight: 1 }, { maxConcurrent, queueSize: 100 })
  return {
    queue,
    pass: (ms: number) => void (nowMs += ms),
    take(group: string): Place {
      const admission = enter(group)
      if (admission.kind !== 'admitted') throw new Error(`not admitted: ${admission.kind}`)
      return admission.place
    },
    line: (group: string, count: number) =>
      Array.from({ length: count }, () => {
        const admission = enter(group)
        if (admission.kind !== 'waiting') throw new Error(`not waiting: ${admission.kind}`)
        return admission.waiter
      }),
  }
}

function served(waiters: readonly Waiter[]): number {
  return waiters.filter((waiter) => typeof waiter.turn() === 'object').length
}

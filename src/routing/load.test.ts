// Old news fades into the average, and never into zero; our own requests count once, whoever tells of them.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { candidateOf } from '../../test/conformance/policy.ts'
import { capacityOf, inFlightEstimator, loadEstimator, trustAtAge } from './load.ts'
import type { CandidateView, ScrapedLoad } from './policy.ts'

const busy = candidateOf('busy', { inFlightHere: 1, inFlightElsewhere: 30 })
const idle = candidateOf('idle', { inFlightHere: 3, inFlightElsewhere: 0 })
const large = candidateOf('large', { inFlightElsewhere: 10, weight: 2 })

function scrapeOf(given: Partial<ScrapedLoad> = {}): ScrapedLoad {
  return { running: 0, waiting: 0, kvUsage: null, ours: 0, ageMs: 0, ...given }
}

/** The part of what came past our routers, by candidate. */
function outsideOf(fleet: readonly CandidateView[], ageMs = 0): (number | undefined)[] {
  const loadOf = loadEstimator(fleet, ageMs)
  return fleet.map((candidate) => loadOf(candidate)['in_flight_outside'])
}

test('full trust up to two seconds, none from ten, a straight line between', () => {
  expect([0, 2_000, 4_000, 6_000, 10_000, 1e9, Number.NaN].map(trustAtAge)).toEqual([1, 1, 0.75, 0.5, 0, 0, 0])
})

describe('what other routers have in flight', () => {
  test('fresh counts are taken as they are', () => {
    expect(loadEstimator([busy, idle], 2_000)(busy)).toEqual({ in_flight_here: 1, in_flight_elsewhere: 30, load: 31 })
  })

  test('half-old counts are half the average', () => {
    expect(loadEstimator([busy, idle], 6_000)(idle)).toEqual({
      in_flight_here: 3,
      in_flight_elsewhere: 7.5,
      load: 10.5,
    })
  })

  test('forgotten counts are the share by capacity of all that is elsewhere', () => {
    const loadOf = loadEstimator([busy, idle, large], 60_000)
    expect([busy, idle, large].map((candidate) => loadOf(candidate).in_flight_elsewhere)).toEqual([10, 10, 20])
    expect(loadOf(large).load).toBe(10)
  })

  test('whatever the age, the sum over the candidates stays what it was', () => {
    const fields = fc.record({
      weight: fc.double({ min: 0.1, max: 10, noNaN: true }),
      share: fc.double({ min: 0.1, max: 1, noNaN: true }),
      inFlightElsewhere: fc.nat(1_000),
    })
    const property = fc.property(fc.array(fields, { minLength: 1 }), fc.nat(20_000), (fleet, ageMs) => {
      const candidates = fleet.map((given, at) => candidateOf(`worker-${at}`, given))
      const loadOf = loadEstimator(candidates, ageMs)
      const estimated = candidates.reduce((sum, candidate) => sum + loadOf(candidate).in_flight_elsewhere, 0)
      expect(estimated).toBeCloseTo(
        fleet.reduce((sum, { inFlightElsewhere }) => sum + inFlightElsewhere, 0),
        6,
      )
    })
    fc.assert(property)
  })
})

describe('what came past our routers', () => {
  test('is what the worker counts beyond ours', () => {
    const fleet = [
      candidateOf('a', { inFlightHere: 2, scraped: scrapeOf({ running: 8, waiting: 4, ours: 2 }) }),
      candidateOf('b', { inFlightHere: 5, scraped: scrapeOf({ running: 5, ours: 5 }) }),
    ]
    const loadOf = loadEstimator(fleet, 0)
    expect(fleet.map(loadOf)).toEqual([
      { in_flight_here: 2, in_flight_elsewhere: 0, in_flight_outside: 10, load: 12 },
      { in_flight_here: 5, in_flight_elsewhere: 0, in_flight_outside: 0, load: 5 },
    ])
  })

  test('is no part of the explanation while no worker serves metrics', () => {
    expect(Object.keys(loadEstimator([busy], 0)(busy))).not.toContain('in_flight_outside')
  })

  test('is what is beyond all that are ours now, where counts of ours came late', () => {
    const grown = candidateOf('grown', { inFlightHere: 6, inFlightElsewhere: 3, scraped: scrapeOf({ running: 9 }) })
    const shrunk = candidateOf('shrunk', { scraped: scrapeOf({ running: 9, ours: 8 }) })
    expect(outsideOf([grown, shrunk])).toEqual([0, 1])
  })

  test('is never less than nothing: some of ours may not have arrived yet', () => {
    expect(outsideOf([candidateOf('a', { scraped: scrapeOf({ running: 1, ours: 9 }) })])).toEqual([0])
  })

  test('ages by its own age and that of the copy, into the average', () => {
    const fleet = [
      candidateOf('a', { scraped: scrapeOf({ running: 8, ageMs: 4_000 }) }),
      candidateOf('b', { scraped: scrapeOf({ ageMs: 1_000 }) }),
    ]
    expect(outsideOf(fleet)).toEqual([7, 0])
    expect(outsideOf(fleet, 1_000)).toEqual([6.5, 0])
    expect(outsideOf(fleet, 20_000)).toEqual([4, 4])
  })

  test('is the average for a worker that says nothing', () => {
    const fleet = [
      candidateOf('a', { scraped: scrapeOf({ running: 8 }) }),
      candidateOf('b', { scraped: scrapeOf({ running: 4 }) }),
      candidateOf('silent'),
      candidateOf('silent and large', { weight: 2 }),
    ]
    expect(outsideOf(fleet)).toEqual([8, 4, 6, 12])
  })

  test('is shared by the ranks of one engine, whichever of them ours are on', () => {
    const scraped = scrapeOf({ running: 12, ours: 4 })
    const ranks = [0, 1].map((rank) =>
      candidateOf(`a@${rank}`, { workerId: 'a', rank, inFlightHere: 4 * rank, scraped }),
    )
    expect(outsideOf(ranks)).toEqual([4, 4])
  })

  test('no request of ours counts twice, wherever it came from and whatever else runs', () => {
    const counts = fc.record({ here: fc.nat(50), elsewhere: fc.nat(50), outside: fc.nat(50), waiting: fc.nat(50) })
    const property = fc.property(fc.array(counts, { minLength: 1 }), fc.nat(2_000), (fleet, ageMs) => {
      const candidates = fleet.map(({ here, elsewhere, outside, waiting }, at) => {
        const all = here + elsewhere + outside
        // Ours are counted right either when the metrics were read, or now.
        const scraped = scrapeOf({
          running: Math.max(0, all - waiting),
          waiting: Math.min(all, waiting),
          ours: at % 2 === 0 ? here + elsewhere : Math.min(waiting, here),
        })
        return candidateOf(`worker-${at}`, { inFlightHere: here, inFlightElsewhere: elsewhere, scraped })
      })
      const loadOf = loadEstimator(candidates, ageMs)
      const inFlightOn = inFlightEstimator(candidates, ageMs)
      fleet.forEach(({ here, elsewhere, outside }, at) => {
        const candidate = candidates[at] ?? candidateOf('none')
        expect(loadOf(candidate).load).toBe(here + elsewhere + outside)
        expect(inFlightOn(candidate)).toBe(here + elsewhere + outside)
      })
    })
    fc.assert(property)
  })
})

describe('a share below 1', () => {
  test('is less capacity, and work of its own', () => {
    const warming = candidateOf('warming', { share: 0.25, weight: 2, inFlightHere: 1 })
    expect(capacityOf(warming)).toBe(0.5)
    expect(loadEstimator([warming], 0)(warming)).toEqual({
      in_flight_here: 1,
      in_flight_elsewhere: 0,
      share: 0.25,
      load: 3.5,
    })
  })

  test('never lowers a load, and counts the same for all', () => {
    const fields = fc.record({
      inFlightHere: fc.nat(100),
      inFlightElsewhere: fc.nat(100),
      share: fc.double({ min: 0.05, max: 1, noNaN: true }),
    })
    const property = fc.property(fields, ({ share, ...given }) => {
      const [whole, part] = [candidateOf('whole', given), candidateOf('part', { ...given, share })]
      const loadOf = loadEstimator([whole, part], 0)
      expect(loadOf(part).load).toBeGreaterThanOrEqual(loadOf(whole).load)
    })
    fc.assert(property)
  })
})

// Round robin: exact turns, weights, and a fair guess without a ticket.

import { describe, expect, test } from 'vitest'
import { candidateOf, inputOf, policyConformance, tally, viewOf } from '../../../test/conformance/policy.ts'
import { decide } from '../decide.ts'
import type { CandidateView } from '../policy.ts'
import { roundRobin } from './round-robin.ts'

policyConformance('round_robin', roundRobin)
policyConformance('round_robin', roundRobin, { strict: true })

const policy = roundRobin.create({ strict: false })
const three = ['a', 'b', 'c'].map((id) => candidateOf(id))

function turnOf(ticket: number | null, candidates: readonly CandidateView[] = three, seed = 1): string | undefined {
  return decide(inputOf({ ticket }), { policy }, viewOf(candidates), seed).chosen?.id
}

describe('equal weights', () => {
  test('everybody in turn', () => {
    expect([0, 1, 2, 3, 4, 5].map((ticket) => turnOf(ticket))).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
    expect(turnOf(3_000_001)).toBe('b')
  })

  test('the scores show the order of turns', () => {
    const { candidates } = decide(inputOf({ ticket: 4 }), { policy }, viewOf(three), 1)
    expect(candidates.map(({ score }) => score)).toEqual([-2, 0, -1])
  })

  test('a worker that is down is passed over, and its turns are shared evenly', () => {
    const fleet = [...three, candidateOf('d', { availability: 'down' })]
    const counts = tally(Array.from({ length: 300 }, (_, ticket) => turnOf(ticket, fleet)))
    expect(counts).toEqual({ a: 100, b: 100, c: 100 })
  })
})

test('unequal weights: exact shares, and never two turns in a row for the lighter', () => {
  const fleet = [candidateOf('a', { weight: 0.5 }), candidateOf('b', { weight: 1 })]
  expect([0, 1, 2, 3, 4, 5].map((ticket) => turnOf(ticket, fleet)).join('')).toBe('abbabb')
  const { candidates } = decide(inputOf({ ticket: 0 }), { policy }, viewOf(fleet), 1)
  expect(candidates.map(({ score }) => score)).toEqual([0, -1])
})

test('without a ticket the seed takes a turn, fairly', () => {
  const counts = Object.values(tally(Array.from({ length: 30_000 }, (_, seed) => turnOf(null, three, seed))))
  expect(counts).toHaveLength(3)
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400)
})

test('`strict` asks for every turn from the one count of the fleet', () => {
  expect(policy.needs.ticket).toBe('block')
  expect(roundRobin.create({ strict: true }).needs.ticket).toBe('strict')
})

test('a part of its share is a part of the turns, exactly', () => {
  const fleet = [candidateOf('a', { share: 0.25 }), candidateOf('b'), candidateOf('c', { weight: 2 })]
  const counts = tally(Array.from({ length: 1_300 }, (_, ticket) => turnOf(ticket, fleet)))
  expect(counts).toEqual({ a: 100, b: 400, c: 800 })
})

test("a share that climbs by a hair changes nobody's turn", () => {
  const fleet = (share: number) => [candidateOf('a', { share }), candidateOf('b')]
  const turns = (share: number) => Array.from({ length: 40 }, (_, ticket) => turnOf(ticket, fleet(share))).join('')
  expect(turns(0.3001)).toBe(turns(0.3104))
  // However small it is, it is not nothing.
  expect(turns(0.001)).toContain('a')
})

// The weighted rotation: exact shares in each cycle, no bursts, and a forecast of turns that comes true.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { firstMultipleWithin, planRotation, turnsUntil, type Rotation } from './weighted-rotation.ts'

function served(rotation: Rotation, ticket: number): number {
  return rotation.ends.findIndex((_, index) => turnsUntil(rotation, ticket, index) === 0)
}

function sequence(weights: readonly number[], turns: number): number[] {
  const rotation = planRotation(weights)
  return Array.from({ length: turns }, (_, ticket) => served(rotation, ticket))
}

const smallWeights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 9 })

describe('planRotation', () => {
  test('2:1 alternates as smoothly as it can', () => {
    expect(sequence([2, 1], 6)).toEqual([0, 1, 0, 0, 1, 0])
    expect(sequence([1, 1.5], 5)).toEqual([0, 1, 0, 1, 1])
  })

  test('each cycle has exactly the shares of the weights', () => {
    const property = fc.property(smallWeights, fc.nat(10_000), (weights, cycle) => {
      const rotation = planRotation(weights)
      const counts = weights.map(() => 0)
      for (let turn = 0; turn < rotation.length; turn += 1) {
        const index = served(rotation, cycle * rotation.length + turn)
        counts[index] = (counts[index] ?? 0) + 1
      }
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      expect(counts).toEqual(weights.map((weight) => (weight * rotation.length) / total))
    })
    fc.assert(property)
  })

  test('within a cycle nobody is ever more than three turns off their share', () => {
    const weightLists = fc.oneof(
      smallWeights,
      fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 2, maxLength: 8 }),
    )
    const property = fc.property(weightLists, (weights) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      const counts = weights.map(() => 0)
      sequence(weights, 400).forEach((index, turn) => {
        counts[index] = (counts[index] ?? 0) + 1
        const off = weights.map((weight, at) => Math.abs((counts[at] ?? 0) - ((turn + 1) * weight) / total))
        expect(Math.max(...off)).toBeLessThan(3)
      })
    })
    fc.assert(property)
  })

  test('extreme and irrational proportions still work', () => {
    const longShare = (weights: number[]): number =>
      sequence(weights, 10_000).filter((index) => index === 0).length / 10_000
    expect(longShare([Math.PI, Math.E])).toBeCloseTo(Math.PI / (Math.PI + Math.E), 3)
    expect(longShare([1e-9, 1])).toBe(0)
    expect(longShare([1e9, 1])).toBeCloseTo(1, 3)
  })
})

describe('turnsUntil', () => {
  test('who is said to be served in n turns is served then, and not before', () => {
    const property = fc.property(smallWeights, fc.nat(1_000_000), (weights, ticket) => {
      const rotation = planRotation(weights)
      weights.forEach((_, index) => {
        const turns = turnsUntil(rotation, ticket, index)
        expect(served(rotation, ticket + turns)).toBe(index)
        for (let turn = 0; turn < turns; turn += 1) expect(served(rotation, ticket + turn)).not.toBe(index)
      })
    })
    fc.assert(property)
  })
})

describe('firstMultipleWithin', () => {
  test('agrees with trying one after the other', () => {
    const property = fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(), fc.nat(), fc.nat(), (modulus, a, b, c) => {
      const [low, high] = [b % modulus, c % modulus].toSorted((x, y) => x - y) as [number, number]
      const step = a % modulus
      const all = Array.from({ length: modulus }, (_, n) => (n * step) % modulus)
      expect(firstMultipleWithin(step, modulus, low, high)).toBe(
        all.findIndex((value) => low <= value && value <= high),
      )
    })
    fc.assert(property, { numRuns: 2_000 })
  })
})

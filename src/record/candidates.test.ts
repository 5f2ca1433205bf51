// Which candidates a record lists: all of a small fleet; of a large one the chosen, and those the policy looked at.

import { describe, expect, test } from 'vitest'
import { candidateOf, fleetOf, inputOf, viewOf } from '../../test/conformance/policy.ts'
import { decide } from '../routing/decide.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import type { CandidateView, Policy, Verdict } from '../routing/policy.ts'
import { toRecordedCandidates } from './candidates.ts'
import { MAX_RECORDED_CANDIDATES } from './format.ts'

function policyThat(score: Policy['score']): Policy {
  return { name: 'under_test', needs: {}, score }
}

function builtIn(name: string): Policy {
  const definition = BUILT_IN_POLICIES.get(name)
  if (definition === undefined) throw new Error(`no policy ${name}`)
  return definition.create(definition.options.parse({}))
}

function recorded(candidates: readonly CandidateView[], policy: Policy) {
  const view = viewOf(candidates)
  const decision = decide(inputOf(), { policy }, view, 7)
  return { decision, ...toRecordedCandidates(decision, view) }
}

const byPlace = policyThat(({ candidates }) => candidates.map((_, at) => ({ score: at })))

test('a small fleet is listed whole, and nothing that is as usual', () => {
  const { candidates, ...rest } = recorded(
    [
      candidateOf('idle'),
      candidateOf('busy', { inFlightHere: 2 }),
      candidateOf('far', { inFlightElsewhere: 3 }),
      candidateOf('gone', { availability: 'down', share: 0.5, hasPermit: true }),
      candidateOf('heard', { scraped: { running: 4, waiting: 0, ours: 3, ageMs: 90, kvUsage: null } }),
      candidateOf('told', { inFlightHere: 1, scraped: { running: 0, waiting: 0, ours: 0, ageMs: 0, kvUsage: 0.5 } }),
    ],
    builtIn('round_robin'),
  )
  expect(JSON.parse(JSON.stringify(candidates))).toEqual([
    { worker: 'idle', score: 0 },
    { worker: 'busy', score: -1, now: [2] },
    { worker: 'far', score: -2, now: [0, 3] },
    { worker: 'gone', veto: 'down', now: [0, 0, { is: 'down', share: 0.5, permit: true }] },
    { worker: 'heard', score: -3, now: [0, 0, 4, 0, 3, 90] },
    { worker: 'told', score: -4, now: [1, 0, 0, 0, 0, 0, 0.5] },
  ])
  expect(rest).toMatchObject({ decision: { method: 'policy' } })
  expect(Object.keys(rest)).toEqual(['decision'])
})

test('what a policy calls a part and is no number is left out', () => {
  const odd = policyThat(({ candidates }) => candidates.map(() => ({ score: 1, parts: { load: 2, mood: NaN } })))
  expect(recorded(fleetOf(1), odd).candidates?.[0]?.parts).toEqual({ load: 2 })
})

describe('a large fleet', () => {
  test('lists those the policy looked at, in the order of the view, and counts the others', () => {
    const {
      decision,
      candidates = [],
      candidates_omitted: omitted,
      others = [],
    } = recorded(fleetOf(100), builtIn('power_of_two'))
    expect(candidates.map(({ parts }) => parts?.['drawn']).sort()).toEqual([1, 2])
    expect(candidates.map(({ worker }) => worker)).toContain(decision.chosen?.id)
    expect(omitted).toBe(98)
    expect(others.length).toBeLessThanOrEqual(98)
    expect(others.at(-1)).not.toBe(0)
  })

  test('of many that were looked at the best', () => {
    const { decision, candidates = [], candidates_omitted: omitted } = recorded(fleetOf(100), byPlace)
    expect(candidates.map(({ score }) => score)).toEqual(
      Array.from({ length: MAX_RECORDED_CANDIDATES }, (_, at) => at + 36),
    )
    expect(candidates.at(-1)?.worker).toBe(decision.chosen?.id)
    expect(omitted).toBe(36)
  })

  test('the best in whatever order they come, and whoever is as good as the last of them', () => {
    for (const step of [1, 3, 7, 77]) {
      const scores = Array.from({ length: 200 }, (_, at) => 0 - ((at * step) % 199))
      const { candidates } = recorded(
        fleetOf(200),
        policyThat(() => scores.map((score) => ({ score }))),
      )
      const listed = candidates?.map(({ score }) => score ?? Number.NaN) ?? []
      const best = scores.toSorted((one, other) => other - one).slice(0, MAX_RECORDED_CANDIDATES)
      expect(listed.toSorted((one, other) => other - one)).toEqual(best)
    }
  })

  test('among equals always the chosen one', () => {
    const indifferent = policyThat(({ candidates }) => candidates.map(() => ({ score: 1 })))
    const { decision, candidates = [] } = recorded(fleetOf(500), indifferent)
    expect(candidates).toHaveLength(MAX_RECORDED_CANDIDATES)
    expect(candidates.map(({ worker }) => worker)).toContain(decision.chosen?.id)
  })

  test('what the policy itself ruled out was looked at too; what never came to it was not', () => {
    const fleet = fleetOf(100).map((candidate, at) =>
      at < 90 ? { ...candidate, availability: 'down' as const } : candidate,
    )
    const picky = policyThat(({ candidates }) =>
      candidates.map((_, at): Verdict =>
        at === 0 ? { score: 1 } : at < 5 ? { score: null, veto: 'full' } : { score: null },
      ),
    )
    const { candidates = [], candidates_omitted: omitted } = recorded(fleet, picky)
    expect(candidates.map(({ veto }) => veto)).toEqual([undefined, 'full', 'full', 'full', 'full'])
    expect(omitted).toBe(95)
  })

  test('nobody to choose from: nobody listed, and all of it kept for another decision', () => {
    const fleet = fleetOf(65).map((candidate) => ({ ...candidate, availability: 'down' as const }))
    const { candidates, candidates_omitted: omitted, others } = recorded(fleet, byPlace)
    expect([candidates, omitted, others?.length]).toEqual([[], 65, 65])
  })

  test('an idle one costs two numbers', () => {
    const idle = Array.from({ length: 80 }, (_, at) => candidateOf(`w-${at}`))
    const { candidates_omitted: omitted, others } = recorded(idle, byPlace)
    expect([omitted, others]).toEqual([16, undefined])
  })
})

// What `decide` does whatever the policy: vetoes in order, ties, pinned requests, and policies that break the contract.

import { describe, expect, test } from 'vitest'
import { candidateOf, fleetOf, inputOf, tally, viewOf } from '../../test/conformance/policy.ts'
import { decide, RESPONSE_AFFINITY, VETO, type Decision, type DecisionInput } from './decide.ts'
import { hash64 } from './hash.ts'
import { BUILT_IN_POLICIES } from './policies/index.ts'
import { PolicyError } from './policy-error.ts'
import type { CandidateView, Policy, PolicyInput, Verdict } from './policy.ts'

/** A policy that answers the same to everything. */
function policyThat(score: (input: PolicyInput) => readonly Verdict[]): Policy {
  return { name: 'under_test', needs: {}, score }
}

const indifferent = policyThat(({ candidates }) => candidates.map(() => ({ score: 1 })))

function decideWith(
  candidates: readonly CandidateView[],
  given: Partial<DecisionInput> = {},
  policy = indifferent,
): Decision {
  return decide(inputOf(given), { policy }, viewOf(candidates), 1)
}

describe('vetoes', () => {
  const everything = { models: new Set(['other']), availability: 'down' } as const
  test.each([
    ['wrong_model', candidateOf('b', everything)],
    ['models_unknown', candidateOf('b', { ...everything, models: null })],
    ['not_pinned', candidateOf('b', { availability: 'down' })],
    ['down', candidateOf('b', { workerId: 'a', availability: 'down' })],
    ['tried', candidateOf('b', { workerId: 'a' })],
  ])('%s comes before what follows it', (veto, candidate) => {
    const { candidates, chosen } = decideWith([candidateOf('a'), candidate], { tried: ['b'], pinnedWorkerId: 'a' })
    expect(candidates[1]).toEqual({ id: 'b', score: null, parts: {}, veto })
    expect(chosen?.id).toBe('a')
  })

  test('without a model any worker will do, also one whose models are unknown', () => {
    expect(decideWith([candidateOf('a', { models: null })], { model: null }).chosen?.id).toBe('a')
  })

  test('a worker that nobody has asked yet may be tried', () => {
    expect(decideWith([candidateOf('a', { availability: 'unknown' })]).chosen?.id).toBe('a')
  })

  test('nothing eligible, nobody asked', () => {
    const policy = policyThat(() => {
      throw new Error('asked')
    })
    expect(decideWith([candidateOf('a')], { tried: ['a'] }, policy)).toEqual({
      chosen: null,
      method: 'none',
      policy: null,
      candidates: [{ id: 'a', score: null, parts: {}, veto: 'tried' }],
    })
    expect(decideWith([], {}, policy).candidates).toEqual([])
  })
})

describe('the choice', () => {
  test('the best score wins; a veto or no score of the policy loses', () => {
    const verdicts = [{ score: 1 }, { score: 9, veto: 'full' }, { score: 2, parts: { load: 3 } }, { score: null }]
    const decision = decideWith(
      fleetOf(4),
      {},
      policyThat(() => verdicts),
    )
    expect(decision.candidates.map(({ score, veto, parts }) => ({ score, veto, parts }))).toEqual([
      { score: 1, veto: null, parts: {} },
      { score: 9, veto: 'full', parts: {} },
      { score: 2, veto: null, parts: { load: 3 } },
      { score: null, veto: null, parts: {} },
    ])
    expect(decision.chosen?.id).toBe('http://10.0.0.2:8000')
  })

  test('a policy that wants none of them chooses nothing, and the explanation stays', () => {
    const decision = decideWith(
      fleetOf(2),
      {},
      policyThat(() => [{ score: null }, { score: 3, veto: 'full' }]),
    )
    expect(decision).toMatchObject({ chosen: null, method: 'none', policy: null })
    expect(decision.candidates.map(({ veto }) => veto)).toEqual([null, 'full'])
  })

  test('ties are broken fairly by the seed', () => {
    const choose = (seed: number): Decision => decide(inputOf(), { policy: indifferent }, viewOf(fleetOf(3)), seed)
    const counts = Object.values(tally(Array.from({ length: 30_000 }, (_, seed) => choose(seed).chosen?.id)))
    expect(counts).toHaveLength(3)
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400)
  })

  test('a policy sees what it declared, and no more', () => {
    const seen: PolicyInput[] = []
    const score = (input: PolicyInput): Verdict[] => {
      seen.push(input)
      return input.candidates.map(() => ({ score: 0 }))
    }
    for (const needs of [{}, { ticket: 'block' } as const, { affinity: {} }]) {
      decide(inputOf({ ticket: 5 }), { policy: { name: 'curious', needs, score } }, viewOf(fleetOf(1), 123), 1)
    }
    expect(seen.map(({ ticket }) => ticket)).toEqual([null, 5, null])
    expect(seen.map(({ affinity }) => affinity?.source ?? null)).toEqual([null, null, 'header:x-session-id'])
    expect(seen.map(({ loadAgeMs }) => loadAgeMs)).toEqual([123, 123, 123])
  })
})

describe('pinned requests', () => {
  const ranks = ['a@0', 'a@1', 'b'].map((id, at) =>
    candidateOf(id, { workerId: id.charAt(0), rank: at, inFlightHere: 2 - at }),
  )

  test('go to the worker that holds what they refer to, and the policy chooses among its ranks', () => {
    const policy = policyThat(({ candidates }) => candidates.map(({ inFlightHere }) => ({ score: -inFlightHere })))
    const decision = decideWith(ranks, { pinnedWorkerId: 'a' }, policy)
    expect(decision).toMatchObject({ method: 'policy', policy: RESPONSE_AFFINITY })
    expect(decision.chosen?.id).toBe('a@1')
  })

  test('go nowhere when it is gone', () => {
    expect(decideWith(ranks, { pinnedWorkerId: 'c' })).toMatchObject({ chosen: null, method: 'none', policy: null })
  })
})

describe('a policy that breaks its contract is named', () => {
  test.each([
    [
      'throws',
      () => {
        throw new Error('boom')
      },
      'Policy `under_test` threw: boom',
    ],
    ['is short', () => [{ score: 1 }], 'Policy `under_test` returned 1 verdicts for 2 candidates'],
    ['is no list', () => 'x', 'Policy `under_test` must return an array of verdicts'],
    [
      'scores NaN',
      () => [{ score: 1 }, { score: NaN }],
      'Policy `under_test` returned the score NaN, neither finite nor null, for candidate `http://10.0.0.1:8000`',
    ],
    ['scores infinity', () => [{ score: Infinity }, { score: 1 }], 'returned the score Infinity'],
    ['scores in words', () => [{ score: '1' }, { score: 1 }], 'returned the score 1, neither finite nor null'],
    ['forgets the score', () => [{}, { score: 1 }], 'returned the score undefined'],
    ['leaves a hole', () => [null, { score: 1 }], 'returned no verdict for candidate `http://10.0.0.0:8000`'],
    ['vetoes without a word', () => [{ score: 1, veto: '' }, { score: 1 }], 'returned a veto that is no word'],
  ])('%s', (_, score, message) => {
    // What a policy in plain JavaScript could do; its types would forbid it.
    const policy = policyThat(score as unknown as Policy['score'])
    expect(() => decideWith(fleetOf(2), {}, policy)).toThrow(PolicyError)
    expect(() => decideWith(fleetOf(2), {}, policy)).toThrow(message)
  })
})

test('these decisions, to the byte, on every engine', () => {
  const digests = [...BUILT_IN_POLICIES.values()].map((definition) => {
    const policy = definition.create(definition.options.parse({}))
    const decision = decide(inputOf({ ticket: 4 }), { policy }, viewOf(fleetOf(50), 3_000), 99)
    return `${policy.name} ${decision.chosen?.id} ${hash64(JSON.stringify(decision.candidates))}`
  })
  // Recorded once, and the same under Node, Deno and Bun. A change here means that stored decisions no longer replay.
  expect(digests).toEqual([
    'round_robin http://10.0.0.17:8000 baa74ad3280d637b',
    'random http://10.0.0.3:8000 bf92d8d239b0323a',
    'least_load http://10.0.0.0:8000 ea3d0f28ee941c5d',
    'power_of_two http://10.0.0.31:8000 41f479fab6469359',
    'consistent_hash http://10.0.0.35:8000 e3acd144baef2cef',
  ])
})

describe('suspects', () => {
  const suspect = (id: string) => candidateOf(id, { availability: 'suspect' })

  test('are left out while anybody else is there', () => {
    const decision = decideWith([suspect('a'), candidateOf('b')])
    expect(decision.chosen?.id).toBe('b')
    expect(decision.candidates.map(({ veto }) => veto)).toEqual([VETO.suspect, null])
  })

  test('are asked when nobody else is left, but never twice by one request', () => {
    const fleet = [suspect('a'), suspect('b'), candidateOf('c', { availability: 'down' })]
    expect(decideWith(fleet).chosen).not.toBeNull()
    expect(decideWith(fleet, { tried: ['a'] }).chosen?.id).toBe('b')
    expect(decideWith(fleet, { tried: ['a', 'b'] }).chosen).toBeNull()
  })
})

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
  const away = (availability: CandidateView['availability']) => candidateOf('b', { workerId: 'a', availability })
  test.each<[string, CandidateView]>([
    ['wrong_model', candidateOf('b', everything)],
    ['models_unknown', candidateOf('b', { ...everything, models: null })],
    ['not_pinned', candidateOf('b', { availability: 'down' })],
    ['parked', away('parked')],
    ['asleep', away('asleep')],
    ['down', away('down')],
    ['open', away('open')],
    ['hung', away('hung')],
    ['tried', away('up')],
    ['tried', away('half_open')],
    ['tried', away('ejected')],
    ['tried', away('suspect')],
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
      isPanic: false,
    })
    expect(decideWith([], {}, policy).candidates).toEqual([])
  })
})

describe('workers in trouble', () => {
  const every = [
    'unknown',
    'up',
    'half_open',
    'suspect',
    'ejected',
    'down',
    'open',
    'hung',
    'asleep',
    'draining',
    'parked',
  ] as const
  const fleet = every.map((availability) => candidateOf(availability, { availability }))
  const words = ({ candidates }: Decision) => candidates.map(({ id, veto, note }) => [id, note ?? veto])
  const decideAt = (candidates: readonly CandidateView[], panicThreshold: number, given: Partial<DecisionInput> = {}) =>
    decide(inputOf(given), { policy: indifferent, panicThreshold }, viewOf(candidates), 1)

  test('only those that are up, or that nobody has asked yet, take what comes', () => {
    const decision = decideWith(fleet)
    expect(words(decision)).toEqual(every.map((word) => [word, word === 'up' || word === 'unknown' ? null : word]))
    expect(decision.isPanic).toBe(false)
  })

  test('a permit lets one through that is half open, or out for its error rate, and no other', () => {
    const permitted = every.map((availability) => candidateOf(availability, { availability, hasPermit: true }))
    const noted = words(decideWith(permitted)).filter(([id, word]) => word !== id && word !== null)
    expect(noted).toEqual([
      ['half_open', 'permit'],
      ['ejected', 'permit'],
    ])
  })

  test('panic begins above the threshold, and readmits the ejected alone', () => {
    const calm = ['up', 'ejected', 'ejected', 'up'].map((word, at) =>
      candidateOf(`${at}`, { availability: word as 'up' }),
    )
    expect(decideAt(calm, 0.5)).toMatchObject({ isPanic: false })
    const decision = decideAt(fleet, 0.5)
    expect(decision.isPanic).toBe(true)
    const noted = words(decision).filter(([id, word]) => word !== id && word !== null)
    expect(noted).toEqual([['ejected', 'panic']])
  })

  test('workers set aside on purpose, or of other models, are no trouble; the ranks of one are one worker', () => {
    const aside = (['draining', 'parked', 'asleep'] as const).map((word) => candidateOf(word, { availability: word }))
    const others = ['x', 'y'].map((id) => candidateOf(id, { availability: 'down', models: new Set(['other']) }))
    expect(decideAt([candidateOf('a'), ...aside, ...others], 0.5).isPanic).toBe(false)
    expect(decideAt([candidateOf('a'), candidateOf('b', { availability: 'open' }), ...aside], 0.5).isPanic).toBe(false)
    const ranksOf = (workerId: string, availability: CandidateView['availability']) =>
      [0, 1, 2, 3].map((rank) => candidateOf(`${workerId}@${rank}`, { workerId, rank, availability }))
    const sick = ranksOf('b', 'ejected')
    expect(decideAt([candidateOf('a'), ...sick], 0.5)).toMatchObject({ chosen: { id: 'a' }, isPanic: false })
    expect(decideAt([...ranksOf('a', 'down'), ...sick, candidateOf('c')], 0.5)).toMatchObject({ isPanic: true })
  })

  test('a threshold of 1, or none, is no panic at all', () => {
    const gone = ['a', 'b'].map((id) => candidateOf(id, { availability: 'ejected' }))
    expect(decideAt(gone, 1)).toMatchObject({ chosen: null, isPanic: false })
    expect(decideWith(gone)).toMatchObject({ chosen: null, isPanic: false })
    expect(decideAt(gone, 0.99)).toMatchObject({ chosen: { availability: 'ejected' }, isPanic: true })
  })

  test('a suspect is asked when nobody else is left, panic or not, and the decision says so', () => {
    const left = [candidateOf('a', { availability: 'suspect' }), candidateOf('b', { availability: 'open' })]
    expect(words(decideAt(left, 0.5))).toEqual([
      ['a', 'last_resort'],
      ['b', 'open'],
    ])
    expect(words(decideAt([...left, candidateOf('c', { availability: 'ejected' })], 0.5))).toEqual([
      ['a', 'suspect'],
      ['b', 'open'],
      ['c', 'panic'],
    ])
  })

  test('what an earlier attempt used is not readmitted', () => {
    const gone = ['a', 'b'].map((id) => candidateOf(id, { availability: 'ejected' }))
    expect(words(decideAt(gone, 0.5, { tried: ['a'] }))).toEqual([
      ['a', 'tried'],
      ['b', 'panic'],
    ])
  })

  test('a follow-up may go to a worker that is being drained, not to one that is parked', () => {
    const pinned = (availability: CandidateView['availability']) =>
      decideWith([candidateOf('a', { availability }), candidateOf('b')], { pinnedWorkerId: 'a' }).chosen?.id ?? null
    expect([pinned('draining'), pinned('parked'), pinned('asleep')]).toEqual(['a', null, null])
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
    'cache_aware http://10.0.0.0:8000 45cf195bed30f1b5',
    // Nothing is known of caches here, so its fallback decides.
    'lmcache_aware http://10.0.0.31:8000 41f479fab6469359',
  ])
})

describe('open breakers', () => {
  const open = (id: string) => candidateOf(id, { availability: 'open' })
  const lastly = (candidates: readonly CandidateView[], given: Partial<DecisionInput> = {}) =>
    decide(inputOf(given), { policy: indifferent, usesOpenLast: true }, viewOf(candidates), 1)

  test('are passed by when nobody else is left, and the decision says so', () => {
    const decision = lastly([open('a'), candidateOf('b', { models: new Set(['other']) })])
    expect(decision.chosen?.id).toBe('a')
    expect(decision.candidates[0]).toMatchObject({ veto: null, note: 'last_resort' })
    expect(lastly([candidateOf('a', { availability: 'half_open' })]).chosen?.id).toBe('a')
  })

  test('hold while there is somebody else, a suspect too', () => {
    expect(lastly([open('a'), candidateOf('b')]).chosen?.id).toBe('b')
    expect(lastly([open('a'), candidateOf('b', { availability: 'suspect' })]).chosen?.id).toBe('b')
  })

  test('hold for a worker that was tried', () => {
    expect(lastly([open('a')], { tried: ['a'] }).chosen).toBeNull()
    expect(lastly([open('a'), open('b')], { tried: ['a'] }).chosen?.id).toBe('b')
  })

  test('hold for all where nothing says otherwise, and other words always do', () => {
    expect(decideWith([open('a')]).chosen).toBeNull()
    expect(lastly([candidateOf('a', { availability: 'down' })]).chosen).toBeNull()
    expect(lastly([candidateOf('a', { availability: 'hung' })]).chosen).toBeNull()
  })
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

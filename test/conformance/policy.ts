// What every routing policy must hold, built in or written by a user: called in one line per implementation.
// Policies are judged through `decide`, as that is how they are used, and over generated fleets.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LmcacheFact, PrefixFact } from '../../src/routing/cache-facts.ts'
import { decide, type Decision, type DecisionInput, type FleetView } from '../../src/routing/decide.ts'
import { fromPlainView, toPlainView } from '../../src/routing/plain-view.ts'
import type { CandidateView, Policy, PolicyDefinition } from '../../src/routing/policy.ts'

type Choose = (input: DecisionInput, view: FleetView, seed: number) => Decision

/** A candidate for tests: a plain worker that is up and idle, but for what is given. */
export function candidateOf(id: string, given: Partial<CandidateView> = {}): CandidateView {
  const usual = { workerId: id, rank: null, weight: 1, labels: {}, models: new Set(['m']), availability: 'up' } as const
  return { id, ...usual, hasPermit: false, share: 1, inFlightHere: 0, inFlightElsewhere: 0, scraped: null, ...given }
}

/** A fresh view of `candidates`. */
export function viewOf(candidates: readonly CandidateView[], ageMs = 0): FleetView {
  return { source: 'memory', ageMs, candidates }
}

/** What a request offers, but for what is given: a key, a turn, nothing tried. */
export function inputOf(given: Partial<DecisionInput> = {}): DecisionInput {
  const affinity = { source: 'header:x-session-id', hash: '0123456789abcdef' }
  return { model: 'm', affinity, ticket: 0, prefix: null, lmcache: null, tried: [], pinnedWorkerId: null, ...given }
}

/** `count` candidates with uneven weights and loads. */
export function fleetOf(count: number): CandidateView[] {
  return Array.from({ length: count }, (_, at) =>
    candidateOf(`http://10.0.0.${at}:8000`, { weight: 1 + (at % 3), inFlightHere: at % 5, inFlightElsewhere: at % 7 }),
  )
}

/** How often each id was chosen. */
export function tally(ids: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const id of ids) counts[id ?? 'none'] = (counts[id ?? 'none'] ?? 0) + 1
  return counts
}

const candidateFields = fc.record({
  rank: fc.option(fc.nat(3)),
  weight: fc.double({ min: 0.01, max: 100, noNaN: true }),
  labels: fc.constantFrom({}, { tier: 'spot' }),
  models: fc.constantFrom(null, new Set(['m']), new Set(['m', 'other']), new Set(['other'])),
  availability: fc.constantFrom('up' as const, 'up' as const, 'unknown' as const, 'down' as const),
  hasPermit: fc.boolean(),
  share: fc.double({ min: 0.1, max: 1, noNaN: true }),
  inFlightHere: fc.nat(60),
  inFlightElsewhere: fc.nat(200),
  scraped: fc.option(
    fc.record({
      running: fc.nat(300),
      waiting: fc.nat(50),
      kvUsage: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      ours: fc.nat(300),
      ageMs: fc.nat(20_000),
    }),
  ),
})

/** Views of any fleet of that size, plain workers and ranks mixed. */
export function viewsOf(size: { readonly minLength: number; readonly maxLength: number }): fc.Arbitrary<FleetView> {
  return fc.tuple(fc.array(candidateFields, size), fc.nat(20_000)).map(([fields, ageMs]) =>
    viewOf(
      fields.map((given, at) => {
        const workerId = `worker-${given.rank === null ? at : at % 3}`
        return { ...given, workerId, id: given.rank === null ? workerId : `${workerId}@${at}` }
      }),
      ageMs,
    ),
  )
}

const views = viewsOf({ minLength: 1, maxLength: 12 })

const tokensByCandidate = fc.dictionary(
  fc.constantFrom('worker-0', 'worker-1', 'worker-2', 'worker-1@1', 'worker-3@6', 'gone'),
  fc.nat(200_000),
  { noNullPrototype: true },
)

const prefill = { prefillMsPerToken: fc.double({ min: 0.001, max: 10, noNaN: true }) }

const prefixes: fc.Arbitrary<PrefixFact> = fc.record({
  promptTokens: fc.nat(200_000),
  cachedTokens: tokensByCandidate,
  backlogTokens: tokensByCandidate,
  ...prefill,
})

const lmcaches: fc.Arbitrary<LmcacheFact> = fc.record({
  matchedTokens: fc.option(tokensByCandidate),
  promptTokens: fc.option(fc.nat(200_000)),
  chunkCounts: fc.option(tokensByCandidate),
  ...prefill,
})

/** What any request offers. */
export const inputs: fc.Arbitrary<DecisionInput> = fc.record({
  model: fc.constantFrom('m', 'm', null),
  affinity: fc.option(fc.stringMatching(/^[0-9a-f]{16}$/).map((hash) => ({ source: 'body:user', hash }))),
  ticket: fc.option(fc.nat()),
  prefix: fc.option(prefixes),
  lmcache: fc.option(lmcaches),
  tried: fc.subarray(['worker-0', 'worker-1', 'worker-1@1', 'worker-5', 'worker-2@2']),
  pinnedWorkerId: fc.option(fc.constantFrom('worker-0', 'worker-1', 'worker-2'), { freq: 4 }),
})

function forAll(check: (input: DecisionInput, view: FleetView, seed: number) => void): void {
  fc.assert(fc.property(inputs, views, fc.nat(0xffff_ffff), check), { numRuns: 300 })
}

/**
 * Runs the suite for one policy with options as YAML would give them. `isOrderIndependent` says that for a request with
 * a key the choice never depends on the order of candidates.
 */
export function policyConformance(
  name: string,
  definition: PolicyDefinition,
  options: object = {},
  traits: { readonly isOrderIndependent?: boolean } = {},
): void {
  const create = (): Policy => definition.create(definition.options.parse(options))
  const choose: Choose = (input, view, seed) => decide(input, { policy: create() }, view, seed)

  describe(`${name} ${JSON.stringify(options)} is a policy`, () => {
    test('it has one name, and refuses an option it does not know', () => {
      expect(create().name).toBe(definition.name)
      expect(definition.options.safeParse({ ...options, no_such_option: 1 }).success).toBe(false)
    })
    repeatability(create, choose)
    eligibility(choose)
    scale(create)
    if (traits.isOrderIndependent === true) orderIndependence(choose)
  })
}

function repeatability(create: () => Policy, choose: Choose): void {
  test('the same input, view and seed give the same bytes, whatever was decided in between', () => {
    const used = create()
    forAll((input, view, seed) => {
      const bytes = JSON.stringify(choose(input, view, seed))
      expect(JSON.stringify(decide(input, { policy: used }, view, seed))).toBe(bytes)
    })
  })

  test('a view that went through JSON gives the same bytes', () => {
    forAll((input, view, seed) => {
      const stored = JSON.parse(JSON.stringify({ input, view: toPlainView(view) }))
      const again = choose(stored.input, fromPlainView(stored.view), seed)
      expect(again).toEqual(choose(input, view, seed))
      expect(JSON.stringify(again)).toBe(JSON.stringify(choose(input, view, seed)))
    })
  })

  test('it changes nothing it is given', () => {
    const policy = create()
    const held: Policy = { ...policy, score: (given) => policy.score(deepFreeze(given)) }
    forAll((input, view, seed) => {
      const before = JSON.stringify(toPlainView(view))
      decide(input, { policy: held }, view, seed)
      expect(JSON.stringify(toPlainView(view))).toBe(before)
    })
  })
}

function eligibility(choose: Choose): void {
  test('one is chosen whenever one is eligible, never one that is not, with finite numbers', () => {
    forAll((input, view, seed) => {
      const decision = choose(input, view, seed)
      const eligible = view.candidates.filter((candidate) => isEligible(candidate, input))
      expect(decision.candidates.map(({ id }) => id)).toEqual(view.candidates.map(({ id }) => id))
      expect(decision.method === 'none').toBe(eligible.length === 0)
      if (eligible.length === 0) expect(decision.chosen).toBeNull()
      else expect(eligible).toContain(decision.chosen)
      const chosen = decision.candidates[view.candidates.findIndex((candidate) => candidate === decision.chosen)]
      if (chosen !== undefined) expect(chosen.veto).toBeNull()
      const numbers = decision.candidates.flatMap(({ score, parts }) => [score ?? 0, ...Object.values(parts)])
      expect(numbers.filter((number) => !Number.isFinite(number))).toEqual([])
    })
  })

  test('retries reach every rank of every worker, each once', () => {
    const ranks = fleetOf(3).flatMap((worker) =>
      [0, 1, 2].map((rank) => ({ ...worker, id: `${worker.id}@${rank}`, rank })),
    )
    const tried: string[] = []
    for (const _ of ranks) tried.push(choose(inputOf({ tried: [...tried] }), viewOf(ranks), 7).chosen?.id ?? 'none')
    expect(tried.toSorted()).toEqual(ranks.map(({ id }) => id).toSorted())
    expect(choose(inputOf({ tried }), viewOf(ranks), 7).chosen).toBeNull()
  })
}

function isEligible(candidate: CandidateView, input: DecisionInput): boolean {
  const { models, workerId, availability, id } = candidate
  if (input.model !== null && models?.has(input.model) !== true) return false
  if (input.pinnedWorkerId !== null && workerId !== input.pinnedWorkerId) return false
  return availability !== 'down' && !input.tried.includes(id)
}

function scale(create: () => Policy): void {
  test('the cost grows with the number of candidates, not its square', () => {
    const policy = create()
    const growth = () => fastestMs(policy, viewOf(fleetOf(1_024))) / fastestMs(policy, viewOf(fleetOf(128)))
    // Eight times the candidates: 8 when linear, 64 when quadratic. The margin, and the best of three, are for noisy machines.
    expect(Math.min(growth(), growth(), growth())).toBeLessThan(30)
  })
}

function fastestMs(policy: Policy, view: FleetView): number {
  let fastest = Number.POSITIVE_INFINITY
  for (let round = 0; round < 30; round += 1) {
    const begin = performance.now()
    for (let turn = 0; turn < 10; turn += 1) decide(inputOf({ ticket: turn }), { policy }, view, turn)
    fastest = Math.min(fastest, performance.now() - begin)
  }
  return fastest
}

function orderIndependence(choose: Choose): void {
  test('the order of candidates does not matter', () => {
    forAll((input, view, seed) => {
      const keyed = { ...input, affinity: inputOf().affinity }
      const reversed = { ...view, candidates: view.candidates.toReversed() }
      expect(choose(keyed, reversed, seed).chosen?.id).toBe(choose(keyed, view, seed).chosen?.id)
    })
  })
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}

// Clusters as pure decisions: nearness, the threshold, who is passed over, and that a record decides the same again.

import { describe, expect, test } from 'vitest'
import { candidateOf, inputOf, viewOf } from '../../test/conformance/policy.ts'
import { BUILT_IN_POLICIES } from './policies/index.ts'
import { decide, VETO } from './decide.ts'
import type { CandidateView } from './policy.ts'
import { centroidOf, type ClusterFact, cosine, rankClusters, type RankedCluster } from './semantic-cluster.ts'

const vector = (...values: number[]) => {
  const length = Math.hypot(...values)
  return Float32Array.from(values, (value) => value / length)
}

describe('nearness', () => {
  test('a centroid is the mean at length one', () => {
    const centroid = centroidOf([vector(1, 0), vector(0, 1)])
    expect(centroid?.[0]).toBeCloseTo(Math.SQRT1_2)
    expect(centroid?.[1]).toBeCloseTo(Math.SQRT1_2)
    expect(centroidOf([])).toBeNull()
    expect(centroidOf([vector(1, 0), vector(-1, 0)])).toBeNull()
  })

  test('a cosine of vectors of different lengths is none', () => {
    expect(cosine(vector(1, 0), vector(1, 1))).toBeCloseTo(Math.SQRT1_2)
    expect(cosine(vector(1, 0), vector(1, 0, 0))).toBeNull()
  })

  test('the nearest comes first, equals as given, at most eight', () => {
    const centroids = [
      { name: 'far', vector: vector(0, 1) },
      { name: 'near', vector: vector(1, 0.1) },
      { name: 'as near', vector: vector(1, 0.1) },
    ]
    expect(rankClusters(vector(1, 0), centroids)?.map(({ name }) => name)).toEqual(['near', 'as near', 'far'])
    expect(rankClusters(vector(1, 0, 0), centroids)).toBeNull()
    const many = Array.from({ length: 20 }, (_, at) => ({ name: `c${at}`, vector: vector(1, at) }))
    expect(rankClusters(vector(1, 0), many)).toHaveLength(8)
  })
})

const cluster = (name: string, similarity: number, members: Partial<RankedCluster> = {}): RankedCluster => ({
  name,
  similarity,
  workers: [],
  labels: null,
  ...members,
})

function choose(candidates: readonly CandidateView[], ranked: readonly RankedCluster[], given: object = {}) {
  const definition = BUILT_IN_POLICIES.get('round_robin')
  if (definition === undefined) throw new Error('no round_robin')
  const fact: ClusterFact = { threshold: 0.5, basis: '0123456789abcdef', ranked }
  const input = inputOf({ ticket: 0, cluster: fact, ...given })
  return decide(input, { policy: definition.create({}) }, viewOf(candidates), 7)
}

describe('who takes a request', () => {
  const fleet = [candidateOf('a', { labels: { tier: 'code', zone: 'x' } }), candidateOf('b'), candidateOf('c')]

  test('the nearest cluster, by the configured policy; others are left out with a word', () => {
    const decision = choose(fleet, [cluster('two', 0.9, { workers: ['b', 'c'] }), cluster('one', 0.8)])
    expect(decision).toMatchObject({ method: 'cluster', cluster: 'two', policy: 'round_robin' })
    expect(decision.candidates.map(({ veto }) => veto)).toEqual([VETO.otherCluster, null, null])
    const chosen = [0, 1, 2, 3].map(
      (ticket) => choose(fleet, [cluster('two', 0.9, { workers: ['b', 'c'] })], { ticket }).chosen?.id,
    )
    expect(new Set(chosen)).toEqual(new Set(['b', 'c']))
  })

  test('exactly at the threshold is near enough, below is not', () => {
    expect(choose(fleet, [cluster('two', 0.5, { workers: ['b'] })])).toMatchObject({
      method: 'cluster',
      chosen: { id: 'b' },
    })
    const below = choose(fleet, [cluster('two', 0.499999, { workers: ['b'] })])
    expect(below.method).toBe('policy')
    expect(below).not.toHaveProperty('cluster')
    expect(below.candidates.every(({ veto }) => veto === null)).toBe(true)
  })

  test('workers by all labels; one that lacks one is no member, and no labels are nobody', () => {
    expect(choose(fleet, [cluster('code', 0.9, { labels: { tier: 'code', zone: 'x' } })]).chosen?.id).toBe('a')
    expect(choose(fleet, [cluster('code', 0.9, { labels: { tier: 'code', zone: 'y' } })]).method).toBe('policy')
    expect(choose(fleet, [cluster('code', 0.9, { labels: { toString: 'x' } })]).method).toBe('policy')
    expect(choose(fleet, [cluster('code', 0.9, { labels: {} })]).method).toBe('policy')
  })

  test.each([
    ['down', candidateOf('b', { availability: 'down' }), {}],
    ['of another model', candidateOf('b', { models: new Set(['other']) }), {}],
    ['tried before', candidateOf('b'), { tried: ['b'] }],
  ] as const)('when its workers are %s the next cluster takes it, and nobody’s request is refused', (_, b, given) => {
    const among = [candidateOf('a'), b, candidateOf('c')]
    const ranked = [cluster('best', 0.9, { workers: ['b'] }), cluster('next', 0.8, { workers: ['c'] })]
    expect(choose(among, ranked, given)).toMatchObject({ cluster: 'next', chosen: { id: 'c' } })
    expect(choose(among, ranked.slice(0, 1), given)).toMatchObject({ method: 'policy' })
  })

  test('a pinned request goes to its holder, whatever it is about', () => {
    const decision = choose(fleet, [cluster('two', 0.9, { workers: ['b'] })], { pinnedWorkerId: 'c' })
    expect(decision).toMatchObject({ chosen: { id: 'c' }, method: 'policy', policy: 'response_affinity' })
  })
})

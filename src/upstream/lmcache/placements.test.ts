// How far instances hold a prompt, by the coordinator's placements.

import { describe, expect, test } from 'vitest'
import { readPlacements } from './placements.ts'

const held = (id: string, given: object = {}) => ({
  instance_id: id,
  incarnation: 1,
  tier: 'l1',
  shared: false,
  ...given,
})

/** Results of one rank each; every inner list is a chunk. */
function answerOf(chunks: readonly (readonly object[])[], ranks = 1): unknown {
  const results = chunks.map((placements, at) => ({
    key: { chunk_hash_hex: String(at), kv_rank: at % ranks },
    placements,
    token_ids: Array.from({ length: placements.length === 0 ? 0 : 256 }, () => 1),
  }))
  return { chunks: chunks.length / ranks, results }
}

function matchesOf(answer: unknown, tokens = 4_096): Record<string, number> | null {
  const found = readPlacements(answer, tokens)
  return found === null ? null : Object.fromEntries(found.tokensByInstance)
}

describe('a prefix', () => {
  test.each<[string, object[][], Record<string, number>]>([
    ['that nobody holds', [[], []], {}],
    [
      'of everybody, each as far as it goes',
      [[held('a'), held('b')], [held('a'), held('b')], [held('b')]],
      { a: 512, b: 768 },
    ],
    ['with a gap ends there', [[held('a')], [], [held('a')]], { a: 256 }],
    ['without its first chunk is none', [[held('b')], [held('a'), held('b')], [held('a')]], { b: 512 }],
    ['that everybody can load is nobody’s', [[held('a', { shared: true })], [held('b', { tier: 'l2' })]], {}],
    ['that does not say whether it is shared', [[held('a', { shared: undefined })]], { a: 256 }],
  ])('%s', (_, chunks, matches) => expect(matchesOf(answerOf(chunks))).toEqual(matches))

  test('is as long as every rank has its part', () => {
    const both = [[held('a'), held('b')], [held('a'), held('b')], [held('a'), held('b')], [held('a')]]
    expect(matchesOf(answerOf(both, 2))).toEqual({ a: 512, b: 256 })
    const apart = [[held('a')], [held('b')]]
    expect(matchesOf(answerOf(apart, 2))).toEqual({})
  })

  test('is counted in the chunks that the coordinator uses', () => {
    const results = [{ placements: [held('a')], token_ids: Array.from({ length: 512 }, () => 1) }]
    expect(matchesOf({ chunks: 1, results })).toEqual({ a: 512 })
  })

  test('of no whole chunk', () => expect(matchesOf({ chunks: 0, results: [] })).toEqual({}))
})

test.each([
  ['no object', null],
  ['no results', { chunks: 1 }],
  ['no chunks', { results: [] }],
  ['chunks that are null', { chunks: null, results: [] }],
  ['fewer results than chunks', { chunks: 2, results: [{ placements: [] }] }],
  ['a chunk that half the ranks answer for', { chunks: 2, results: [1, 2, 3].map(() => ({ placements: [] })) }],
  ['results of no chunk', { chunks: 0, results: [{ placements: [] }] }],
  ['a result without placements', { chunks: 1, results: [{}] }],
  ['more than was asked about', answerOf(Array.from({ length: 17 }, () => [held('a')]))],
])('%s says nothing', (_, answer) => expect(matchesOf(answer)).toBeNull())

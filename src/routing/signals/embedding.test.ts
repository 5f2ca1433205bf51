// How near what is asked is to a rule's candidates.

import { expect, test } from 'vitest'
import { embeddingOutcome, type EmbeddingRule } from './embedding.ts'

const vectors = new Map([
  ['same', Float32Array.of(1, 0)],
  ['half', Float32Array.of(0.5, Math.sqrt(0.75))],
  ['against', Float32Array.of(-1, 0)],
])
const query = Float32Array.of(1, 0)

function outcome(given: Partial<EmbeddingRule>, asked: Float32Array = query) {
  const rule = { name: 'r', threshold: 0.5, candidates: ['half', 'same'], aggregation_method: 'max', ...given } as const
  return embeddingOutcome(rule, asked, vectors)
}

test.each<[string, Partial<EmbeddingRule>, object]>([
  ['the nearest counts', {}, { kind: 'matched', confidence: 1 }],
  ['any is the same', { aggregation_method: 'any' }, { kind: 'matched', confidence: 1 }],
  ['the mean of all', { aggregation_method: 'mean' }, { kind: 'matched', confidence: 0.75 }],
  ['exactly enough', { candidates: ['half'] }, { kind: 'matched', confidence: 0.5 }],
  ['not enough', { candidates: ['half'], threshold: 0.51 }, { kind: 'not_matched', confidence: 0.5 }],
  ['against all of it', { candidates: ['against'] }, { kind: 'not_matched', confidence: 0 }],
  ['candidates that the server took none of', { candidates: ['other'] }, { kind: 'unknown', because: 'no_candidates' }],
])('%s', (_, given, expected) => {
  expect(outcome(given)).toMatchObject(expected)
})

test('vectors of another model are not compared', () => {
  expect(outcome({}, Float32Array.of(1, 0, 0))).toEqual({ kind: 'unknown', because: 'dimension_mismatch' })
})

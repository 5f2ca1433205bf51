// View documents: equal fleets have equal bytes, and a fleet that stays what it is costs nothing.

import { expect, test } from 'vitest'
import fc from 'fast-check'
import { candidateOf, viewsOf } from '../../test/conformance/policy.ts'
import type { WorkerConfig } from '../config/config.ts'
import { toRoster } from '../store/fleet-roster.ts'
import {
  candidatesOf,
  createViewDocuments,
  fromViewDocument,
  isIntact,
  type SlowCandidate,
  toViewDocument,
  viewDocumentSchema,
} from './view-document.ts'

const slow = ({ id, workerId, rank, weight, labels, models }: SlowCandidate): SlowCandidate => {
  return { id, workerId, rank, weight, labels, models }
}

test('a document, to the byte: a change here gives every stored fleet another name', () => {
  const candidates = [
    candidateOf('b@1', { workerId: 'b', rank: 1, labels: { zone: 'x', tier: 'spot' }, models: new Set(['m', 'a']) }),
    candidateOf('c', { weight: 2.5, models: null }),
  ]
  expect(JSON.stringify(toViewDocument({ candidates }))).toBe(
    '{"view_hash":"b7cad5c5594fd466","candidates":[' +
      '{"id":"b@1","worker_id":"b","rank":1,"weight":1,"labels":{"tier":"spot","zone":"x"},"models":["a","m"]},' +
      '{"id":"c","worker_id":"c","rank":null,"weight":2.5,"labels":{},"models":null}]}',
  )
})

test('property: the way there and back, through JSON, and its schema', () => {
  fc.assert(
    fc.property(viewsOf({ minLength: 0, maxLength: 8 }), (view) => {
      const document = viewDocumentSchema.parse(JSON.parse(JSON.stringify(toViewDocument(view))))
      expect(fromViewDocument(document)).toEqual(view.candidates.map(slow))
      expect(isIntact(document)).toBe(true)
      expect(isIntact({ ...document, view_hash: '0000000000000000' })).toBe(false)
    }),
  )
})

test.each<[string, (candidate: SlowCandidate) => SlowCandidate]>([
  ['its id', (candidate) => ({ ...candidate, id: 'x' })],
  ['its worker', (candidate) => ({ ...candidate, workerId: 'x' })],
  ['its rank', (candidate) => ({ ...candidate, rank: 3 })],
  ['its weight', (candidate) => ({ ...candidate, weight: 3 })],
  ['its labels', (candidate) => ({ ...candidate, labels: { a: 'b' } })],
  ['its models', (candidate) => ({ ...candidate, models: new Set(['x']) })],
  ['that nobody knows its models', (candidate) => ({ ...candidate, models: null })],
])('what a candidate is counts: %s', (_, change) => {
  const documents = createViewDocuments()
  const before = candidateOf('a')
  const first = documents.of({ candidates: [before] })
  expect(documents.of({ candidates: [change(before)] }).view_hash).not.toBe(first.view_hash)
})

test('what it does counts not, and the order of the fleet does', () => {
  const documents = createViewDocuments()
  const [a, b] = [candidateOf('a'), candidateOf('b')]
  const first = documents.of({ candidates: [a, b] })
  const busy = { ...a, inFlightHere: 9, availability: 'down' as const }
  expect(documents.of({ candidates: [busy, b] })).toBe(first)
  // Joined anew from another snapshot: equal, though nothing of it is the same object.
  expect(documents.of({ candidates: [candidateOf('a'), candidateOf('b')] })).toBe(first)
  expect(documents.of({ candidates: [b, a] }).view_hash).not.toBe(first.view_hash)
  expect(documents.of({ candidates: [a] }).view_hash).not.toBe(first.view_hash)
})

test('a configuration makes the same candidates as the fleet does', () => {
  const workers = [
    { id: 'one', weight: 2, labels: { a: 'b' }, models: ['m'], dataParallelSize: 1 },
    { id: 'many', weight: 1, labels: {}, models: null, dataParallelSize: 3 },
  ] as unknown as readonly WorkerConfig[] // all of a worker that candidates are made of
  const roster = [...toRoster(workers, null).entries.values()]
  expect(candidatesOf(workers)).toEqual(roster.map(slow))
})

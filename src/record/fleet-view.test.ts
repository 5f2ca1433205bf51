// A decision can be made again from its record: the same view, the same bytes, whatever the fleet and the policy.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { candidateOf, fleetOf, inputOf, inputs, viewOf, viewsOf } from '../../test/conformance/policy.ts'
import { decidedExchange, recordOf } from '../../test/support/recorded-exchange.ts'
import { canonicalJson } from '../config/digest.ts'
import { decide, type DecisionInput, type FleetView } from '../routing/decide.ts'
import { hash64 } from '../routing/hash.ts'
import { toPlainView } from '../routing/plain-view.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import type { Policy } from '../routing/policy.ts'
import { toDecisionInput, toFleetView, withRecordedModels } from './fleet-view.ts'
import { readRecord } from './read-record.ts'
import type { StoredRecord } from './stored-record.ts'
import { fromViewDocument, type SlowCandidate, toViewDocument, type ViewDocument } from './view-document.ts'

/** Looks at everything there is to see of every candidate. */
const curious: Policy = {
  name: 'curious',
  needs: { affinity: {}, ticket: 'block' },
  score({ candidates, affinity, ticket, loadAgeMs, random }) {
    return candidates.map((candidate) => {
      // Canonical, as the order of its fields is all that shows where an object came from.
      const seen = canonicalJson([toPlainView(viewOf([candidate])), affinity, ticket, loadAgeMs, random()])
      return { score: Number.parseInt(hash64(seen).slice(0, 12), 16) }
    })
  },
}

const policies = [...BUILT_IN_POLICIES.values()].map((definition) => definition.create(definition.options.parse({})))

interface Stored {
  readonly record: StoredRecord
  readonly document: ViewDocument
}

/** What a reader finds of a decision: a line, and a document that lies elsewhere. */
function stored(input: DecisionInput, policy: Policy, view: FleetView, seed: number): Stored {
  const record = recordOf(decidedExchange({ input, policy, view, seed, panicThreshold: 0.5 }))
  const read = readRecord(JSON.stringify(record))
  if (read.kind !== 'record') throw new Error(JSON.stringify(read))
  const document: ViewDocument = JSON.parse(JSON.stringify(toViewDocument(view)))
  return { record: read.record, document }
}

function viewFrom({ record, document }: Stored): FleetView {
  const rebuilt = toFleetView(record, { document: fromViewDocument(document), configured: null })
  if (rebuilt.kind !== 'view') throw new Error(rebuilt.why)
  expect(rebuilt.newcomers).toEqual([])
  return rebuilt.view
}

function expectSameAgain(policy: Policy, input: DecisionInput, view: FleetView, seed: number): void {
  const found = stored(input, policy, view, seed)
  const again = viewFrom(found)
  expect(again).toEqual(view)
  const config = { policy, panicThreshold: 0.5 }
  const live = decide(input, config, view, seed)
  const decided = decide(toDecisionInput(found.record), config, again, found.record.seed ?? -1)
  expect(decided).toEqual(live)
  expect(JSON.stringify({ ...decided, chosen: null })).toBe(JSON.stringify({ ...live, chosen: null }))
}

describe.each([...policies, curious].map((policy) => [policy.name, policy] as const))('%s', (_, policy) => {
  const seeds = fc.nat(0xffff_ffff)

  test('is decided again from record and document, to the byte', () => {
    const views = viewsOf({ minLength: 1, maxLength: 12 })
    const property = fc.property(inputs, views, seeds, (input, view, seed) =>
      expectSameAgain(policy, input, view, seed),
    )
    fc.assert(property, { numRuns: 300 })
  })

  test('so is a fleet too large for a record to list', () => {
    const views = viewsOf({ minLength: 60, maxLength: 150 })
    const property = fc.property(inputs, views, seeds, (input, view, seed) =>
      expectSameAgain(policy, input, view, seed),
    )
    // Shrinking a large fleet takes minutes and explains nothing.
    fc.assert(property, { numRuns: 40, endOnFailure: true })
  })
})

describe('the candidates of a configuration', () => {
  const [policy = curious] = policies
  const view = viewOf([
    candidateOf('a', { inFlightHere: 4 }),
    candidateOf('b', { availability: 'down' }),
    candidateOf('c', { models: new Set(['other']), share: 0.5 }),
    candidateOf('d', { models: null }),
  ])
  const { record } = stored(inputOf(), policy, view, 1)
  const configured = (ids: readonly string[]): readonly SlowCandidate[] =>
    ids.map((id) => ({ id, workerId: id, rank: null, weight: 7, labels: {}, models: null }))

  test('take their place, in the order of the configuration, as the record saw them', () => {
    const rebuilt = toFleetView(record, { document: null, configured: configured(['c', 'new', 'a']) })
    expect(rebuilt).toMatchObject({ kind: 'view', newcomers: ['new'] })
    expect(rebuilt.kind === 'view' && rebuilt.view.candidates).toEqual([
      candidateOf('c', { weight: 7, models: null, share: 0.5 }),
      candidateOf('new', { weight: 7, models: null, availability: 'unknown' }),
      candidateOf('a', { weight: 7, models: null, inFlightHere: 4 }),
    ])
  })

  test('get the models that the recorded vetoes tell of, where none are configured', () => {
    const models = (of: StoredRecord) =>
      withRecordedModels(configured(['a', 'b', 'c', 'd', 'new']), of).map((candidate) => candidate.models)
    expect(models(record)).toEqual([new Set(['m']), new Set(['m']), new Set(), null, null])
    expect(models({ ...record, model: undefined })).toEqual([null, null, null, null, null])
    const own = configured(['a']).map((candidate) => ({ ...candidate, models: new Set(['mine']) }))
    expect(withRecordedModels(own, record)).toBe(own)
  })
})

describe('what can not be had is missing, with the reason', () => {
  const [policy = curious] = policies
  const large = stored(inputOf(), policy, viewOf(fleetOf(100)), 1)
  const small = stored(inputOf(), policy, viewOf(fleetOf(3)), 1)
  const whyNot = (record: StoredRecord, document: readonly SlowCandidate[] | null, configured = document) => {
    const rebuilt = toFleetView(record, { document, configured })
    return rebuilt.kind === 'missing' ? rebuilt.why : rebuilt.kind
  }

  test.each([
    [
      'a record of a request that was rejected',
      whyNot({ ...small.record, candidates: undefined }, []),
      /no candidates/,
    ],
    ['no document', whyNot(small.record, null), /view document is not at hand/],
    [
      'a large fleet without its document',
      whyNot(large.record, null, fromViewDocument(large.document)),
      /not list all/,
    ],
    ['a large fleet with another document', whyNot(large.record, fromViewDocument(small.document)), /not list all/],
    [
      'a state from the future',
      whyNot(
        { ...small.record, candidates: [{ worker: 'a', now: [0, 0, { is: 'dreaming' }] }] },
        fromViewDocument(toViewDocument(viewOf([candidateOf('a')]))),
      ),
      /`a` was in a state/,
    ],
  ])('%s', (_, why, expected) => {
    expect(why).toMatch(expected)
  })
})

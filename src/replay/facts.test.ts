import { describe, expect, test } from 'vitest'
import { endedEarly } from '../../test/support/replayed-record.ts'
import type { Policy, PolicyNeeds } from '../routing/policy.ts'
import { type FactSources, factsFor, TurnCounts } from './facts.ts'

const policyOf = (needs: PolicyNeeds, name = 'asking'): Policy => ({ name, needs, score: () => [] })

const sourcesOf = (policy: Policy, given: Partial<FactSources> = {}): FactSources => {
  return { policy, model: 'm', keyHeaders: null, turns: new TurnCounts(), ...given }
}

const affinity = { source: 'header:x-session-id', hash: '0123456789abcdef' }
const record = endedEarly({ model: 'm', policy: 'other', affinity, ticket: 5 })
const unturned = endedEarly({ model: 'm', policy: 'other', affinity })

describe('a turn', () => {
  const policy = policyOf({ ticket: 'block' })

  test('is the recorded one', () => {
    expect(factsFor(record, sourcesOf(policy))).toMatchObject({ ticket: 5, assumed: [] })
  })

  test('is counted by model where nobody asked for one', () => {
    const sources = sourcesOf(policy)
    const turnOf = (model: string) => factsFor({ ...unturned, model }, { ...sources, model })
    expect(turnOf('m')).toMatchObject({ ticket: 0, assumed: ['turn'] })
    expect(turnOf('n')).toMatchObject({ ticket: 0 })
    expect(turnOf('m')).toMatchObject({ ticket: 1 })
  })

  test('is counted for a model that the request was not routed to', () => {
    expect(factsFor(record, sourcesOf(policy, { model: 'n' }))).toMatchObject({ ticket: 0, assumed: ['turn'] })
  })

  test('stays missing where the same policy asked and got none', () => {
    const asked = { ...unturned, policy: policy.name }
    expect(factsFor(asked, sourcesOf(policy))).toMatchObject({ ticket: null, assumed: [] })
  })

  test('stays the same for one that is asked about twice', () => {
    const turns = new TurnCounts()
    expect([turns.turnOf(record, 'm'), turns.turnOf(record, 'm'), turns.turnOf(unturned, 'm')]).toEqual([0, 0, 1])
  })
})

describe("the session's key", () => {
  const usual = policyOf({ affinity: {} })
  const own = policyOf({ affinity: { headers: ['x-team'] } })

  test('is the recorded one where the same headers were asked', () => {
    expect(factsFor(record, sourcesOf(usual))).toMatchObject({ affinity, assumed: [] })
  })

  test('is assumed to be so where the policy may have had headers of its own', () => {
    expect(factsFor({ ...record, policy: usual.name }, sourcesOf(usual))).toMatchObject({ assumed: ['session'] })
    const known = sourcesOf(usual, { keyHeaders: ['x-session-id'] })
    expect(factsFor({ ...record, policy: usual.name }, known)).toMatchObject({ kind: 'missing' })
  })

  test('is missing where nobody looked for it in those headers', () => {
    expect(factsFor(record, sourcesOf(own))).toMatchObject({
      kind: 'missing',
      why: expect.stringContaining('nobody looked'),
    })
  })

  test('is missing where it came from headers that are not known', () => {
    const strange = { ...record, affinity: { ...affinity, source: 'header:x-team' } }
    expect(factsFor(strange, sourcesOf(usual))).toMatchObject({ kind: 'missing' })
    expect(factsFor(strange, sourcesOf(own, { keyHeaders: ['x-team'] }))).toMatchObject({ kind: 'facts' })
  })
})

test('a need that records can not meet is named', () => {
  const policy = policyOf({ weather: {} } as PolicyNeeds)
  expect(factsFor(record, sourcesOf(policy))).toEqual({
    kind: 'missing',
    why: '`asking` asks for `weather`, which no record has',
  })
})

// From an exchange to its record: which fields each kind of request leaves, that all of them are as the format says, and
// how large they get.

import { describe, expect, test } from 'vitest'
import { candidateOf, inputOf, viewOf } from '../../test/conformance/policy.ts'
import { decidedBy } from '../../test/support/decided-by.ts'
import { answered, type Decided, decidedExchange, recordOf } from '../../test/support/recorded-exchange.ts'
import type { TenantConfig } from '../config/config.ts'
import { toOrphanRecord } from '../record/open-record.ts'
import { REQUIRED_FIELDS } from '../record/format.ts'
import { ALL_FIELDS, type DecisionRecord, decisionRecordSchema } from '../record/schema.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import type { CandidateView, Policy } from '../routing/policy.ts'
import type { Exchange } from './exchange.ts'
import { toOpenRecord } from './record.ts'

function builtIn(name: string): Policy {
  const definition = BUILT_IN_POLICIES.get(name)
  if (definition === undefined) throw new Error(`no policy ${name}`)
  return definition.create(definition.options.parse({}))
}

function decided(candidates: readonly CandidateView[], given: Partial<Decided> = {}): Decided {
  return {
    input: inputOf({ ticket: 3 }),
    policy: builtIn('round_robin'),
    view: viewOf(candidates, 40),
    seed: 99,
    ...given,
  }
}

const busy = candidateOf('busy', { inFlightHere: 2 })
const sick = candidateOf('sick', { availability: 'ejected' })

/** An exchange that has not got as far as a decision. */
function undecided(given: Partial<Exchange>): Exchange {
  const early: Partial<Exchange> = { trace: null, method: 'rejected', model: null, originalModel: null }
  return decidedExchange(decided([busy]), { ...early, ...given })
}

/** Between them they leave every field that this version fills. */
const SCENARIOS: Readonly<Record<string, () => DecisionRecord>> = {
  'a stream that was answered': () => recordOf(answered(decidedExchange(decided([busy, sick])))),
  'a tenant that waited, hooks, and text that is kept': () =>
    recordOf(
      answered(
        decidedExchange(decided([busy]), {
          tenant: { name: 'acme' } as TenantConfig, // all that a record takes of it
          queuedMs: 12,
          hooksRan: ['guard', 'budget:unavailable'],
          requestText: 'user:Why?',
          promptBody: { prompt: 'Why? '.repeat(1_000) },
        }),
      ),
    ),
  'one of a cluster': () =>
    recordOf(
      answered(
        decidedExchange(
          decided([busy, candidateOf('b')], {
            input: inputOf({
              cluster: {
                threshold: 0.5,
                basis: '0123456789abcdef',
                ranked: [
                  { name: 'code', similarity: 0.71, workers: ['b'], labels: null },
                  { name: 'rest', similarity: 0.2, workers: [], labels: { tier: 'small' } },
                ],
              },
            }),
          }),
        ),
      ),
    ),
  'a split by weights': () =>
    recordOf(
      answered(
        decidedExchange(decided([busy]), {
          rule: 'auto',
          split: { shares: [{ model: 'm', weight: 9 }], session: inputOf().affinity },
        }),
      ),
    ),
  'one that rules decided on': () =>
    recordOf(
      answered(
        decidedExchange(decided([busy]), {
          decided: decidedBy({ 'domain:math': { kind: 'matched', confidence: 0.8, because: 'math' } }),
        }),
      ),
    ),
  'a retry of a pinned request that the budget cut short': () =>
    recordOf(
      decidedExchange(decided([busy, candidateOf('b')], { input: inputOf({ tried: ['b'], pinnedWorkerId: 'busy' }) }), {
        isRetryRefused: true,
        attempts: [
          { worker: 'b', workerId: 'b', outcome: 'unreachable', reason: 'refused', status: null, ms: 1 },
          { worker: 'busy', workerId: 'busy', outcome: 'answered', reason: null, status: 503, ms: 5 },
        ],
      }),
      { status: 503, streamEnd: 'complete' },
    ),
  'a fleet in trouble': () =>
    recordOf(
      answered(
        decidedExchange(decided([sick, candidateOf('ill', { availability: 'ejected' })], { panicThreshold: 0.5 })),
      ),
    ),
  'a large fleet': () =>
    recordOf(
      answered(
        decidedExchange(
          decided(
            Array.from({ length: 70 }, (_, at) => candidateOf(`w-${at}`, { inFlightHere: 1 })),
            { policy: builtIn('power_of_two') },
          ),
        ),
      ),
    ),
  'an answer from the cache': () =>
    recordOf(
      undecided({
        method: 'semantic-hit',
        isCacheable: true,
        cache: { status: 'semantic-hit', key: 'a'.repeat(64), similarity: 0.97, keeper: null },
      }),
    ),
  'a request that was rejected': () =>
    recordOf(undecided({}), { status: 400, streamEnd: null, errorCode: 'invalid_json' }),
  'a request beyond a limit': () =>
    recordOf(
      undecided({
        limits: { kind: 'refused', refusal: { meter: 'slots', retryAfterMs: 1_000 }, standing: () => ({}) },
      }),
      { status: 429, streamEnd: null, errorCode: 'rate_limit_exceeded' },
    ),
  'nobody to send it to': () =>
    recordOf(decidedExchange(decided([candidateOf('a', { availability: 'down' })])), {
      status: 503,
      streamEnd: null,
      errorCode: 'no_worker',
    }),
  'one whose end nobody saw': () =>
    toOrphanRecord(toOpenRecord(undecided({}), 'd-1'), Date.parse('2026-08-01T10:00:00Z')),
}

const records = Object.entries(SCENARIOS).map(([name, build]) => [name, asWritten(build())] as const)

/** As a reader gets it: fields that do not apply are absent. */
function asWritten(record: DecisionRecord): DecisionRecord {
  return JSON.parse(JSON.stringify(record))
}

/** Fields of the format that features of later versions will fill. */
const FILLED_LATER: readonly string[] = ['prefix', 'lmcache', 'steps']

describe.each(records)('%s', (_, record) => {
  test('is as the format says', () => {
    expect(decisionRecordSchema.safeParse(record).error?.issues ?? []).toEqual([])
    for (const name of REQUIRED_FIELDS) expect(record).toHaveProperty(name)
  })

  test('has no field that the format does not know, and none without a value', () => {
    expect(Object.keys(record).filter((name) => !ALL_FIELDS.some((known) => known === name))).toEqual([])
    expect(JSON.stringify(record)).not.toContain(':null')
  })
})

test.each(ALL_FIELDS.filter((name) => !FILLED_LATER.includes(name)))('%s is in some record', (name) => {
  expect(records.filter(([, record]) => record[name] !== undefined)).not.toEqual([])
})

test.each(FILLED_LATER)('%s is in none yet', (name) => {
  expect(records.filter(([, record]) => Object.hasOwn(record, name))).toEqual([])
})

describe('what they say', () => {
  const found = Object.fromEntries(records)

  test('how each of them ended', () => {
    expect(records.map(([name, { lifecycle_state: state, status, error }]) => [name, state, status, error])).toEqual([
      ['a stream that was answered', 'completed', 200, undefined],
      ['a tenant that waited, hooks, and text that is kept', 'completed', 200, undefined],
      ['one of a cluster', 'completed', 200, undefined],
      ['a split by weights', 'completed', 200, undefined],
      ['one that rules decided on', 'completed', 200, undefined],
      ['a retry of a pinned request that the budget cut short', 'failed', 503, undefined],
      ['a fleet in trouble', 'completed', 200, undefined],
      ['a large fleet', 'completed', 200, undefined],
      ['an answer from the cache', 'completed', 200, undefined],
      ['a request that was rejected', 'completed', 400, 'invalid_json'],
      ['a request beyond a limit', 'completed', 429, 'rate_limit_exceeded'],
      ['nobody to send it to', 'failed', 503, 'no_worker'],
      ['one whose end nobody saw', 'unknown', 0, undefined],
    ])
  })

  test('a decision, with everything to make it again', () => {
    expect(found['a retry of a pinned request that the budget cut short']).toMatchObject({
      policy: 'response_affinity',
      session_id: '0123456789abcdef',
      affinity: inputOf().affinity,
      ticket: 0,
      seed: 99,
      pinned: 'busy',
      tried: ['b'],
      view: { source: 'memory', age_ms: 40 },
      candidates: [
        { worker: 'busy', now: [2] },
        { worker: 'b', veto: 'not_pinned' },
      ],
    })
    expect(found['a fleet in trouble']).toMatchObject({
      panic: true,
      candidates: [{ note: 'panic' }, { note: 'panic' }],
    })
  })

  test('one that is not over yet', () => {
    const exchange = decidedExchange(decided([busy]), { wantsStream: true })
    expect(asWritten(toOpenRecord(exchange, 'd-1') as unknown as DecisionRecord)).toEqual({
      schema_version: 4,
      decision_id: 'd-1',
      request_id: exchange.requestId,
      timestamp: '2026-08-01T09:30:00.000Z',
      route: '/v1/chat/completions',
      original_model: 'm',
      model: 'm',
      method: 'policy',
      streaming: true,
      lifecycle_state: 'in_progress',
      config_hash: '0f4a1c2be9d87365',
      attempts: [],
    })
  })
})

describe('the size of a usual record, eight workers named by their URLs', () => {
  const model = 'meta-llama/Llama-3.1-8B-Instruct'
  const sizeUnder = (name: string, hasMetrics: boolean): number => {
    const fleet = Array.from({ length: 8 }, (_, at) =>
      candidateOf(`http://10.0.0.${at + 1}:8000`, {
        models: new Set([model]),
        inFlightHere: 3 + (at % 4),
        inFlightElsewhere: 9 + at,
        scraped: hasMetrics
          ? { running: 12 + at, waiting: at % 2, ours: 11 + at, ageMs: 1_000 + at * 317, kvUsage: 0.3127 }
          : null,
      }),
    )
    const usual = decided(fleet, {
      input: inputOf({ model, ticket: 184_223 }),
      policy: builtIn(name),
      seed: 2_734_992_348,
    })
    return Buffer.byteLength(JSON.stringify(recordOf(answered(decidedExchange(usual)))))
  }

  // What docs/records.md says. The parts of the scores make the difference.
  test.each([
    ['round_robin', 1_450, 1_620],
    ['power_of_two', 1_530, 1_750],
    ['random', 1_760, 1_930],
    ['consistent_hash', 1_910, 2_080],
    ['least_load', 1_970, 2_320],
  ])('%s: %i bytes, %i where workers serve metrics', (name, bytes, withMetrics) => {
    for (const [limit, hasMetrics] of [
      [bytes, false],
      [withMetrics, true],
    ] as const) {
      const size = sizeUnder(name, hasMetrics)
      expect(size).toBeLessThanOrEqual(limit)
      expect(size).toBeGreaterThan(limit * 0.95)
    }
  })
})

// One record of a decision under a configuration, and its outcome under another: for tests of what replay makes of it.

import type { Config } from '../../src/config/config.ts'
import { readRecord } from '../../src/record/read-record.ts'
import type { DecisionRecord } from '../../src/record/schema.ts'
import type { StoredRecord } from '../../src/record/stored-record.ts'
import { candidatesOf, type SlowCandidate } from '../../src/record/view-document.ts'
import { type Comparison, compare, recordedOutcome } from '../../src/replay/compare.ts'
import { Redecider } from '../../src/replay/redecide.ts'
import { keyHeadersOf } from '../../src/replay/session-key.ts'
import type { DecisionInput } from '../../src/routing/decide.ts'
import type { CandidateView } from '../../src/routing/policy.ts'
import { candidateOf, inputOf, viewOf } from '../conformance/policy.ts'
import { answered, decidedExchange, recordOf } from './recorded-exchange.ts'

export interface Recorded {
  readonly record: StoredRecord
  readonly document: readonly SlowCandidate[]
}

export interface RecordOptions {
  readonly input?: Partial<DecisionInput>
  /** What of a candidate was not as usual, by id; `models` are those of workers that have none configured. */
  readonly now?: Readonly<Record<string, Partial<CandidateView>>>
  readonly seed?: number
  /** What else the record says. */
  readonly given?: Partial<DecisionRecord>
}

/** The line that a router with this configuration would have written, read again. */
export function recordUnder(config: Config, { input, now = {}, seed = 7, given = {} }: RecordOptions = {}): Recorded {
  const { policy, health } = config
  const slow = candidatesOf(config.workers)
  const view = viewOf(slow.map((candidate) => candidateOf(candidate.id, { ...candidate, ...now[candidate.id] })))
  const ticket = policy.needs.ticket === undefined ? null : 3
  const whole = inputOf({ ticket, ...input })
  const exchange = decidedExchange({ input: whole, policy, panicThreshold: health.panicThreshold, view, seed })
  if (exchange.trace?.decision.chosen !== null) answered(exchange)
  const record = { ...recordOf(exchange), config_hash: config.hash, ...given }
  const read = readRecord(JSON.stringify(record))
  if (read.kind !== 'record') throw new Error(read.kind === 'refused' ? read.why : 'a blank line')
  const document = view.candidates.map(({ id, workerId, rank, weight, labels, models }) => {
    return { id, workerId, rank, weight, labels, models }
  })
  return { record: read.record, document }
}

/** A record of a request that ended before any decision. */
export function endedEarly(given: Partial<DecisionRecord>): StoredRecord {
  return {
    schema_version: 4,
    decision_id: 'd',
    request_id: 'r',
    timestamp: '2026-08-01T09:30:00.000Z',
    route: '/v1/chat/completions',
    method: 'rejected',
    status: 403,
    duration_ms: 3,
    lifecycle_state: 'completed',
    config_hash: '0000000000000000',
    attempts: [],
    ...given,
  }
}

/** What comes of it under a configuration, compared with what was recorded. */
export function comparedUnder(
  config: Config,
  { record, document }: { readonly record: StoredRecord; readonly document: readonly SlowCandidate[] | null },
  alsoKnown: readonly Config[] = [],
): Comparison {
  const known = new Map([config, ...alsoKnown].map(({ hash, policy }) => [hash, keyHeadersOf(policy.needs)]))
  const redecider = new Redecider(config, known)
  const sides = { before: recordedOutcome(record), after: redecider.decide(record, document) }
  return compare(record, document, sides, redecider)
}

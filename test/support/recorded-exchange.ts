// An exchange that has been decided, as the pipeline would leave it: for tests of what its record holds.

import type { Config } from '../../src/config/config.ts'
import { type Exchange, openExchange } from '../../src/pipeline/exchange.ts'
import { type ExchangeEnd, toRecord } from '../../src/pipeline/record.ts'
import type { DecisionRecord } from '../../src/record/schema.ts'
import { toViewDocument } from '../../src/record/view-document.ts'
import { decide, type DecisionInput, type FleetView } from '../../src/routing/decide.ts'
import type { Policy } from '../../src/routing/policy.ts'

const RECEIVED_AT_MS = Date.parse('2026-08-01T09:30:00.000Z')

export interface Decided {
  readonly input: DecisionInput
  readonly policy: Policy
  readonly panicThreshold?: number | undefined
  readonly view: FleetView
  readonly seed: number
}

/** An authenticated request that got as far as its decision; nobody has been tried yet. */
export function decidedExchange(
  { input, policy, panicThreshold, view, seed }: Decided,
  given: Partial<Exchange> = {},
): Exchange {
  const exchange = openExchange({
    requestId: 'req-8f14e45fceea167a5a36dedd4bea2543',
    receivedAtMs: RECEIVED_AT_MS,
    // All that a record takes of it.
    config: { hash: '0f4a1c2be9d87365' } as Config,
    context: { waitUntil() {}, rawTarget: null },
  })
  const decision = decide(input, { policy, panicThreshold }, view, seed)
  return Object.assign(exchange, {
    route: '/v1/chat/completions',
    decisionId: 'c9f0f895fb98ab9159f51fd0297e236d',
    originalModel: input.model,
    model: input.model,
    method: decision.method,
    trace: { input, decision, seed, view },
    ...given,
  })
}

/** What a usual stream leaves in its exchange when its worker has answered. */
export function answered(exchange: Exchange): Exchange {
  const chosen = exchange.trace?.decision.chosen
  if (chosen === undefined || chosen === null) throw new Error('nobody was chosen')
  exchange.attempts.push({
    worker: chosen.id,
    workerId: chosen.workerId,
    outcome: 'answered',
    reason: null,
    status: 200,
    ms: 2_114,
  })
  return Object.assign(exchange, {
    worker: { id: chosen.id, config: { id: chosen.workerId } },
    isCacheable: true,
    wantsStream: true,
    requestBytes: 2_048,
    firstByteAtMs: RECEIVED_AT_MS + 212,
    usage: { promptTokens: 1_204, completionTokens: 337, totalTokens: 1_541, cachedTokens: 1_024 },
  })
}

/** Its record, once it has ended. */
export function recordOf(exchange: Exchange, end: Partial<ExchangeEnd> = {}): DecisionRecord {
  const { trace } = exchange
  const viewHash = trace === null ? null : toViewDocument(trace.view).view_hash
  const usual = { status: 200, streamEnd: 'complete', errorCode: null, atMs: RECEIVED_AT_MS + 2_114, viewHash } as const
  return toRecord(exchange, exchange.decisionId ?? 'none', { ...usual, ...end })
}

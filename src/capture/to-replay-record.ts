// From a decision record, and what was captured beside it, to the record of Router Replay.

import type { DecisionRecord } from '../record/schema.ts'
import type { CapturedBody } from './captured-body.ts'
import { type ReplayRecord, type ReplaySignals, SIGNAL_KINDS } from './replay-record.ts'

export interface CapturedBodies {
  /** Null for one that is not to be captured, or that there was none of. */
  readonly request: CapturedBody | null
  readonly response: CapturedBody | null
}

const CACHE_HITS: readonly (string | undefined)[] = ['exact-hit', 'semantic-hit']

export function toReplayRecord(record: DecisionRecord, bodies: CapturedBodies): ReplayRecord {
  return {
    id: record.decision_id,
    timestamp: record.timestamp,
    request_id: record.request_id,
    decision: record.decision,
    category: record.category,
    original_model: record.original_model,
    selected_model: record.model,
    reasoning_mode: record.reasoning_mode ?? 'off',
    signals: toSignals(record.signals ?? {}),
    matched_rules: record.rule === undefined ? [] : [record.rule],
    ...requestFields(bodies.request),
    ...responseFields(bodies.response),
    response_status: record.status,
    from_cache: CACHE_HITS.includes(record.cache_status),
    streaming: record.streaming === true,
    lifecycle_state: record.lifecycle_state,
    method: record.method,
    route: record.route,
    policy: record.policy,
    worker: record.worker,
    tenant: record.tenant,
    session_id: record.session_id,
    error: record.error,
    stream_end: record.stream_end,
    ttft_ms: record.ttft_ms,
    duration_ms: record.duration_ms,
    queue_ms: record.queue_ms,
    attempts: record.attempts,
    candidates: record.candidates,
    candidates_omitted: record.candidates_omitted,
    hooks_ran: record.hooks_ran,
    usage: record.usage,
    cached_tokens: record.cached_tokens,
    config_hash: record.config_hash,
  }
}

function toSignals(matched: NonNullable<DecisionRecord['signals']>): ReplaySignals {
  const lists = SIGNAL_KINDS.map((kind) => [kind, matched[kind] ?? []] as const)
  return Object.fromEntries(lists) as unknown as ReplaySignals // every kind has its list
}

function requestFields(body: CapturedBody | null) {
  if (body === null) return { request_body_truncated: false }
  if ('omitted' in body) return { request_body_truncated: false, request_body_omitted: body.omitted }
  return { request_body: body.text, request_body_truncated: body.isTruncated }
}

function responseFields(body: CapturedBody | null) {
  if (body === null) return { response_body_truncated: false }
  if ('omitted' in body) return { response_body_truncated: false, response_body_omitted: body.omitted }
  return { response_body: body.text, response_body_truncated: body.isTruncated }
}

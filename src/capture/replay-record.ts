// The record of Router Replay: what the decision record says, in the names of the semantic router's record, and beside
// them what this router alone knows. The names are a contract (docs/router-replay.md).

import type { DecisionRecord } from '../record/schema.ts'

/** Kinds of signals that every record has a list of, empty or not. */
export const SIGNAL_KINDS = ['keyword', 'embedding', 'domain', 'fact_check', 'user_feedback', 'preference'] as const

export type ReplaySignals = Readonly<Record<(typeof SIGNAL_KINDS)[number], readonly string[]>>

/** Bodies are absent unless they are captured; nothing else of a record is text that a caller or a worker wrote. */
export interface ReplayRecord {
  /** The same as the decision's, so that either leads to the other. */
  readonly id: string
  /** When the exchange ended, RFC 3339 in UTC. */
  readonly timestamp: string
  readonly request_id: string
  readonly decision?: string | undefined
  readonly category?: string | undefined
  readonly original_model?: string | undefined
  readonly selected_model?: string | undefined
  readonly reasoning_mode: NonNullable<DecisionRecord['reasoning_mode']>
  readonly signals: ReplaySignals
  /** Names of the rules that matched. */
  readonly matched_rules: readonly string[]
  readonly request_body?: string | undefined
  readonly request_body_truncated: boolean
  /** Media type of a body that was not kept because it is no text. */
  readonly request_body_omitted?: string | undefined
  readonly response_body?: string | undefined
  readonly response_body_truncated: boolean
  readonly response_body_omitted?: string | undefined
  readonly response_status: number
  readonly from_cache: boolean
  readonly streaming: boolean

  readonly lifecycle_state: DecisionRecord['lifecycle_state']
  readonly method: DecisionRecord['method']
  readonly route: string
  readonly policy?: string | undefined
  readonly worker?: string | undefined
  readonly tenant?: string | undefined
  readonly session_id?: string | undefined
  readonly error?: string | undefined
  readonly stream_end?: DecisionRecord['stream_end']
  readonly ttft_ms?: number | undefined
  readonly duration_ms: number
  readonly queue_ms?: number | undefined
  readonly attempts: DecisionRecord['attempts']
  readonly candidates?: DecisionRecord['candidates']
  readonly candidates_omitted?: number | undefined
  readonly hooks_ran?: readonly string[] | undefined
  readonly usage?: DecisionRecord['usage']
  readonly cached_tokens?: DecisionRecord['cached_tokens']
  readonly config_hash: string
}

/** The record for readers who may see what was decided, and not what was said. */
export function withoutBodies({
  request_body: _request,
  response_body: _response,
  ...rest
}: ReplayRecord): ReplayRecord {
  return rest
}

/** The namespace of what no decision rule decided; no rule can have this name. */
export const NO_DECISION = ''

/** Records are kept apart by the decision they belong to: each has a ring of its own. */
export function namespaceOf({ decision }: Pick<ReplayRecord, 'decision'>): string {
  return decision ?? NO_DECISION
}

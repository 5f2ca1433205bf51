// Records of Router Replay that nobody made, for the tests of what keeps them.

import type { ReplayRecord } from '../../src/capture/replay-record.ts'

/** An hour ago: a time to live of an hour and more keeps them. */
export const BEGAN_MS = Math.floor(Date.now() / 1000) * 1000 - 3_600_000

export const replayId = (n: number): string => n.toString(16).padStart(32, '0')

/** The n-th, a second after the one before. */
export function replayNumber(n: number, given: Partial<ReplayRecord> = {}): ReplayRecord {
  return {
    id: replayId(n),
    timestamp: new Date(BEGAN_MS + n * 1_000).toISOString(),
    request_id: `req-${n}`,
    original_model: n % 2 === 0 ? 'org/large' : 'org/small',
    selected_model: 'org/large',
    reasoning_mode: 'off',
    signals: { keyword: [], embedding: [], domain: [], fact_check: [], user_feedback: [], preference: [] },
    matched_rules: [],
    request_body: `{"n":${n}}`,
    request_body_truncated: false,
    response_body_truncated: false,
    response_status: 200,
    from_cache: false,
    streaming: false,
    lifecycle_state: 'completed',
    method: 'policy',
    route: '/v1/chat/completions',
    policy: 'round_robin',
    worker: 'gpu-a',
    duration_ms: 12,
    attempts: [{ worker: 'gpu-a', outcome: 'answered', status: 200, ms: 11 }],
    config_hash: '0123456789abcdef',
    ...given,
  }
}

export function replayNumbers(from: number, to: number, given: Partial<ReplayRecord> = {}): ReplayRecord[] {
  return Array.from({ length: to - from }, (_, n) => replayNumber(from + n, given))
}

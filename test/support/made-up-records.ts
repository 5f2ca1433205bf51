// Decision records by the number, each a little different.

import type { OpenRecord } from '../../src/record/open-record.ts'
import type { DecisionRecord } from '../../src/record/schema.ts'
import { toViewDocument, type ViewDocument } from '../../src/record/view-document.ts'

export const BEGIN_MS = Date.parse('2026-08-01T09:30:00.000Z')

const WORKERS = ['gpu-a', 'gpu-b', 'gpu-c']

/** The n-th of a day: a second after the one before it unless `given` says otherwise. */
export function recordNumber(n: number, given: Partial<DecisionRecord> = {}): DecisionRecord {
  const worker = WORKERS[n % WORKERS.length] ?? 'gpu-a'
  return {
    schema_version: 4,
    decision_id: decisionId(n),
    request_id: `req-${n}`,
    timestamp: new Date(BEGIN_MS + n * 1_000).toISOString(),
    route: '/v1/chat/completions',
    original_model: 'auto',
    model: n % 2 === 0 ? 'llama-3.1-8b' : 'org/large',
    method: 'policy',
    policy: 'round_robin',
    worker,
    status: 200,
    duration_ms: 812,
    lifecycle_state: 'completed',
    config_hash: '0f4a1c2be9d87365',
    candidates: WORKERS.map((id) => ({ worker: id, score: id === worker ? 1 : 0 })),
    attempts: [{ worker, outcome: 'answered', status: 200, ms: 800 }],
    ...given,
  }
}

/** 32 hexadecimal digits that look as random as those of a router. */
export function decisionId(n: number): string {
  const scattered = Math.imul(n + 1, 0x9e3779b1) >>> 0
  return `${scattered.toString(16).padStart(8, '0')}${n.toString(16).padStart(24, '0')}`
}

export function recordNumbers(from: number, to: number): readonly DecisionRecord[] {
  return Array.from({ length: to - from }, (_, at) => recordNumber(from + at))
}

export function openRecordNumber(n: number): OpenRecord {
  const { status: _status, duration_ms: _duration, ...rest } = recordNumber(n)
  return { ...rest, lifecycle_state: 'in_progress' }
}

/** A fleet of one worker of this name. */
export function viewOf(worker: string): ViewDocument {
  return toViewDocument({
    candidates: [{ id: worker, workerId: worker, rank: null, weight: 1, labels: {}, models: new Set(['m']) }],
  })
}

// A record turned into sentences and a table. Pure: the same record gives the same words, at a router as at a command line.

import type { DecisionRecord } from '../record/schema.ts'
import { type CandidateTable, toTable } from './candidate-table.ts'
import { type ExplainedRule, toDecisionTree } from './decision-tree.ts'
import { EXPLAINERS } from './explainers.ts'
import type { Subject } from './subject.ts'
import { whyNot, type WhyNot } from './why-not.ts'

export interface Explanation {
  readonly decision_id: string | null
  readonly request_id: string | null
  readonly timestamp: string
  readonly route: string
  /** Null in records of routers that did not keep it, and in dry runs. */
  readonly lifecycle_state: string | null
  readonly method: string | null
  readonly policy: string | null
  /** Who answered, was tried last, or would be asked. */
  readonly worker: string | null
  readonly sentences: readonly string[]
  /** Every decision rule with what it came to; absent where none was asked, or the rules are not at hand. */
  readonly decisions?: readonly ExplainedRule[]
  /** The answer to `?worker=B`. */
  readonly why_not?: WhyNot
  /** Null where the record has no candidates. */
  readonly table: CandidateTable | null
  readonly attempts: DecisionRecord['attempts']
}

/** `worker` asks why it was not that one; null when nobody asks. */
export function explain(subject: Subject, worker: string | null): Explanation {
  const { record, view, decisions = null } = subject
  const rules = toDecisionTree(record, decisions)
  return {
    decision_id: record.decision_id ?? null,
    request_id: record.request_id ?? null,
    timestamp: record.timestamp,
    route: record.route,
    lifecycle_state: record.lifecycle_state ?? null,
    method: record.method ?? null,
    policy: record.policy ?? null,
    worker: record.worker ?? null,
    sentences: EXPLAINERS.flatMap((explainer) => explainer(subject)),
    ...(rules === null ? {} : { decisions: rules }),
    ...(worker === null ? {} : { why_not: whyNot(subject, worker) }),
    table: toTable(record, view),
    attempts: record.attempts ?? [],
  }
}

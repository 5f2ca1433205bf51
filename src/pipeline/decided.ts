// What rules made of one request: which decision took it, by what, and what that means for the model it goes to.

import type { DecisionConfig, ModelRef, ReasoningEffort } from '../config/decision-config.ts'
import type { RuledDecision } from '../routing/decision-rules.ts'
import type { SignalReading } from '../routing/signals/signal.ts'

export interface Decided {
  readonly ruled: RuledDecision
  readonly readings: readonly SignalReading[]
  /** Of the rules of its signals, by their keys. */
  readonly digests: Readonly<Record<string, string>>
  /** Null when no rule held. */
  readonly decision: DecisionConfig | null
  /** Whether there is a place in requests of this kind where a model could be told: none in what asks for vectors. */
  readonly canReason: boolean
}

const USUAL_EFFORT: ReasoningEffort = 'medium'

/** How a model of the decision is to reason; null where no decision says so, or nobody is told. */
export function reasoningOf(decided: Decided | null, model: string | null): 'off' | ReasoningEffort | null {
  const ref = refOf(decided, model)
  if (ref === null || decided?.canReason !== true) return null
  return ref.usesReasoning ? (ref.reasoningEffort ?? USUAL_EFFORT) : 'off'
}

/** What the decision says of a model; null of one that it does not name. */
export function refOf(decided: Decided | null, model: string | null): ModelRef | null {
  return decided?.decision?.models.find((ref) => ref.model === model) ?? null
}

// A request that rules took, for tests of what comes after them.

import type { Decided } from '../../src/pipeline/decided.ts'
import { decideByRules, type DecisionRule } from '../../src/routing/decision-rules.ts'
import {
  type SignalFamily,
  signalKey,
  type SignalOutcome,
  type SignalReading,
} from '../../src/routing/signals/signal.ts'

/** By one decision on model `m` that wants every signal listed, by its key. */
export function decidedBy(outcomes: Readonly<Record<string, SignalOutcome>>): Decided {
  const readings = Object.entries(outcomes).map(([key, outcome]): SignalReading => {
    const at = key.indexOf(':')
    return { family: key.slice(0, at) as SignalFamily, name: key.slice(at + 1), outcome } // written out by the test
  })
  const rule: DecisionRule = {
    name: 'the-decision',
    priority: 1,
    when: { kind: 'and', parts: readings.map(({ family, name }) => ({ kind: 'signal', family, name })) },
  }
  const ruled = decideByRules([rule], 'priority', (family, name) => {
    return outcomes[signalKey({ family, name })] ?? { kind: 'unknown', because: 'not_asked' }
  })
  const model = { model: 'm', baseModel: 'm', usesReasoning: true, reasoningEffort: null, weight: null }
  const plugins = { routerReplay: null, semanticCache: null, systemPrompt: null, headerMutation: null }
  return {
    ruled,
    readings,
    digests: Object.fromEntries(Object.keys(outcomes).map((key) => [key, '0123abcd'])),
    canReason: true,
    decision: { ...rule, description: null, models: [model], plugins },
  }
}

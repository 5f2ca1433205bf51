// A decision made and recorded as live traffic does it, for tests of how it is explained.

import { inputOf, viewOf } from '../conformance/policy.ts'
import { explain, type Explanation } from '../../src/explain/explain.ts'
import type { Exchange } from '../../src/pipeline/exchange.ts'
import type { ExchangeEnd } from '../../src/pipeline/record.ts'
import { toViewDocument } from '../../src/record/view-document.ts'
import type { DecisionInput } from '../../src/routing/decide.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import type { CandidateView, Policy } from '../../src/routing/policy.ts'
import { answered, decidedExchange, recordOf } from './recorded-exchange.ts'

export interface ExplainedDecision {
  /** The name of a built-in policy, with options beside it; or any policy. */
  readonly policy: string | Policy
  readonly options?: Readonly<Record<string, unknown>>
  readonly candidates: readonly CandidateView[]
  readonly input?: Partial<DecisionInput>
  readonly panicThreshold?: number
  readonly viewAgeMs?: number
  readonly seed?: number
  /** What else the exchange has. */
  readonly exchange?: Partial<Exchange>
  readonly end?: Partial<ExchangeEnd>
  readonly worker?: string
}

export function builtIn(name: string, options: Readonly<Record<string, unknown>> = {}): Policy {
  const definition = BUILT_IN_POLICIES.get(name)
  if (definition === undefined) throw new Error(`no policy ${name}`)
  return definition.create(definition.options.parse(options))
}

/** Decides, records and explains. */
export function explained(given: ExplainedDecision): Explanation {
  const { policy, options = {}, candidates, input = {}, panicThreshold, viewAgeMs = 0, seed = 7, worker = null } = given
  const decided = decidedExchange(
    {
      input: inputOf(input),
      policy: typeof policy === 'string' ? builtIn(policy, options) : policy,
      panicThreshold,
      view: viewOf(candidates, viewAgeMs),
      seed,
    },
    given.exchange,
  )
  const isChosen = decided.trace !== null && decided.trace.decision.chosen !== null
  const refused = { status: 503, errorCode: 'no_worker', streamEnd: null } as const
  const record = recordOf(isChosen ? answered(decided) : decided, { ...(isChosen ? {} : refused), ...given.end })
  return explain({ record, view: toViewDocument({ candidates }), dryRun: null }, worker)
}

// Checks of signals that the request alone answers, but for keywords, which have traps of their own.

import type { Partly } from './check-section.ts'
import { errorAt, type Path, type Problem, warningAt } from './finding.ts'
import { patternProblem } from './keyword-checks.ts'
import type { SignalsSection } from './signal-schema.ts'

type Signals = Partly<SignalsSection>

/** `at` is where the signals stand in the file. */
export function checkEdgeSignals(section: Signals, at: Path): Problem[] {
  return [...checkStructure(section, at), ...checkConversation(section, at), ...checkContext(section, at)]
}

const IDLE_PREDICATE = 'has no effect with type: exists, which asks for one at least; write type: count'

function checkStructure({ structure = [] }: Signals, at: Path): Problem[] {
  return structure.flatMap((rule, index) => {
    const path = [...at, 'structure', index]
    const source = rule?.feature?.source
    const isIdle = rule?.feature?.type === 'exists' && rule.predicate !== undefined
    const idle = isIdle ? [warningAt([...path, 'predicate'], IDLE_PREDICATE)] : []
    if (source?.type !== 'regex' || source.pattern === undefined) return idle
    const place = [...path, 'feature', 'source', 'pattern']
    return [...idle, ...patternProblem(source.pattern, source.case_sensitive === true, place)]
  })
}

function checkConversation({ conversation = [] }: Signals, at: Path): Problem[] {
  return conversation.flatMap((rule, index) => {
    const path = [...at, 'conversation', index]
    const { type, source } = rule?.feature ?? {}
    const hasRole = source?.type !== undefined && source.type !== 'message' && source.role !== undefined
    return [
      ...(type === 'exists' && rule?.predicate !== undefined
        ? [warningAt([...path, 'predicate'], IDLE_PREDICATE)]
        : []),
      ...(hasRole ? [warningAt([...path, 'feature', 'source', 'role'], 'has an effect only with type: message')] : []),
    ]
  })
}

function checkContext({ context = [] }: Signals, at: Path): Problem[] {
  return context.flatMap((rule, index) => {
    const { min_tokens: least = 0, max_tokens: most } = rule ?? {}
    if (most === undefined || most >= least) return []
    return [errorAt([...at, 'context', index, 'max_tokens'], 'is less than min_tokens, so nothing is ever within')]
  })
}

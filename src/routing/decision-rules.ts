// Rules over signals, and which of them decides. Pure: the same readings and rules give the same decision. Three values:
// a signal that could not be had is neither there nor absent, and what depends on it is not decided by guessing.

import { type SignalFamily, signalKey, type SignalOutcome } from './signals/signal.ts'

export type RuleNode =
  | { readonly kind: 'signal'; readonly family: SignalFamily; readonly name: string }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly RuleNode[] }
  | { readonly kind: 'not'; readonly part: RuleNode }

export interface DecisionRule {
  readonly name: string
  readonly priority: number
  /** Null for one that takes every request. */
  readonly when: RuleNode | null
}

export type DecisionStrategy = 'priority' | 'confidence'

export type TruthValue = 'yes' | 'no' | 'unknown'

/** One node of a rule with what became of it. */
export interface RuleTrace {
  readonly kind: RuleNode['kind'] | 'always'
  /** Of a signal, as conditions name it: `keyword:urgent`. */
  readonly signal?: string
  readonly is: TruthValue
  readonly confidence: number
  /** Of a signal, in a few words. */
  readonly because?: string
  readonly parts: readonly RuleTrace[]
}

export interface EvaluatedRule {
  readonly name: string
  readonly priority: number
  readonly is: TruthValue
  readonly confidence: number
  /** Signals that made it match, `not …` for those whose absence did. */
  readonly matched: readonly string[]
  readonly root: RuleTrace
}

export interface RuledDecision {
  /** Null when no rule holds. */
  readonly chosen: EvaluatedRule | null
  /** First `domain` among what made it match; null without one. */
  readonly category: string | null
  /** Every rule, in the order of the configuration. */
  readonly traces: readonly EvaluatedRule[]
}

export type ReadSignal = (family: SignalFamily, name: string) => SignalOutcome

/** Evaluates every rule, and says which of those that hold comes first. */
export function decideByRules(
  rules: readonly DecisionRule[],
  strategy: DecisionStrategy,
  read: ReadSignal,
): RuledDecision {
  const traces = rules.map((rule) => evaluateRule(rule, read))
  const holding = traces.filter(({ is }) => is === 'yes')
  const chosen =
    holding.length === 0 ? null : holding.reduce((best, one) => (comesFirst(one, best, strategy) ? one : best))
  return { chosen, category: chosen === null ? null : categoryOf(chosen), traces }
}

/** Every signal that rules ask about, each once. */
export function signalsOf(rules: readonly DecisionRule[]): readonly { family: SignalFamily; name: string }[] {
  const found = new Map<string, { family: SignalFamily; name: string }>()
  const visit = (node: RuleNode): void => {
    if (node.kind === 'signal') found.set(signalKey(node), { family: node.family, name: node.name })
    else if (node.kind === 'not') visit(node.part)
    else node.parts.forEach(visit)
  }
  for (const { when } of rules) if (when !== null) visit(when)
  return [...found.values()]
}

function evaluateRule({ name, priority, when }: DecisionRule, read: ReadSignal): EvaluatedRule {
  const root: RuleTrace = when === null ? ALWAYS : evaluate(when, read)
  const { is, confidence } = root
  return { name, priority, is, confidence, matched: is === 'yes' ? matchedIn(root, true) : [], root }
}

/** What takes every request comes after whatever was found out about one. */
const ALWAYS: RuleTrace = { kind: 'always', is: 'yes', confidence: 0, parts: [] }

function evaluate(node: RuleNode, read: ReadSignal): RuleTrace {
  if (node.kind === 'signal') return evaluateSignal(node, read)
  if (node.kind === 'not') {
    const part = evaluate(node.part, read)
    const is = opposite(part.is)
    return { kind: 'not', is, confidence: is === 'yes' ? 1 : 0, parts: [part] }
  }
  const parts = node.parts.map((part) => evaluate(part, read))
  return node.kind === 'and' ? all(parts) : any(parts)
}

function evaluateSignal({ family, name }: Extract<RuleNode, { kind: 'signal' }>, read: ReadSignal): RuleTrace {
  const outcome = read(family, name)
  const base = { kind: 'signal', signal: signalKey({ family, name }), because: outcome.because, parts: [] } as const
  if (outcome.kind === 'matched') return { ...base, is: 'yes', confidence: outcome.confidence }
  return { ...base, is: outcome.kind === 'unknown' ? 'unknown' : 'no', confidence: 0 }
}

function all(parts: readonly RuleTrace[]): RuleTrace {
  const is = parts.some((part) => part.is === 'no')
    ? 'no'
    : parts.some((part) => part.is === 'unknown')
      ? 'unknown'
      : 'yes'
  const sum = parts.reduce((total, { confidence }) => total + confidence, 0)
  return { kind: 'and', is, confidence: is === 'yes' && parts.length > 0 ? sum / parts.length : 0, parts }
}

function any(parts: readonly RuleTrace[]): RuleTrace {
  const is = parts.some((part) => part.is === 'yes')
    ? 'yes'
    : parts.some((part) => part.is === 'unknown')
      ? 'unknown'
      : 'no'
  const confidence = is === 'yes' ? Math.max(...parts.map((part) => (part.is === 'yes' ? part.confidence : 0))) : 0
  return { kind: 'or', is, confidence, parts }
}

function opposite(is: TruthValue): TruthValue {
  return is === 'unknown' ? 'unknown' : is === 'yes' ? 'no' : 'yes'
}

/** The signals that a node's value comes from. Of alternatives the surest; the first of equals. */
function matchedIn({ kind, signal, parts, confidence }: RuleTrace, isPresent: boolean): readonly string[] {
  if (signal !== undefined) return [isPresent ? signal : `not ${signal}`]
  if (kind === 'not') return parts.flatMap((part) => matchedIn(part, !isPresent))
  const wanted = isPresent ? 'yes' : 'no'
  const holding = parts.filter(({ is }) => is === wanted)
  const isOneEnough = kind === (isPresent ? 'or' : 'and')
  if (!isOneEnough) return holding.flatMap((part) => matchedIn(part, isPresent))
  const best = holding.find((part) => !isPresent || part.confidence === confidence)
  return best === undefined ? [] : matchedIn(best, isPresent)
}

function comesFirst(one: EvaluatedRule, other: EvaluatedRule, strategy: DecisionStrategy): boolean {
  const byPriority = one.priority - other.priority
  const byConfidence = one.confidence - other.confidence
  const [first, second] = strategy === 'confidence' ? [byConfidence, byPriority] : [byPriority, byConfidence]
  if (first !== 0) return first > 0
  if (second !== 0) return second > 0
  return one.name < other.name
}

function categoryOf({ matched }: EvaluatedRule): string | null {
  const domain = matched.find((signal) => signal.startsWith('domain:'))
  return domain === undefined ? null : domain.slice('domain:'.length)
}

// The rules of decisions as they came out for one request: every node with what it came to, every signal with why.

import type { DecisionsConfig } from '../config/decision-config.ts'
import { decideByRules, type RuleTrace, type TruthValue } from '../routing/decision-rules.ts'
import { signalKey, type SignalOutcome } from '../routing/signals/signal.ts'
import type { ExplainedRecord } from './subject.ts'
import { amount } from './words.ts'

export interface ExplainedNode {
  /** `and`, `or`, `not`, `signal`, or `always` of a decision without rules. */
  readonly kind: string
  readonly is: TruthValue
  readonly confidence: number
  readonly signal?: string
  readonly because?: string
  readonly conditions?: readonly ExplainedNode[]
}

export interface ExplainedRule {
  readonly name: string
  readonly description?: string
  readonly priority: number
  readonly is: TruthValue
  readonly confidence: number
  readonly chosen: boolean
  readonly matched: readonly string[]
  readonly rules: ExplainedNode
}

/** In the order in which they are compared; null where the record has nothing of decisions. */
export function toDecisionTree(
  { signal_readings: readings }: ExplainedRecord,
  decisions: DecisionsConfig | null,
): readonly ExplainedRule[] | null {
  if (readings === undefined || decisions === null) return null
  const { chosen, traces } = decideByRules(decisions.rules, decisions.strategy, (family, name): SignalOutcome => {
    const { is, because, confidence = 1 } = readings[signalKey({ family, name })] ?? NOT_READ
    return is === 'matched' ? { kind: is, confidence, because } : { kind: is, because }
  })
  return [...traces]
    .sort((a, b) => b.priority - a.priority)
    .map(({ name, priority, is, confidence, matched, root }) => {
      const description = decisions.rules.find((rule) => rule.name === name)?.description ?? null
      return {
        name,
        ...(description === null ? {} : { description }),
        priority,
        is,
        confidence,
        chosen: name === chosen?.name,
        matched,
        rules: toNode(root),
      }
    })
}

const NOT_READ = { is: 'unknown', because: 'the record does not have it', confidence: undefined } as const

function toNode({ kind, is, confidence, signal, because, parts }: RuleTrace): ExplainedNode {
  return {
    kind,
    is,
    confidence,
    ...(signal === undefined ? {} : { signal }),
    ...(because === undefined ? {} : { because }),
    ...(parts.length === 0 ? {} : { conditions: parts.map(toNode) }),
  }
}

const SIGNS: Readonly<Record<TruthValue, string>> = { yes: '+', no: '-', unknown: '?' }

/** What the signs stand for. */
export const TREE_LEGEND = '(+ holds, - does not, ? nobody can tell)'

/** One line a node, indented. */
export function decisionTreeLines(rules: readonly ExplainedRule[]): readonly string[] {
  return rules.flatMap((rule) => {
    const { name, description, priority, is, confidence } = rule
    const sure = is === 'yes' ? `, confidence ${amount(confidence)}` : ''
    const what = description === undefined ? '' : `: ${description}`
    return [`  ${SIGNS[is]} ${name}  priority ${priority}${sure}${fateOf(rule)}${what}`, ...nodeLines(rule.rules, 2)]
  })
}

function fateOf({ is, chosen }: ExplainedRule): string {
  if (chosen) return '  (takes the request)'
  if (is === 'unknown') return '  (left aside: it hangs on what nobody can tell)'
  return is === 'yes' ? '  (holds, and another comes first)' : ''
}

function nodeLines({ kind, is, signal, because, conditions = [] }: ExplainedNode, depth: number): readonly string[] {
  const words =
    kind === 'always'
      ? 'takes every request'
      : signal === undefined
        ? kind.toUpperCase()
        : `${signal}: ${is === 'unknown' ? `not known, ${because}` : because}`
  const own = `${'  '.repeat(depth)}${SIGNS[is]} ${words}`
  return [own, ...conditions.flatMap((condition) => nodeLines(condition, depth + 1))]
}

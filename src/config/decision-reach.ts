// Which decisions no request reaches, as far as their rules alone say: those that never hold, and those that another holds
// beside and comes before. Found by trying every way the signals can turn out.

import type { Partly } from './check-section.ts'
import { type DecisionSection, isEmptyGroup } from './decision-schema.ts'
import { formatPath, type Path, type Problem, warningAt } from './finding.ts'

type Decision = Partly<DecisionSection>
type Condition = NonNullable<DecisionSection['rules']>
type Holds = (signals: ReadonlySet<string>) => boolean

/** Two to the power of this many ways are tried for a pair of rules; of larger ones nothing is said. */
const MAX_SIGNALS = 10

/** `at` is where the decisions stand in the file. */
export function checkReach(
  decisions: readonly (Decision | undefined)[],
  strategy: 'priority' | 'confidence',
  at: Path,
): Problem[] {
  return decisions.flatMap((decision, index) => {
    if (decision === undefined) return []
    if (neverHolds(decision)) return [warningAt([...at, index, 'rules'], 'never holds, whatever the signals say')]
    const by = decisions.findIndex(
      (other) => other !== undefined && other !== decision && hides(other, decision, strategy),
    )
    if (by === -1) return []
    const where = formatPath([...at, by])
    return [warningAt([...at, index], `is never reached: ${where} holds whenever it does, and comes first`)]
  })
}

function neverHolds(decision: Decision): boolean {
  const rule = ruleOf(decision)
  return rule !== null && !someWay([rule], toHolds(rule))
}

function hides(other: Decision, decision: Decision, strategy: 'priority' | 'confidence'): boolean {
  const isSame = JSON.stringify(other.rules) === JSON.stringify(decision.rules)
  const [first = 0, second = 0] = [other.priority, decision.priority]
  if (first === second) return isSame && (other.name ?? '') < (decision.name ?? '')
  // By confidence a rule that holds as well may still come second; not so the same rule.
  if (first < second || (strategy === 'confidence' && !isSame)) return false
  if (isSame) return true
  const [wider, narrower] = [ruleOf(other), ruleOf(decision)]
  if (wider === null || narrower === null) return false
  const [holdsToo, holds] = [toHolds(wider), toHolds(narrower)]
  return !someWay([wider, narrower], (signals) => holds(signals) && !holdsToo(signals))
}

/** Null for rules of which a part was refused. */
function ruleOf(decision: Decision): Condition | null {
  if (!('rules' in decision)) return EVERY_REQUEST
  const rule = decision.rules as Condition | undefined // its parts may be missing, which is looked at here
  return rule !== undefined && isWhole(rule) ? rule : null
}

const EVERY_REQUEST: Condition = { operator: 'AND', conditions: [] }

function isWhole({ type, name, operator, conditions }: Condition): boolean {
  if (operator === undefined) return type !== undefined && name !== undefined
  return conditions?.every((condition: Condition | undefined) => condition !== undefined && isWhole(condition)) === true
}

function toHolds(rule: Condition): Holds {
  if (rule.operator === undefined) return (signals) => signals.has(signalIn(rule))
  const parts = (rule.conditions ?? []).map(toHolds)
  if (isEmptyGroup(rule)) return () => true
  if (rule.operator === 'NOT') return (signals) => !parts.some((holds) => holds(signals))
  if (rule.operator === 'AND') return (signals) => parts.every((holds) => holds(signals))
  return (signals) => parts.some((holds) => holds(signals))
}

const signalIn = ({ type, name }: Condition) => `${type}:${name}`

function signalsIn(rule: Condition): readonly string[] {
  return rule.operator === undefined ? [signalIn(rule)] : (rule.conditions ?? []).flatMap(signalsIn)
}

/** Whether some way that the signals can turn out is as wanted; `true` where there are too many to try. */
function someWay(rules: readonly Condition[], isWanted: Holds): boolean {
  const signals = [...new Set(rules.flatMap(signalsIn))]
  if (signals.length > MAX_SIGNALS) return true
  for (let way = 0; way < 1 << signals.length; way += 1) {
    if (isWanted(new Set(signals.filter((_, bit) => (way & (1 << bit)) !== 0)))) return true
  }
  return false
}

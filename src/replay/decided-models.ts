// Which models the decisions of a configuration would lead a recorded request to: its rules over the signals that the
// record has, as far as these were asked by the same rules.

import type { Config } from '../config/config.ts'
import type { DecisionConfig, DecisionsConfig } from '../config/decision-config.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import { decideByRules, type EvaluatedRule, type RuleTrace } from '../routing/decision-rules.ts'
import { drawSplit, splitSeed } from '../routing/model-rules.ts'
import { signalKey, type SignalOutcome } from '../routing/signals/signal.ts'

export type DecidedModels =
  /** In the order in which they are tried. */
  | { readonly kind: 'models'; readonly models: readonly string[] }
  /** Nobody decides: the name stands as it was asked for. */
  | { readonly kind: 'as_named' }
  | { readonly kind: 'unknown'; readonly why: string }

/** Routes that generate: others keep the model they name. */
const GENERATING: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/v1/messages',
])

/** `isUp` says whether a model has a worker; a split is drawn among those. */
export function decidedModels(
  record: StoredRecord,
  named: string | null,
  { decisions, defaultModel, signals }: Pick<Config, 'decisions' | 'defaultModel' | 'signals'>,
  isUp: (model: string) => boolean,
): DecidedModels {
  if (decisions === null) return { kind: 'as_named' }
  const isAuto = named !== null && decisions.autoModels.includes(named)
  const isAsked = isAuto || (decisions.decideOn === 'all' && GENERATING.has(record.route))
  if (!isAsked) return { kind: 'as_named' }
  const missing = new Set<string>()
  const { chosen, traces } = decideByRules(decisions.rules, decisions.strategy, (family, name) => {
    const key = signalKey({ family, name })
    const found = recordedOutcome(record, key, signals.digests[key])
    if (found === null) missing.add(key)
    return found ?? MISSING
  })
  const open = traces.find((trace) => mayComeFirst(trace, chosen, decisions) && dependsOn(trace.root, missing))
  if (open !== undefined) {
    const key = [...missing].find((each) => dependsOn(open.root, new Set([each]))) ?? ''
    return {
      kind: 'unknown',
      why: `decision \`${open.name}\` asks for the signal \`${key}\`, which the record does not have`,
    }
  }
  const decision = decisions.rules.find(({ name }) => name === chosen?.name) ?? null
  if (decision === null && !isAuto) return { kind: 'as_named' }
  const last = defaultModel === null || decisions.autoModels.includes(defaultModel) ? [] : [defaultModel]
  return { kind: 'models', models: [...new Set([...modelsOf(record, decision, isUp), ...last])] }
}

const MISSING: SignalOutcome = { kind: 'unknown', because: 'not recorded' }

/** Null unless the record has it, by a rule that asked the same. */
function recordedOutcome({ signal_readings: readings = {} }: StoredRecord, key: string, digest: string | undefined) {
  const reading = readings[key]
  if (reading === undefined || reading.rule !== digest) return null
  const { is, because, confidence = 1 } = reading
  return is === 'matched' ? { kind: is, because, confidence } : { kind: is, because }
}

/** Whether a rule that is not known to hold would come before the one that does. */
function mayComeFirst({ is, priority }: EvaluatedRule, chosen: EvaluatedRule | null, { strategy }: DecisionsConfig) {
  if (is === 'no') return false
  // What is missing can no more than change how surely it holds.
  if (is === 'yes') return strategy === 'confidence'
  return chosen === null || strategy === 'confidence' || priority >= chosen.priority
}

function dependsOn({ signal, is, parts }: RuleTrace, missing: ReadonlySet<string>): boolean {
  if (signal !== undefined) return is === 'unknown' && missing.has(signal)
  return parts.some((part) => dependsOn(part, missing))
}

function modelsOf(record: StoredRecord, decision: DecisionConfig | null, isUp: (model: string) => boolean) {
  const refs = decision?.models ?? []
  const models = refs.map(({ model }) => model)
  if (decision === null || refs.every(({ weight }) => weight === null)) return models
  const shares = refs.filter(({ model }) => isUp(model)).map(({ model, weight }) => ({ model, weight: weight ?? 1 }))
  const session = record.split?.affinity ?? record.affinity ?? null
  const seed = splitSeed(record.decision_id ?? record.request_id ?? '')
  return [...drawSplit(`decision:${decision.name}`, { shares, session }, seed), ...models]
}

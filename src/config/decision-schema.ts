// `decisions`: which model takes what kind of request, and the DecisionsConfig they become. The field names are those of the
// semantic router.

import * as z from 'zod'
import type { RuleNode } from '../routing/decision-rules.ts'
import { SIGNAL_FAMILIES } from '../routing/signals/signal.ts'
import type { DecisionConfig, DecisionPlugins, ModelRef, ReasoningFamily } from './decision-config.ts'
import { pluginSchema, toPlugins } from './decision-plugin-schema.ts'
import { flag, list, text } from './scalars.ts'
import { signalName } from './signal-name.ts'

/** Conditions inside one another; deeper ones nobody could follow. */
const MAX_DEPTH = 8

const RULE_SHAPE = 'must be {type, name} of a signal, or {operator, conditions} of several'

/** What a condition can say, with those inside it. */
export interface Condition {
  readonly type?: (typeof SIGNAL_FAMILIES)[number] | undefined
  readonly name?: string | undefined
  readonly operator?: 'AND' | 'OR' | 'NOT' | undefined
  readonly conditions?: readonly Condition[] | undefined
}

const operator = z.preprocess(
  (value) => (typeof value === 'string' ? value.toUpperCase() : value),
  z.enum(['AND', 'OR', 'NOT']),
)

const conditionShape = {
  type: z.enum(SIGNAL_FAMILIES).optional(),
  name: signalName().optional(),
  operator: operator.optional(),
}

function conditionSchema(depth: number): z.ZodType<Condition> {
  if (depth === MAX_DEPTH) {
    const tooDeep = z.never({ error: `is more than ${MAX_DEPTH} conditions deep; split the rule` })
    return z.strictObject({ ...conditionShape, conditions: tooDeep.optional() }).check(checkCondition)
  }
  const conditions = list(conditionSchema(depth + 1), '[{type: keyword, name: urgent}]').optional()
  return z.strictObject({ ...conditionShape, conditions }).check(checkCondition)
}

function checkCondition({ value, issues }: z.core.ParsePayload<Condition>): void {
  if (issues.length > 0) return
  const complain = (message: string) => void issues.push({ code: 'custom', message, input: value })
  const isLeaf = value.type !== undefined || value.name !== undefined
  const isGroup = value.operator !== undefined || value.conditions !== undefined
  if (isLeaf === isGroup) return complain(RULE_SHAPE)
  if (isLeaf && (value.type === undefined || value.name === undefined)) return complain(RULE_SHAPE)
  if (isLeaf) return
  if (value.operator === undefined || value.conditions === undefined) return complain(RULE_SHAPE)
  if (value.operator === 'NOT' && value.conditions.length !== 1) complain('is NOT, which takes exactly one condition')
}

const modelRef = z.strictObject({
  model: text().max(256, { error: 'must be at most 256 characters' }),
  use_reasoning: flag().default(false),
  reasoning_effort: z.enum(['low', 'medium', 'high']).optional(),
  reasoning_description: text().optional(),
  weight: z.number({ error: 'must be a number above 0' }).positive({ error: 'must be above 0' }).optional(),
  /** Adapter of the model, as the workers serve it. */
  lora_name: text().optional(),
})

const decisionSchema = z.strictObject({
  name: signalName(),
  description: text().optional(),
  priority: z.int({ error: 'must be a whole number' }).default(0),
  /** Every request without it. */
  rules: conditionSchema(1).optional(),
  modelRefs: list(modelRef, '[{model: llama-3.1-70b}]').default([]),
  plugins: list(pluginSchema, '[{type: router_replay}]').default([]),
})

const modelSchema = z.strictObject({
  name: text(),
  /** How it is told to reason; `reasoning_effort` for models that are not listed. */
  reasoning_family: z.string().default('reasoning_effort'),
  /** Of `chat_template_kwargs`: the switch in the template. */
  reasoning_parameter: text()
    .regex(/^\w{1,64}$/, { error: 'must be letters, digits and _' })
    .optional(),
})

export const decisionsSchema = list(decisionSchema, '[{name: code, rules: {...}, modelRefs: [...]}]').default([])
export const modelsSchema = list(modelSchema, '[{name: qwen3-32b, reasoning_family: qwen3}]').default([])
export const strategySchema = z.enum(['priority', 'confidence'])

export type DecisionSection = z.output<typeof decisionsSchema>[number]

/** Families by the names that the semantic router's own configurations use, and the two kinds themselves. */
export const REASONING_FAMILIES: Readonly<Record<string, ReasoningFamily>> = {
  reasoning_effort: { kind: 'reasoning_effort' },
  chat_template_kwargs: { kind: 'chat_template_kwargs', parameter: 'enable_thinking' },
  gpt: { kind: 'reasoning_effort' },
  'gpt-oss': { kind: 'reasoning_effort' },
  qwen3: { kind: 'chat_template_kwargs', parameter: 'enable_thinking' },
  deepseek: { kind: 'chat_template_kwargs', parameter: 'thinking' },
  granite: { kind: 'chat_template_kwargs', parameter: 'thinking' },
}

export function toReasoningFamilies(models: z.output<typeof modelsSchema>): Readonly<Record<string, ReasoningFamily>> {
  const entries = models.map(({ name, reasoning_family: family, reasoning_parameter: parameter }) => {
    const known = REASONING_FAMILIES[family] ?? { kind: 'reasoning_effort' }
    const own = known.kind === 'chat_template_kwargs' && parameter !== undefined ? { ...known, parameter } : known
    return [name, own] as const
  })
  return Object.fromEntries(entries)
}

export function toDecision(section: DecisionSection): DecisionConfig {
  const { name, description = null, priority, rules, modelRefs, plugins } = section
  return {
    name,
    description,
    priority,
    when: rules === undefined || isEmptyGroup(rules) ? null : toNode(rules),
    models: modelRefs.map(toModelRef),
    plugins: toPlugins(plugins) satisfies DecisionPlugins,
  }
}

/** An AND of nothing holds for everything, as no rules at all do. */
export function isEmptyGroup({ operator: word, conditions }: Condition): boolean {
  return word === 'AND' && conditions?.length === 0
}

function toNode({ type, name, operator: word, conditions = [] }: Condition): RuleNode {
  if (type !== undefined && name !== undefined) return { kind: 'signal', family: type, name }
  const parts = conditions.map(toNode)
  const [first] = parts
  if (word === 'NOT' && first !== undefined) return { kind: 'not', part: first }
  return { kind: word === 'AND' ? 'and' : 'or', parts }
}

function toModelRef(ref: DecisionSection['modelRefs'][number]): ModelRef {
  return {
    model: ref.lora_name ?? ref.model,
    baseModel: ref.model,
    usesReasoning: ref.use_reasoning,
    reasoningEffort: ref.reasoning_effort ?? null,
    weight: ref.weight ?? null,
  }
}

// What rules make of names outside a request: the aliases a list of models shows, and the model behind a name.

import type { Config } from '../config/config.ts'
import { findRule, leadingModel, type RuleCaller } from '../routing/model-rules.ts'

export interface ModelAlias {
  readonly id: string
  /** The model behind it: the first of its rule that is available, else the first. */
  readonly target: string
}

/** Whose question it is, and what there is to lead to. */
export interface AliasContext extends RuleCaller {
  isAvailable(model: string): boolean
}

/** Every name that a rule takes as it stands (no `*` in it), as this caller would have it routed, and those to decide on. */
export function listAliases(config: Config, context: AliasContext): readonly ModelAlias[] {
  const names = new Set(config.modelRules.map(({ match }) => match).filter((match) => !match.endsWith('*')))
  const ruled = [...names].flatMap((id) => {
    const target = ruledTarget(config, id, context)
    return target === null ? [] : [{ id, target }]
  })
  return [...ruled, ...autoNames(config, context)]
}

/** Names that ask for a decision; behind them the first model that one could lead to. */
function autoNames({ decisions, defaultModel }: Config, { isAvailable }: AliasContext): readonly ModelAlias[] {
  if (decisions === null) return []
  const models = [
    ...decisions.rules.flatMap(({ models: refs }) => refs.map(({ model }) => model)),
    ...(defaultModel === null ? [] : [defaultModel]),
  ]
  const target = models.find((model) => isAvailable(model)) ?? models[0]
  return target === undefined ? [] : decisions.autoModels.map((id) => ({ id, target }))
}

/** The model that rules lead a name to; null when no rule takes it. */
export function ruledTarget({ modelRules }: Config, name: string, context: AliasContext): string | null {
  const index = findRule(name, modelRules, context)
  const rule = index === null ? undefined : modelRules[index]
  return rule === undefined ? null : leadingModel(rule, (model) => context.isAvailable(model))
}

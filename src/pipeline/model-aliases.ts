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

/** Every name that a rule takes as it stands (no `*` in it), as this caller would have it routed. */
export function listAliases(config: Config, context: AliasContext): readonly ModelAlias[] {
  const names = new Set(config.modelRules.map(({ match }) => match).filter((match) => !match.endsWith('*')))
  return [...names].flatMap((id) => {
    const target = ruledTarget(config, id, context)
    return target === null ? [] : [{ id, target }]
  })
}

/** The model that rules lead a name to; null when no rule takes it. */
export function ruledTarget({ modelRules }: Config, name: string, context: AliasContext): string | null {
  const index = findRule(name, modelRules, context)
  const rule = index === null ? undefined : modelRules[index]
  return rule === undefined ? null : leadingModel(rule, (model) => context.isAvailable(model))
}

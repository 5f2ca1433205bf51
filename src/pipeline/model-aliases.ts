// What rules make of names outside a request: the aliases a list of models shows, and the model behind a name.

import type { Config } from '../config/config.ts'
import { findRule, leadingModel } from '../routing/model-rules.ts'

export interface ModelAlias {
  readonly id: string
  /** The model behind it: the first of its rule that is available, else the first. */
  readonly target: string
}

type IsAvailable = (model: string) => boolean

/** Every name that a rule takes as it stands (no `*` in it), as a caller with these headers would have it routed. */
export function listAliases(config: Config, headers: Headers, isAvailable: IsAvailable): readonly ModelAlias[] {
  const names = new Set(config.modelRules.map(({ match }) => match).filter((match) => !match.endsWith('*')))
  return [...names].flatMap((id) => {
    const target = ruledTarget(config, id, { headers, isAvailable })
    return target === null ? [] : [{ id, target }]
  })
}

/** The model that rules lead a name to; null when no rule takes it. */
export function ruledTarget(
  { modelRules }: Config,
  name: string,
  { headers, isAvailable }: { readonly headers: Headers; readonly isAvailable: IsAvailable },
): string | null {
  const index = findRule(name, modelRules, { header: (header) => headers.get(header), tenant: null })
  const rule = index === null ? undefined : modelRules[index]
  return rule === undefined ? null : leadingModel(rule, isAvailable)
}

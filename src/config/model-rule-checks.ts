// Checks of `model_rules` against each other and against the pool: rules no request reaches, targets nobody serves.

import { ruleCovers, type RuleScope } from '../routing/model-rules.ts'
import type { Partly } from './check-section.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { formatPath, warningAt, type Path, type Problem } from './finding.ts'
import { toCondition } from './model-rule-schema.ts'
import { didYouMean } from './nearest.ts'
import type { ConfigFile } from './schema.ts'

type RuleEntry = Partly<ConfigFile['model_rules'][number]>

/** Remarks on every rule. */
export function checkModelRules(input: CrossCheckInput): Problem[] {
  const rules = input.file.model_rules ?? []
  const scopes = rules.map(scopeOf)
  const served = listedModels(input)
  return rules.flatMap((rule, index) => {
    if (rule === undefined) return []
    return [
      ...shadowed(scopes, index),
      ...strangers(rule, index, input.file),
      ...repeated(rule, index),
      ...(served === null ? [] : unservedTargets(rule, index, served)),
    ]
  })
}

/** Every model of the pool; null when some worker has yet to say what it serves. */
export function listedModels({ pool, isPoolComplete }: CrossCheckInput): ReadonlySet<string> | null {
  if (!isPoolComplete || pool.some(({ worker }) => worker.models === null)) return null
  return new Set(pool.flatMap(({ worker }) => worker.models ?? []))
}

// Whatever its action comes to, the rule that takes a request decides alone; so one before that takes the same requests
// or more leaves a rule none.
function shadowed(scopes: readonly (RuleScope | null)[], index: number): Problem[] {
  const scope = scopes[index] ?? null
  if (scope === null) return []
  const earlier = scopes.findIndex((other) => other === scope || (other !== null && ruleCovers(other, scope)))
  if (earlier === index) return []
  const where = formatPath(['model_rules', earlier])
  return [warningAt(['model_rules', index, 'match'], `is never reached: ${where} comes first and takes all of it`)]
}

/** Which requests a rule takes; null where a part of the rule was refused, since that may have been a condition. */
function scopeOf(rule: RuleEntry | undefined): RuleScope | null {
  // What was refused is there as undefined; what was never written is not there.
  const parts: readonly object[] = [rule ?? {}, rule?.when ?? {}, rule?.when?.header ?? {}]
  if (rule?.match === undefined || parts.some((part) => Object.values(part).includes(undefined))) return null
  return { match: rule.match, when: toCondition(rule.when) }
}

function strangers({ when }: RuleEntry, index: number, { api_keys: keys = [] }: CrossCheckInput['file']): Problem[] {
  const tenant = when?.tenant
  const names = keys.map((entry) => entry?.name)
  // An entry that was refused may be the one.
  if (tenant === undefined || names.includes(tenant) || names.includes(undefined)) return []
  const known = names.length === 0 ? 'there are no api_keys' : `no entry of api_keys has this name`
  const hint = didYouMean(
    tenant,
    names.filter((name) => name !== undefined),
  )
  return [
    warningAt(['model_rules', index, 'when', 'tenant'], `never holds: ${known}, so the rule takes no request${hint}`),
  ]
}

function repeated({ fallback = [] }: RuleEntry, index: number): Problem[] {
  return fallback.flatMap((model, at) => {
    if (model === undefined || fallback.indexOf(model) === at) return []
    return [warningAt(['model_rules', index, 'fallback', at], 'stands in the list before; it counts once')]
  })
}

function unservedTargets(rule: RuleEntry, index: number, served: ReadonlySet<string>): Problem[] {
  return ruleTargets(rule, index).flatMap(({ model, path }) => {
    return served.has(model) ? [] : [warningAt(path, `no worker lists ${model} among its models`)]
  })
}

/** A model that a rule can lead to, and where the file says so. */
export interface RuleTarget {
  readonly model: string
  readonly path: Path
}

/** Every model a rule can lead to, each once. */
export function ruleTargets({ rewrite, fallback = [], weights = {} }: RuleEntry, index: number): RuleTarget[] {
  const at = ['model_rules', index]
  return [
    ...(rewrite === undefined ? [] : [{ model: rewrite, path: [...at, 'rewrite'] }]),
    ...fallback.flatMap((model, place) => {
      const isFirst = fallback.indexOf(model) === place
      return model === undefined || !isFirst ? [] : [{ model, path: [...at, 'fallback', place] }]
    }),
    ...Object.keys(weights).map((model) => ({ model, path: [...at, 'weights', model] })),
  ]
}

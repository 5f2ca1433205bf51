// Checks of `model_rules` against each other and against the pool: rules no request reaches, targets nobody serves.

import { matchCovers } from '../routing/model-rules.ts'
import type { Partly } from './check-section.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { formatPath, warningAt, type Path, type Problem } from './finding.ts'
import type { ConfigFile } from './schema.ts'

type RuleEntry = Partly<ConfigFile['model_rules'][number]>

/** Remarks on every rule. */
export function checkModelRules(input: CrossCheckInput): Problem[] {
  const rules = input.file.model_rules ?? []
  const served = listedModels(input)
  return rules.flatMap((rule, index) => {
    if (rule === undefined) return []
    return [
      ...shadowed(rules, index),
      ...tenantless(rule, index),
      ...repeated(rule, index),
      ...(served === null ? [] : unservedTargets(rule, index, served)),
    ]
  })
}

/** Every model of the pool; null when some worker has yet to say what it serves. */
function listedModels({ pool, isPoolComplete }: CrossCheckInput): ReadonlySet<string> | null {
  if (!isPoolComplete || pool.some(({ worker }) => worker.models === null)) return null
  return new Set(pool.flatMap(({ worker }) => worker.models ?? []))
}

function shadowed(rules: readonly (RuleEntry | undefined)[], index: number): Problem[] {
  const match = rules[index]?.match
  const earlier = rules.findIndex((rule, at) => {
    return at < index && rule?.match !== undefined && rule.when === undefined && matchCovers(rule.match, match ?? '')
  })
  if (match === undefined || earlier === -1) return []
  const where = formatPath(['model_rules', earlier])
  return [warningAt(['model_rules', index, 'match'], `is never reached: ${where} comes first and takes all of it`)]
}

// Without tenants in the configuration no request has one.
function tenantless({ when }: RuleEntry, index: number): Problem[] {
  if (when?.tenant === undefined) return []
  const message = 'never holds: this version knows no tenants, so the rule takes no request'
  return [warningAt(['model_rules', index, 'when', 'tenant'], message)]
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

/** Every model a rule can lead to, with its place in the file. */
export function ruleTargets(
  { rewrite, fallback = [], weights = {} }: RuleEntry,
  index: number,
): { readonly model: string; readonly path: Path }[] {
  const at = ['model_rules', index]
  return [
    ...(rewrite === undefined ? [] : [{ model: rewrite, path: [...at, 'rewrite'] }]),
    ...fallback.flatMap((model, place) => (model === undefined ? [] : [{ model, path: [...at, 'fallback', place] }])),
    ...Object.keys(weights).map((model) => ({ model, path: [...at, 'weights', model] })),
  ]
}

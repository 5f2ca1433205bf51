// Checks of decisions and their signals that no single field can make: names that lead nowhere, rules no request reaches.

import { type SignalFamily, signalKey } from '../routing/signals/signal.ts'
import type { Partly } from './check-section.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { checkReach } from './decision-reach.ts'
import { type DecisionSection, isEmptyGroup, REASONING_FAMILIES } from './decision-schema.ts'
import { placeOf } from './decisions.ts'
import { errorAt, formatPath, type Path, type Problem, warningAt } from './finding.ts'
import { checkEdgeSignals } from './edge-signal-checks.ts'
import { checkKeywords } from './keyword-checks.ts'
import { listedModels } from './model-rule-checks.ts'
import { didYouMean } from './nearest.ts'
import type { ConfigFile } from './schema.ts'
import { SIGNAL_SECTIONS, type SignalsSection } from './signal-schema.ts'

type File = Partly<ConfigFile>
type Decision = Partly<DecisionSection>
type Condition = NonNullable<DecisionSection['rules']>

export function checkDecisions(input: CrossCheckInput): Problem[] {
  const { file } = input
  return [
    ...twoPlaces(file),
    ...checkSignals(file),
    ...checkRules(file),
    ...checkModels(input),
    ...checkPluginsOnce(file),
    ...checkIdlePlugins(file),
    ...checkRest(input),
    ...checkReach(decisionsOf(file), file.routing?.strategy ?? file.strategy ?? 'priority', placeOf(file, 'decisions')),
    ...checkSettings(input),
  ]
}

function decisionsOf(file: File): readonly (Decision | undefined)[] {
  return file.routing?.decisions ?? file.decisions ?? []
}

function signalsOf(file: File): Partly<SignalsSection> {
  return file.routing?.signals ?? file.signals ?? {}
}

function twoPlaces(file: File): Problem[] {
  const { routing } = file
  if (routing === undefined) return []
  const both = (['signals', 'decisions', 'strategy'] as const).filter((key) => {
    const top = file[key]
    return routing[key] !== undefined && top !== undefined && !(Array.isArray(top) && top.length === 0)
  })
  return both.map((key) => {
    return { ...errorAt(['routing', key], `stands at the top level too; keep one of the two`), atKey: true }
  })
}

/** Signals by the key that conditions have them under; null when a part was refused, so that one may be missing. */
function knownSignals(file: File): ReadonlyMap<string, SignalFamily> | null {
  const section = signalsOf(file)
  const known = new Map<string, SignalFamily>()
  for (const [key, family] of Object.entries(SIGNAL_SECTIONS)) {
    const rules: readonly (NamedRule | undefined)[] = Reflect.get(section, key) ?? []
    for (const rule of rules) {
      const name = family === 'authz' ? rule?.role : rule?.name
      if (name === undefined) return null
      known.set(signalKey({ family, name }), family)
    }
  }
  return known
}

interface NamedRule {
  readonly name?: string | undefined
  readonly role?: string | undefined
}

function checkSignals(file: File): Problem[] {
  const at = placeOf(file, 'signals')
  const section = signalsOf(file)
  const repeated = Object.keys(SIGNAL_SECTIONS).flatMap((key) => {
    const rules: readonly (NamedRule | undefined)[] = Reflect.get(section, key) ?? []
    const names = rules.map((rule) => rule?.name)
    return names.flatMap((name, index) => {
      const first = names.indexOf(name)
      if (name === undefined || first === index) return []
      return [errorAt([...at, key, index, 'name'], `is the name of ${formatPath([...at, key, first])} as well`)]
    })
  })
  return [...repeated, ...checkKeywords(section.keywords ?? [], [...at, 'keywords']), ...checkEdgeSignals(section, at)]
}

function checkRules(file: File): Problem[] {
  const at = placeOf(file, 'decisions')
  const decisions = decisionsOf(file)
  const known = knownSignals(file)
  const names = decisions.map((decision) => decision?.name)
  return decisions.flatMap((decision, index) => {
    if (decision === undefined) return []
    const path = [...at, index]
    const first = names.indexOf(decision.name)
    const repeated = first === index || decision.name === undefined ? [] : [path]
    return [
      ...repeated.map((where) => errorAt([...where, 'name'], `is the name of ${formatPath([...at, first])} as well`)),
      ...(decision.rules === undefined || known === null ? [] : dangling(decision.rules, [...path, 'rules'], known)),
    ]
  })
}

function dangling(rule: Partly<Condition>, path: Path, known: ReadonlyMap<string, SignalFamily>): Problem[] {
  const { type, name, conditions = [] } = rule
  if (type === undefined || name === undefined) {
    return conditions.flatMap((condition, index) => {
      return condition === undefined ? [] : dangling(condition, [...path, 'conditions', index], known)
    })
  }
  if (known.has(signalKey({ family: type, name }))) return []
  const section = Object.entries(SIGNAL_SECTIONS).find(([, family]) => family === type)?.[0] ?? ''
  const names = [...known].flatMap(([key, family]) => (family === type ? [key.slice(family.length + 1)] : []))
  const elsewhere = [...known].find(([key, family]) => key === `${family}:${name}`)
  const hint =
    didYouMean(name, names) || (elsewhere === undefined ? '' : `; there is one of this name of type ${elsewhere[1]}`)
  const there =
    names.length === 0 ? `there are no signals.${section}` : `signals.${section}: ${names.slice(0, 8).join(', ')}`
  return [errorAt([...path, 'name'], `names no signal of type ${type} ("${name}")${hint}; ${there}`)]
}

function checkModels(input: CrossCheckInput): Problem[] {
  const { file } = input
  const at = placeOf(file, 'decisions')
  const served = listedModels(input)
  return decisionsOf(file).flatMap((decision, index) => {
    const refs = decision?.modelRefs ?? []
    const path = [...at, index, 'modelRefs']
    const names = refs.map((ref) => ref?.lora_name ?? ref?.model)
    const weighted = refs.filter((ref) => ref?.weight !== undefined).length
    return [
      ...(weighted === 0 || weighted === refs.length
        ? []
        : [warningAt(path, 'has weights on some models only; those without one count 1')]),
      ...refs.flatMap((ref, place) => {
        if (ref?.reasoning_effort === undefined || ref.use_reasoning === true) return []
        return [warningAt([...path, place, 'reasoning_effort'], 'has no effect without use_reasoning: true')]
      }),
      ...(decision !== undefined && refs.length === 0 && (file.default_model ?? null) === null
        ? [errorAt([...at, index], 'leads to no model: give it modelRefs, or the router a default_model')]
        : []),
      ...names.flatMap((name, place) => {
        if (name === undefined) return []
        const field = refs[place]?.lora_name === undefined ? 'model' : 'lora_name'
        if (names.indexOf(name) < place) {
          return [errorAt([...path, place, field], 'stands in the list before; a model is tried once')]
        }
        if (served === null || served.has(name)) return []
        const message = `no worker lists ${name} among its models${didYouMean(name, served)}`
        return [warningAt([...path, place, field], message)]
      }),
    ]
  })
}

function checkPluginsOnce(file: File): Problem[] {
  const at = placeOf(file, 'decisions')
  return decisionsOf(file).flatMap((decision, index) => {
    const types = (decision?.plugins ?? []).map((plugin) => plugin?.type)
    return types.flatMap((type, place) => {
      if (type === undefined || types.indexOf(type) === place) return []
      return [errorAt([...at, index, 'plugins', place, 'type'], `is a second ${type}; a decision has one of each type`)]
    })
  })
}

/** What an auto name comes to when no decision holds is an error for the caller, unless there is a default. */
function checkRest({ file }: CrossCheckInput): Problem[] {
  const decisions = decisionsOf(file)
  const takesAll = (decision: Decision) =>
    !('rules' in decision) || (decision.rules !== undefined && isEmptyGroup(decision.rules as Condition))
  const isCovered = decisions.some((decision) => decision === undefined || takesAll(decision))
  if (decisions.length === 0 || isCovered || (file.default_model ?? null) !== null) return []
  const name = file.auto_models?.[0] ?? 'auto'
  const message = `leave requests for ${name} without a model when none of them holds (404): give the router a default_model, or add a decision without rules`
  return [{ ...warningAt(placeOf(file, 'decisions'), message), atKey: true }]
}

function checkIdlePlugins(file: File): Problem[] {
  if (file.semantic_cache !== undefined) return []
  const at = placeOf(file, 'decisions')
  return decisionsOf(file).flatMap((decision, index) =>
    (decision?.plugins ?? []).flatMap((plugin, place) => {
      if (plugin?.type !== 'semantic-cache' || plugin.configuration?.enabled === false) return []
      return [warningAt([...at, index, 'plugins', place], 'has no effect without the section semantic_cache')]
    }),
  )
}

function checkSettings({ file, ...input }: CrossCheckInput): Problem[] {
  const problems: Problem[] = []
  const hasDecisions = decisionsOf(file).length > 0
  const isIdle = (key: string) => ({ ...warningAt([key], 'has no effect without decisions'), atKey: true })
  if (!hasDecisions) {
    if (file.auto_models !== undefined) problems.push(isIdle('auto_models'))
    if (file.decide_on !== undefined) problems.push(isIdle('decide_on'))
  }
  const served = listedModels({ file, ...input })
  for (const [index, name] of (hasDecisions ? (file.auto_models ?? []) : []).entries()) {
    if (name === undefined || served?.has(name) !== true) continue
    problems.push(
      warningAt(['auto_models', index], 'is a model that workers serve; asking for it lets the router choose'),
    )
  }
  for (const [index, model] of (file.models ?? []).entries()) {
    const { reasoning_family: family, reasoning_parameter: parameter } = model ?? {}
    const known = family === undefined ? undefined : REASONING_FAMILIES[family]
    const names = Object.keys(REASONING_FAMILIES)
    if (family !== undefined && known === undefined) {
      const message = `is no family ("${family}")${didYouMean(family, names)}; there are ${names.join(', ')}`
      problems.push(errorAt(['models', index, 'reasoning_family'], message))
    } else if (parameter !== undefined && known?.kind === 'reasoning_effort') {
      problems.push(warningAt(['models', index, 'reasoning_parameter'], `is not used: ${family} has no switch`))
    }
  }
  return problems
}

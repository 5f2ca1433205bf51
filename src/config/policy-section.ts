// The `policy` section: finds the policy in the registry and has its own schema judge the options.
// Knows no policy by name.

import type * as z from 'zod'
import { PolicyError } from '../routing/policy-error.ts'
import type { Policy, PolicyRegistry } from '../routing/policy.ts'
import { checkSection, type Section } from './check-section.ts'
import { errorAt, warningAt, type Path, type Problem } from './finding.ts'
import { didYouMean, nearest } from './nearest.ts'
import { show } from './explain.ts'
import { holdsSecret, keysAt } from './schema-walk.ts'

const DEFAULT_POLICY = 'round_robin'

/** The chosen policy, ready to decide. */
export interface ChosenPolicy {
  readonly type: string
  readonly options: unknown
  readonly schema: z.ZodType
  readonly policy: Policy
}

export interface PolicySection {
  readonly problems: readonly Problem[]
  readonly chosen: ChosenPolicy | null
  /** The name that was asked for, when it is text. */
  readonly type: string | null
}

type Marks = Pick<Section<z.ZodType>, 'wholes' | 'known'>

/** Reads `policy: name` or `policy: {type: name, ...options}`. */
export function readPolicy(value: unknown, registry: PolicyRegistry, marks: Marks): PolicySection {
  const { type, options, typePath } = splitPolicy(value)
  if (typeof type !== 'string') {
    const typo = type === undefined ? mistypedType(options) : null
    if (typo !== null) return { problems: [typo], chosen: null, type: null }
    const names = [...registry.keys()].join(', ')
    const got = type === undefined ? '' : `, got ${show(type, false)}`
    const message = `must name a policy, as in {type: ${DEFAULT_POLICY}}; policies: ${names}${got}`
    return { problems: [errorAt(typePath, message)], chosen: null, type: null }
  }
  const definition = registry.get(type)
  if (definition === undefined) return { problems: [unknownPolicy(type, typePath, registry)], chosen: null, type }
  const schema = definition.options
  const { data, problems } = checkSection({ schema, value: options, base: ['policy'], ...marks })
  if (problems.length > 0) return { problems, chosen: null, type }
  try {
    const policy = definition.create(data, registry)
    const warnings = definition.warnings?.(data) ?? []
    const chosen = { type, options: data, schema, policy }
    return { problems: warnings.map((message) => optionWarning(message, schema)), chosen, type }
  } catch (error) {
    // A plugin's factory may refuse what its schema let through; that is the operator's business, not a crash.
    // One of ours names an option, and holds no value of another.
    const isTelling = error instanceof PolicyError || (error instanceof Error && !holdsSecret(schema))
    const reason = isTelling ? `: ${error.message}` : ''
    return { problems: [errorAt(['policy'], `${type} refuses its options${reason}`)], chosen: null, type }
  }
}

// A policy names the option it speaks of in backticks, which is enough to find its line.
function optionWarning(message: string, schema: z.ZodType): Problem {
  const option = /`([^`]+)`/.exec(message)?.[1]
  const path = option !== undefined && keysAt(schema, []).includes(option) ? ['policy', option] : ['policy']
  return { ...warningAt(path, message), atKey: path.length > 1 }
}

function splitPolicy(value: unknown): { type: unknown; options: object; typePath: Path } {
  if (value === undefined) return { type: DEFAULT_POLICY, options: {}, typePath: ['policy'] }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { type: value, options: {}, typePath: ['policy'] }
  }
  const { type, ...options }: { readonly type?: unknown } = value
  return { type, options, typePath: ['policy', 'type'] }
}

// Without `type` there is no schema to judge the other keys, so this one typo is looked for by hand.
function mistypedType(options: object): Problem | null {
  const key = Object.keys(options).find((name) => nearest(name, ['type']) !== null)
  if (key === undefined) return null
  return { ...errorAt(['policy', key], `unknown key "${key}"; did you mean type?`), atKey: true }
}

function unknownPolicy(type: string, path: Path, registry: PolicyRegistry): Problem {
  const names = [...registry.keys()]
  const list = `policies: ${names.join(', ')}`
  return errorAt(path, `no policy is called ${show(type, false)}${didYouMean(type, names)}; ${list}`)
}

// zod's issues in the operator's words: what is allowed, what stands there (never a secret), what may have been meant.
// A schema's own message wins over the wording here, so a policy can explain its options itself.

import type * as z from 'zod'
import { errorAt, shorten, withoutUserInfo, type Path, type Problem } from './finding.ts'
import { didYouMean } from './nearest.ts'
import { holdsSecret, keysAt, schemaAt } from './schema-walk.ts'

// Beyond that it is another file, and looking for near names takes time.
const MAX_UNKNOWN_KEYS = 100

const TYPES: Readonly<Record<string, string>> = {
  string: 'text (put quotes around numbers)',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'nothing',
}

/** Words an issue whose schema has no words of its own. Given to `safeParse` as its error map. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeName(issue.expected)}`
    case 'too_small':
      return boundary('at least', 'more than', {
        origin: issue.origin,
        limit: issue.minimum,
        isInclusive: issue.inclusive,
      })
    case 'too_big':
      return boundary('at most', 'less than', {
        origin: issue.origin,
        limit: issue.maximum,
        isInclusive: issue.inclusive,
      })
    case 'invalid_value':
      return issue.values.length === 1
        ? `must be ${String(issue.values[0])}`
        : `must be one of ${issue.values.join(', ')}`
    case 'invalid_union':
      return `must be ${[...new Set(issue.errors?.flat().map(expectedOf))].join(' or ')}`
    case 'invalid_format':
      return `must be a valid ${issue.format}`
    default:
      return undefined
  }
}

function typeName(expected: string): string {
  return TYPES[expected] ?? `a ${expected}`
}

function expectedOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return typeName(issue.expected)
  return issue.code === 'invalid_value' ? issue.values.join(' or ') : issue.message.replace(/^must be /, '')
}

interface Limit {
  readonly origin: string
  readonly limit: number | bigint
  readonly isInclusive: boolean | undefined
}

function boundary(closed: string, open: string, { origin, limit, isInclusive }: Limit): string {
  const amount = `${isInclusive === false ? open : closed} ${limit}`
  if (origin === 'number' || origin === 'int') return `must be ${amount}`
  if (closed === 'at least' && limit === 1) return 'must not be empty'
  return `must have ${amount} ${origin === 'string' ? 'characters' : 'entries'}`
}

/** What `explainIssue` needs to know about the section that was checked. */
export interface IssueContext {
  readonly schema: z.core.$ZodType
  /** The section's value, as checked. */
  readonly value: unknown
  /** Where the section stands in the file. */
  readonly base: Path
  /** Further keys worth proposing at the top of the section. */
  readonly alsoKnown?: readonly string[]
}

/** Turns one issue into problems: one for each unknown key, else one. */
export function explainIssue(issue: z.core.$ZodIssue, context: IssueContext): Problem[] {
  const path = issue.path.map((segment) => (typeof segment === 'number' ? segment : String(segment)))
  if (issue.code === 'unrecognized_keys') return explainUnknownKeys(issue.keys, path, context)
  const schema = schemaAt(context.schema, path)
  const value = valueAt(context.value, path)
  if (value === undefined) return [errorAt([...context.base, ...path], `is missing; it ${issue.message}`)]
  // What a check says of a list or map as a whole needs no word on what it is.
  const isWhole = issue.code === 'custom' && typeof value === 'object'
  const shown = value === '' || isWhole ? '' : `, got ${show(value, schema !== null && holdsSecret(schema))}`
  const isChoice = issue.code === 'invalid_value' && typeof value === 'string'
  const hint = isChoice ? didYouMean(value, issue.values.map(String)) : ''
  return [errorAt([...context.base, ...path], `${issue.message}${shown}${hint}`)]
}

function explainUnknownKeys(keys: readonly string[], path: Path, context: IssueContext): Problem[] {
  const problems = keys.slice(0, MAX_UNKNOWN_KEYS).map((key) => explainUnknownKey(key, path, context))
  const left = keys.length - problems.length
  return left === 0 ? problems : [...problems, errorAt([...context.base, ...path], `has ${left} more unknown keys`)]
}

function explainUnknownKey(key: string, path: Path, context: IssueContext): Problem {
  const keys = keysAt(context.schema, path)
  const isMerge = key === '<<'
  const hint = isMerge ? '; merge keys are not supported, write the entries out' : unknownKeyHint(key, keys, context)
  const full = [...context.base, ...path, key]
  return { ...errorAt(full, `unknown key ${JSON.stringify(shorten(withoutUserInfo(key)))}${hint}`), atKey: true }
}

function unknownKeyHint(key: string, keys: readonly string[], { schema, alsoKnown = [] }: IssueContext): string {
  const isTop = keys.length === keysAt(schema, []).length
  const near = didYouMean(key, isTop ? [...keys, ...alsoKnown] : keys)
  if (near !== '') return near
  // The right key in the wrong place, such as `first_byte` at the top.
  const section = keysAt(schema, []).find((name) => keysAt(schema, [name]).includes(key))
  if (section !== undefined) return `; it belongs under ${section}`
  return keys.length === 0 ? '; no key is allowed here' : `; allowed here: ${keys.join(', ')}`
}

/** The value at a path of plain data, undefined where there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, segment) => {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, segment)) return undefined
    return Reflect.get(at, segment)
  }, value)
}

/** Shows a value briefly; of a secret, only its kind. */
export function show(value: unknown, isSecret: boolean): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a map'
  if (isSecret) return `${typeof value === 'string' ? 'text' : `a ${typeof value}`} that is not shown`
  return JSON.stringify(typeof value === 'string' ? shorten(withoutUserInfo(value)) : value) ?? 'nothing'
}

// Checks a section of the file against its schema: every problem at once, and what is valid of an invalid section, so
// that checks across sections still see it.

import * as z from 'zod'
import { describeIssue, explainIssue, valueAt, type IssueContext } from './explain.ts'
import { pathKey, type Path, type Problem } from './finding.ts'
import { readAsPlainScalar } from './interpolate.ts'
import { schemaAt, unwrap } from './schema-walk.ts'

/** A value of which any part may be missing. */
export type Partly<T> = T extends readonly (infer Item)[]
  ? readonly (Partly<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Partly<T[Key]> | undefined }
    : T

export interface Section<Schema extends z.ZodType> extends Omit<IssueContext, 'schema'> {
  readonly schema: Schema
  /** Keys (`pathKey`) of values that were one `${NAME}`: text that may stand for a number or a boolean. */
  readonly wholes: ReadonlySet<string>
  /** Keys of values that already have a problem, on which another one would be noise. */
  readonly known: ReadonlySet<string>
}

export interface CheckedSection<Data> {
  /** The section, when all of it is valid. */
  readonly data: Data | null
  /** What is valid of it. */
  readonly part: Partly<Data> | undefined
  readonly problems: readonly Problem[]
}

// Compiling a schema costs more than it can save: a configuration is read once, and seldom again.
const UNCOMPILED = { jitless: true } as const

/** Checks a section; its problems carry paths from the top of the file. */
export function checkSection<Schema extends z.ZodType>(section: Section<Schema>): CheckedSection<z.output<Schema>> {
  const { schema, known } = section
  const value = rereadPlaceholders(section)
  const result = schema.safeParse(value, { error: describeIssue, ...UNCOMPILED })
  // The walk below follows the schema's own structure, which the type system can't.
  const part = (result.success ? result.data : validPart(schema, value)) as Partly<z.output<Schema>> | undefined
  if (result.success) return { data: result.data, part, problems: [] }
  const problems = result.error.issues.flatMap((issue) => explainIssue(issue, { ...section, value }))
  return { data: null, part, problems: problems.filter(({ path }) => !known.has(pathKey(path))) }
}

// `port: ${PORT}` is text until the schema wants a number there; `api_key: ${KEY}` stays text whatever it is.
function rereadPlaceholders<Schema extends z.ZodType>({ schema, value, base, wholes }: Section<Schema>): unknown {
  if (wholes.size === 0) return value
  const first = schema.safeParse(value, UNCOMPILED)
  if (first.success) return value
  return first.error.issues.reduce<unknown>((tree, { path }) => {
    const at = path.map((segment) => (typeof segment === 'number' ? segment : String(segment)))
    const text = valueAt(tree, at)
    if (typeof text !== 'string' || !wholes.has(pathKey([...base, ...at]))) return tree
    const plain = readAsPlainScalar(text)
    const wanted = schemaAt(schema, at)
    return wanted !== null && z.safeParse(wanted, plain).success ? withValueAt(tree, at, plain) : tree
  }, value)
}

function withValueAt(tree: unknown, path: Path, value: unknown): unknown {
  const [head, ...rest] = path
  if (head === undefined) return value
  if (Array.isArray(tree)) return tree.map((item, index) => (index === head ? withValueAt(item, rest, value) : item))
  if (typeof tree !== 'object' || tree === null) return tree
  return Object.fromEntries(
    Object.entries(tree).map(([key, item]) => [key, key === head ? withValueAt(item, rest, value) : item]),
  )
}

function validPart(schema: z.core.$ZodType, value: unknown): unknown {
  const whole = z.safeParse(schema, value)
  if (whole.success) return whole.data
  const inner = unwrap(schema)
  if (inner instanceof z.ZodArray && Array.isArray(value)) return value.map((item) => validPart(inner.element, item))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  if (inner instanceof z.ZodRecord) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, validPart(inner.valueType, item)]))
  }
  if (!(inner instanceof z.ZodObject)) return undefined
  const shape: Readonly<Record<string, z.core.$ZodType>> = inner.shape
  return Object.fromEntries(Object.entries(shape).map(([key, part]) => [key, validPart(part, valueAt(value, [key]))]))
}

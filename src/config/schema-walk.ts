// Finding the way through a zod schema: the schema at a path, the keys a map takes, and what is marked as a secret.
// The marks are the one truth about secrets; whatever prints configuration asks here.

import { HIDDEN } from '../secret.ts'
import * as z from 'zod'
import type { Path } from './finding.ts'

type Schema = z.core.$ZodType

// A configuration that was read from the admin API and sent back would set every key to these three characters.
export const HIDDEN_MESSAGE = `is ${HIDDEN}, which is how the admin API shows a secret; write the secret itself, or a \${NAME}`

export function isNotHidden(value: string): boolean {
  return value !== HIDDEN
}

// A key travels in a header, so a line break left over from a file would break every request.
const SECRET = z
  .string('must be text in quotes')
  .min(1, 'is empty; remove the line if there is no key')
  .regex(/^[\x21-\x7e]*$/, 'has a space, a line break or a character beyond ASCII, which no key may have')
  .refine(isNotHidden, HIDDEN_MESSAGE)
  .meta({ secret: true })

/** Text that no message, log or page may show. */
export function secretString() {
  return SECRET
}

/** The value of a header that may hold a secret; unlike a key, it may have spaces inside (`Basic dXNlcg==`). */
export function secretHeaderValue() {
  return z
    .string('must be text in quotes')
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'must be visible ASCII without spaces at its ends')
    .refine(isNotHidden, HIDDEN_MESSAGE)
    .meta({ secret: true })
}

/** Whether a checked value is milliseconds that were written as a duration. */
export function isDuration(schema: Schema): boolean {
  if (z.globalRegistry.get(schema)?.['duration'] === true) return true
  return isWrapper(schema) && isDuration(schema.def.innerType)
}

/** Whether the schema itself carries the secret mark. */
function isMarkedSecret(schema: Schema): boolean {
  return z.globalRegistry.get(schema)?.['secret'] === true
}

/** Takes off `optional`, `default`, `nullable` and transforms, to what describes the operator's input. */
export function unwrap(schema: Schema): Schema {
  if (isMarkedSecret(schema)) return schema
  // A preprocess step is a pipe whose first half is the transform.
  if (schema instanceof z.ZodPipe)
    return unwrap(schema.def.in instanceof z.ZodTransform ? schema.def.out : schema.def.in)
  return isWrapper(schema) ? unwrap(schema.def.innerType) : schema
}

type Wrapper = z.ZodOptional | z.ZodNullable | z.ZodDefault | z.ZodPrefault | z.ZodReadonly | z.ZodCatch

export function isWrapper(schema: Schema): schema is Wrapper {
  return (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodCatch
  )
}

/** The schema one step down, null where there is none. */
function childSchema(schema: Schema, segment: string | number): Schema | null {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) {
    const shape: Readonly<Record<string, Schema>> = inner.shape
    return Object.hasOwn(shape, segment) ? (shape[segment] ?? null) : null
  }
  if (inner instanceof z.ZodArray) return inner.element
  if (inner instanceof z.ZodRecord) return inner.valueType
  return null
}

/**
 * The same for whoever looks for secrets: where the way through a schema is not clear, as through a union, everything
 * below counts as what the schema holds.
 */
export function schemaWithin(schema: Schema | null, segment: string | number): Schema | null {
  if (schema === null) return null
  return childSchema(schema, segment) ?? (holdsSecret(schema) ? schema : null)
}

/** The schema of the value at a path, null when the schema says nothing about it. */
export function schemaAt(schema: Schema, path: Path): Schema | null {
  return path.reduce<Schema | null>((at, segment) => (at === null ? null : childSchema(at, segment)), schema)
}

/** The keys the map at `path` takes; empty when it is no map with fixed keys. */
export function keysAt(schema: Schema, path: Path): readonly string[] {
  const at = schemaAt(schema, path)
  const inner = at === null ? null : unwrap(at)
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
}

/** Whether the value a schema describes is a secret or has one inside; then not a bit of it may be shown. */
export function holdsSecret(schema: Schema, seen: ReadonlySet<Schema> = new Set()): boolean {
  const inner = unwrap(schema)
  if (isMarkedSecret(inner)) return true
  // A policy's schema may contain itself.
  if (seen.has(inner)) return false
  return partsOf(inner).some((part) => holdsSecret(part, new Set([...seen, inner])))
}

/** The schemas that one is made of. */
export function partsOf(schema: Schema): readonly Schema[] {
  if (schema instanceof z.ZodObject) return Object.values<Schema>(schema.shape)
  if (schema instanceof z.ZodArray) return [schema.element]
  if (schema instanceof z.ZodRecord) return [schema.valueType]
  if (schema instanceof z.ZodTuple)
    return schema.def.rest === null ? schema.def.items : [...schema.def.items, schema.def.rest]
  if (schema instanceof z.ZodIntersection) return [schema.def.left, schema.def.right]
  if (schema instanceof z.ZodLazy) return [schema.def.getter()]
  return schema instanceof z.ZodUnion ? schema.options : []
}

/** Copies `value` with every marked secret replaced by what `replace` makes of it. */
export async function replaceSecrets(
  schema: Schema | null,
  value: unknown,
  replace: (secret: string) => Promise<string>,
): Promise<unknown> {
  if (typeof value === 'string') return schema !== null && holdsSecret(schema) ? replace(value) : value
  if (Array.isArray(value)) {
    return Promise.all(value.map((item, index) => replaceSecrets(schemaWithin(schema, index), item, replace)))
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(async ([key, item]) => {
    return [key, await replaceSecrets(schemaWithin(schema, key), item, replace)] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

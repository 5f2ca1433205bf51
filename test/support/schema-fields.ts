// Every field of a configuration schema that takes one value, for tests that hold for each of them.

import * as z from 'zod'
import { partsOf, unwrap } from '../../src/config/schema-walk.ts'

export type Schema = z.core.$ZodType

export interface Field {
  /** `[]` for the elements of a list, `{}` for the values of a map. */
  readonly path: string
  /** With the wrappers it has: optional, default, marks. */
  readonly schema: Schema
}

export function fieldsOf(schema: Schema, path = ''): readonly Field[] {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) {
    return Object.entries<Schema>(inner.shape).flatMap(([key, part]) =>
      fieldsOf(part, path === '' ? key : `${path}.${key}`),
    )
  }
  if (inner instanceof z.ZodArray) return fieldsOf(inner.element, `${path}[]`)
  if (inner instanceof z.ZodRecord) return fieldsOf(inner.valueType, `${path}{}`)
  const parts = partsOf(inner)
  return parts.length === 0 ? [{ path, schema }] : parts.flatMap((part) => fieldsOf(part, path))
}

// Every place of a schema that holds a secret, for tests that put one into each.

import * as z from 'zod'
import { unwrap } from '../../src/config/schema-walk.ts'

type Schema = z.core.$ZodType

/** Such as `workers[].api_key`; `{}` stands for any key of a map. */
export function secretPaths(schema: Schema, path = ''): string[] {
  const inner = unwrap(schema)
  if (z.globalRegistry.get(inner)?.['secret'] === true) return [path]
  if (inner instanceof z.ZodObject) {
    return Object.entries<Schema>(inner.shape).flatMap(([key, part]) =>
      secretPaths(part, path === '' ? key : `${path}.${key}`),
    )
  }
  if (inner instanceof z.ZodArray) return secretPaths(inner.element, `${path}[]`)
  if (inner instanceof z.ZodRecord) return secretPaths(inner.valueType, `${path}{}`)
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((part: Schema) => secretPaths(part, path))
  return []
}

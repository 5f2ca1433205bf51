// What a configuration leads the router to: services it asks and files it writes, found by the marks of its schema. A new
// section is covered as soon as its fields carry one.

import * as z from 'zod'
import { digestOfKey } from '../access/key-digest.ts'
import type { Path } from './finding.ts'
import { isWrapper, partsOf, unwrap } from './schema-walk.ts'

type Schema = z.core.$ZodType

/** Where a value leads. Set as `.meta({ reaches: … })` where the field is declared. */
export type Reach = (typeof REACHES)[number]

const REACHES = ['worker', 'service', 'file', 'binding'] as const

/** One value that leads somewhere. */
export interface Reached {
  readonly path: Path
  readonly reach: Reach
  readonly value: string
}

/** Every marked value of a section, whole or not. */
export function reachedBy(schema: Schema, value: unknown, path: Path = []): readonly Reached[] {
  const reach = reachOf(schema)
  if (typeof value === 'string') return reach === null ? [] : [{ path, reach, value }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => {
    const segment = Array.isArray(value) ? Number(key) : key
    return schemasAt(schema, segment).flatMap((part) => reachedBy(part, item, [...path, segment]))
  })
}

/** Says the same place by the same text, and nothing of the credentials that are written with it. */
export function digestOfReach({ reach, value }: Pick<Reached, 'reach' | 'value'>): string {
  return digestOfKey(`${reach} ${withoutCredentials(value)}`)
}

function withoutCredentials(value: string): string {
  if (!URL.canParse(value)) return value
  const url = new URL(value)
  url.username = ''
  url.password = ''
  return url.href
}

/** The mark of a schema, under whatever wraps it. */
export function reachOf(schema: Schema): Reach | null {
  const mark = z.globalRegistry.get(schema)?.['reaches']
  const known = REACHES.find((reach) => reach === mark)
  if (known !== undefined) return known
  if (schema instanceof z.ZodPipe) return reachOf(schema.def.in) ?? reachOf(schema.def.out)
  return isWrapper(schema) ? reachOf(schema.def.innerType) : null
}

/** What may describe the value one step down; several where the schema leaves a choice. */
function schemasAt(schema: Schema, segment: string | number): readonly Schema[] {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) {
    const shape: Readonly<Record<string, Schema>> = inner.shape
    const part = Object.hasOwn(shape, segment) ? shape[segment] : undefined
    return part === undefined ? [] : [part]
  }
  if (inner instanceof z.ZodArray) return [inner.element]
  if (inner instanceof z.ZodRecord) return [inner.valueType]
  if (inner instanceof z.ZodTuple) return [...partsOf(inner)]
  return partsOf(inner).flatMap((part) => schemasAt(part, segment))
}

// Every place of a schema that holds a secret, found by walking it, and a configuration with a marker in one of them. A
// field that is added tomorrow is among them as soon as it carries the mark.

import * as z from 'zod'
import { partsOf, unwrap } from '../../src/config/schema-walk.ts'

type Schema = z.core.$ZodType

export interface SecretPlace {
  /** Such as `workers[].api_key`; `{}` stands for any key of a map. */
  readonly path: string
  /** The same section with the marker in this place, and with whatever has to stand beside it. */
  put(section: unknown, marker: string): unknown
}

export function secretPlaces(schema: Schema, path = ''): readonly SecretPlace[] {
  const inner = unwrap(schema)
  if (z.globalRegistry.get(inner)?.['secret'] === true)
    return [{ path, put: (_, marker) => secretFor(path, inner, marker) }]
  if (inner instanceof z.ZodObject) {
    return Object.entries<Schema>(inner.shape).flatMap(([key, part]) =>
      secretPlaces(part, path === '' ? key : `${path}.${key}`).map((place) => inKey(inner, key, place)),
    )
  }
  if (inner instanceof z.ZodArray) return secretPlaces(inner.element, `${path}[]`).map(inFirst)
  if (inner instanceof z.ZodRecord) return secretPlaces(inner.valueType, `${path}{}`).map(inAnyKey)
  return partsOf(inner).flatMap((part) => secretPlaces(part, path))
}

function inKey(schema: z.ZodObject, key: string, place: SecretPlace): SecretPlace {
  return {
    path: place.path,
    put(section, marker) {
      const before = isMap(section) ? section : fewest(schema)
      return { ...before, [key]: place.put(before[key], marker) }
    },
  }
}

function inFirst(place: SecretPlace): SecretPlace {
  return {
    path: place.path,
    put(section, marker) {
      const [first, ...rest]: unknown[] = Array.isArray(section) ? section : []
      return [place.put(first, marker), ...rest]
    },
  }
}

function inAnyKey(place: SecretPlace): SecretPlace {
  return {
    path: place.path,
    put(section, marker) {
      const before = isMap(section) ? section : {}
      const [key = 'x-any'] = Object.keys(before)
      return { ...before, [key]: place.put(before[key], marker) }
    },
  }
}

/** A map with what it can't be without. */
function fewest(schema: z.ZodObject): Readonly<Record<string, unknown>> {
  const needed = Object.entries<Schema>(schema.shape).filter(([, part]) => !z.safeParse(part, undefined).success)
  return Object.fromEntries(needed.map(([key, part]) => [key, sampleOf(part)]))
}

const SAMPLES: readonly unknown[] = [
  'x',
  'http://127.0.0.1:9/',
  'redis://127.0.0.1:9',
  'postgres://127.0.0.1:9/db',
  1,
  true,
  [],
  {},
]

function sampleOf(schema: Schema): unknown {
  const enumerated = unwrap(schema)
  const own = enumerated instanceof z.ZodEnum ? enumerated.options : []
  return [...own, ...SAMPLES].find((sample) => z.safeParse(schema, sample).success)
}

/** The marker in the form that the field takes: a key, an address with a password, or a digest. */
function secretFor(path: string, schema: Schema, marker: string): string {
  const forms = [
    marker,
    ...['http', 'redis', 'postgres'].map((scheme) => `${scheme}://user:${marker}@127.0.0.1:9/0?token=${marker}`),
    digestLike(marker),
  ]
  const form = forms.find((text) => z.safeParse(schema, text).success)
  if (form === undefined) throw new Error(`no form of a secret fits ${path}; add one here`)
  return form
}

/** 64 hexadecimal digits that hold the marker's own. */
export function digestLike(marker: string): string {
  return Buffer.from(marker).toString('hex').padEnd(64, '0').slice(0, 64)
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

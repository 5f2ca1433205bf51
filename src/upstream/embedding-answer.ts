// What embeddings servers answer, as unit vectors: numbers or base64, in the order of the texts.

import { fromBase64 } from './vector-text.ts'

/** The answer of /v1/embeddings to `count` texts; null when it is anything but one usable vector for each. */
export function readEmbeddings(answer: unknown, count: number): readonly Float32Array[] | null {
  const data = memberOf(answer, 'data')
  if (!Array.isArray(data) || data.length !== count) return null
  const ordered: unknown[] = Array.from({ length: count })
  for (const [at, item] of data.entries()) {
    const index = memberOf(item, 'index')
    // The order is the texts' own unless it says otherwise.
    const place = typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < count ? index : at
    ordered[place] = memberOf(item, 'embedding')
  }
  return toVectors(ordered)
}

/** The answer of a model binding, as Workers AI shapes it: `{data: [[…], …]}`. */
export function readModelVectors(answer: unknown, count: number): readonly Float32Array[] | null {
  const data = memberOf(answer, 'data')
  return Array.isArray(data) && data.length === count ? toVectors(data) : null
}

function toVectors(values: readonly unknown[]): readonly Float32Array[] | null {
  const vectors: Float32Array[] = []
  for (const value of values) {
    const vector = toUnitVector(typeof value === 'string' ? fromBase64(value) : value)
    if (vector === null || vector.length !== (vectors[0] ?? vector).length) return null
    vectors.push(vector)
  }
  return vectors
}

/** At length one, so that a product is a cosine. Null for what has no direction. */
export function toUnitVector(value: unknown): Float32Array | null {
  if (!Array.isArray(value) && !(value instanceof Float32Array)) return null
  const vector = new Float32Array(value.length)
  let squares = 0
  for (const [at, item] of value.entries()) {
    if (typeof item !== 'number' || !Number.isFinite(item)) return null
    vector[at] = item
    squares += item * item
  }
  const length = Math.sqrt(squares)
  if (!(length > 0) || !Number.isFinite(length)) return null
  return vector.map((item) => item / length)
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return (value as Readonly<Record<string, unknown>>)[name] // an object, checked above
}

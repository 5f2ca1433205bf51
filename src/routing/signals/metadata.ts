// `metadata`: what stands beside a request: in its body's `metadata`, in its headers, or with its tenant.

import type { EdgeSignal, RequestView } from './signal.ts'

export type MetadataPredicate =
  | { readonly kind: 'equals'; readonly value: string }
  | { readonly kind: 'in'; readonly values: readonly string[] }
  | { readonly kind: 'exists'; readonly isWanted: boolean }

export interface MetadataRule {
  readonly name: string
  /** Callers choose body and headers freely; `tenant` is what the configuration says of whoever has the key. */
  readonly source: 'body' | 'header' | 'tenant'
  /** Of a header its name in lower case. */
  readonly key: string
  readonly predicate: MetadataPredicate
}

export function metadataSignal({ name, source, key, predicate }: MetadataRule): EdgeSignal {
  const where = `${source} ${JSON.stringify(key)}`
  return {
    family: 'metadata',
    name,
    read(request) {
      const value = valueOf(request, source, key)
      const isMatched = holds(predicate, value)
      const because = `${where} ${value === null ? 'is absent' : describe(predicate, isMatched)}`
      return isMatched ? { kind: 'matched', confidence: 1, because } : { kind: 'not_matched', because }
    },
  }
}

function valueOf(request: RequestView, source: MetadataRule['source'], key: string): string | null {
  if (source === 'header') return request.header(key)
  const values = source === 'tenant' ? (request.tenant?.metadata ?? {}) : request.metadata
  return Object.hasOwn(values, key) ? (values[key] ?? null) : null
}

function holds(predicate: MetadataPredicate, value: string | null): boolean {
  if (predicate.kind === 'exists') return (value !== null) === predicate.isWanted
  if (value === null) return false
  return predicate.kind === 'equals' ? value === predicate.value : predicate.values.includes(value)
}

/** The value is the caller's, so it is told only where it is one of the configuration. */
function describe(predicate: MetadataPredicate, isMatched: boolean): string {
  if (predicate.kind === 'exists') return 'is there'
  if (predicate.kind === 'equals') return `is ${isMatched ? '' : 'not '}${JSON.stringify(predicate.value)}`
  return `is ${isMatched ? 'one of' : 'none of'} ${predicate.values.length} values`
}

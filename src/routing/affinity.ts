// What stands for the caller's session: a header, a field of the body, else the prompt's beginning; kept as a hash.
// Read from parsed JSON, field by field: nothing a user writes into a prompt can pass for a session id.

import { hash64 } from './hash.ts'
import type { Affinity } from './policy.ts'
import { promptBeginning } from './prompt-beginning.ts'

/**
 * Headers a key may come from, best first. `x-request-id` and trace ids are not among them: proxies set them anew for
 * each request, which defeats affinity.
 */
export const DEFAULT_AFFINITY_HEADERS: readonly string[] = [
  'x-semantic-cluster-id',
  'x-session-id',
  'x-user-id',
  'x-tenant-id',
  'x-correlation-id',
]

/** Fields of the body a key may come from, after the headers, best first. */
const AFFINITY_FIELDS: readonly (readonly string[])[] = [
  ['session_params', 'session_id'],
  ['user'],
  ['session_id'],
  ['user_id'],
]

/** How much of the prompt counts, in UTF-16 units: enough to tell conversations apart, short enough to cost nothing. */
const PROMPT_UNITS = 2_048

/** Where a key may come from. */
export interface AffinitySource {
  /** Value of a request header by its lower-case name; null when absent. */
  header(name: string): string | null
  /** The parsed body; null when it is no JSON object. */
  readonly body: Readonly<Record<string, unknown>> | null
}

/**
 * The session's key, null when the request offers none. `headers` (lower case) replaces the default list. The source is
 * part of what is hashed, so that user `7` and session `7` are different keys.
 */
export function findAffinity(
  source: AffinitySource,
  headers: readonly string[] = DEFAULT_AFFINITY_HEADERS,
): Affinity | null {
  for (const name of headers) {
    const value = keyText(source.header(name))
    if (value !== null) return affinityFrom(`header:${name}`, value)
  }
  if (source.body === null) return null
  for (const path of AFFINITY_FIELDS) {
    const value = keyText(fieldAt(source.body, path))
    if (value !== null) return affinityFrom(`body:${path.join('.')}`, value)
  }
  const prompt = promptBeginning(source.body, PROMPT_UNITS)
  return prompt === null ? null : affinityFrom('prompt', prompt)
}

function affinityFrom(source: string, value: string): Affinity {
  return { source, hash: hash64(`${source}\n${value}`) }
}

/** A usable key: text that is not blank, or a number, which some clients send as user ids. */
function keyText(value: unknown): string | null {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value.trim() !== '' ? value : null
}

function fieldAt(body: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  let value: unknown = body
  for (const name of path) {
    // Own properties only: what an object inherits is no word of the caller's.
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[name] // an object that has this property, checked above
  }
  return value
}

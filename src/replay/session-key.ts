// Whether the session's key in a record is the one that another list of headers would have found.

import { DEFAULT_AFFINITY_HEADERS } from '../routing/affinity.ts'
import type { Affinity } from '../routing/policy.ts'

export interface HeaderLists {
  /** Headers the key was looked for in when the request came, best first. */
  readonly before: readonly string[]
  /** Those it is to come from. */
  readonly after: readonly string[]
}

const HEADER = 'header:'

/** True when the key, or that there was none, stays what it was. False says that nobody can tell. */
export function isSameKey(recorded: Affinity | null, { before, after }: HeaderLists): boolean {
  if (before === after) return true
  const found = recorded?.source.startsWith(HEADER) === true ? recorded.source.slice(HEADER.length) : null
  // Those looked at before the one that had it; all of them when none did.
  const absent = new Set(found === null ? before : before.slice(0, Math.max(0, before.indexOf(found))))
  for (const name of after) {
    if (name === found) return true
    if (!absent.has(name)) return false
  }
  // None of the headers: then the body, which is asked the same way whatever the list.
  return found === null
}

/** Whether a key can come from this list at all: if not, another one was in use. */
export function couldComeFrom(recorded: Affinity | null, headers: readonly string[]): boolean {
  return recorded?.source.startsWith(HEADER) !== true || headers.includes(recorded.source.slice(HEADER.length))
}

/** The headers that a policy has the key looked for in. */
export function keyHeadersOf(needs: {
  readonly affinity?: { readonly headers?: readonly string[] }
}): readonly string[] {
  return needs.affinity?.headers ?? DEFAULT_AFFINITY_HEADERS
}

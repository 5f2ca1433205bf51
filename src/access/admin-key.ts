// Which admin key a request brings, by digest. The work is the same for a key that is good and for one that is not.

import type { AdminScope } from './admin-scopes.ts'
import { digestOfKey, equalDigests } from './key-digest.ts'
import { canBeKey } from './offered-keys.ts'

export interface AdminKeyEntry {
  readonly label: string
  /** SHA-256, 64 hexadecimal digits. */
  readonly keyDigest: string
  readonly scopes: readonly AdminScope[]
}

/** The different keys in `Authorization: Bearer` and `X-Admin-Key`; either may be the good one. */
export function offeredAdminKeys(header: (name: string) => string | null): readonly string[] {
  const bearer = /^bearer +(\S+) *$/i.exec(header('authorization') ?? '')?.[1] ?? null
  const keys = [bearer, header('x-admin-key')].filter((key) => key !== null)
  return [...new Set(keys)].filter(canBeKey)
}

/** The admin key among those offered; one with a wanted scope goes before one without. Null when none of them is one. */
export function findAdminKey(
  offered: readonly string[],
  known: readonly AdminKeyEntry[],
  wanted: readonly AdminScope[],
): AdminKeyEntry | null {
  const digests = offered.map(digestOfKey)
  // Every key is compared with every other before one is chosen.
  const found = known.filter(({ keyDigest }) => digests.filter((digest) => equalDigests(digest, keyDigest)).length > 0)
  return found.find(({ scopes }) => hasOneOf(scopes, wanted)) ?? found[0] ?? null
}

export function hasOneOf(scopes: readonly AdminScope[], wanted: readonly AdminScope[]): boolean {
  return wanted.some((scope) => scopes.includes(scope))
}

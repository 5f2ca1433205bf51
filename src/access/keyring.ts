// Whose key a key is, by digest. A lookup does the same for a key that is good and for one that is not.

/** What the ring needs of a tenant. */
export interface KeyHolder {
  readonly keyDigests: readonly string[]
  readonly isEnabled: boolean
}

/** Whose a key is; `shared` is the one key of callers that are no tenants. */
export type KeyOwner<Tenant extends KeyHolder> =
  | { readonly kind: 'tenant'; readonly tenant: Tenant }
  | { readonly kind: 'shared' }

export interface Keyring<Tenant extends KeyHolder> {
  /**
   * The owner of the first of these digests that has one; an enabled tenant, or the shared key, goes before a tenant
   * that is switched off. Null when nobody here knows any of them.
   */
  find(digests: readonly string[]): KeyOwner<Tenant> | null
}

/** `sharedDigest` is that of the key which is nobody's own; null when there is none. */
export function createKeyring<Tenant extends KeyHolder>(
  tenants: readonly Tenant[],
  sharedDigest: string | null,
): Keyring<Tenant> {
  const owners = new Map<string, KeyOwner<Tenant>>()
  for (const tenant of tenants) for (const digest of tenant.keyDigests) owners.set(digest, { kind: 'tenant', tenant })
  if (sharedDigest !== null) owners.set(sharedDigest, { kind: 'shared' })
  return {
    find(digests) {
      // All are looked up before one is chosen: how long this takes says nothing about which of them is good.
      const found = digests.map((digest) => owners.get(digest)).filter((owner) => owner !== undefined)
      return found.find((owner) => owner.kind === 'shared' || owner.tenant.isEnabled) ?? found[0] ?? null
    },
  }
}

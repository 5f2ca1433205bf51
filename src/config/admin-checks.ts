// Checks on the admin keys that no single field can make: each opens admin routes only, and is told apart by its label.

import { digestOfKey } from '../access/key-digest.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { SINGLE_KEY_LABEL } from './admin-schema.ts'
import { errorAt, type Path, type Problem } from './finding.ts'

interface PlacedKey {
  readonly path: Path
  readonly digest: string
}

export function checkAdminKeys({ file }: Pick<CrossCheckInput, 'file'>): Problem[] {
  return [...sharedKeys(file), ...repeatedKeys(file), ...repeatedLabels(file)]
}

/** A key that callers have must never open an admin route, so it can't be both. */
function sharedKeys(file: CrossCheckInput['file']): Problem[] {
  const inference = new Set(inferenceDigests(file))
  return adminKeys(file).flatMap(({ path, digest }) => {
    if (!inference.has(digest)) return []
    return [
      errorAt(path, 'is a key of callers as well (inbound_api_key or api_keys); admin keys must be keys of their own'),
    ]
  })
}

function repeatedKeys(file: CrossCheckInput['file']): Problem[] {
  const seen = new Set<string>()
  return adminKeys(file).flatMap(({ path, digest }) => {
    if (!seen.has(digest)) {
      seen.add(digest)
      return []
    }
    return [errorAt(path, 'is the same key as another admin key; which scopes would it have?')]
  })
}

function repeatedLabels({ admin_api_key: single, admin_api_keys: keys = [] }: CrossCheckInput['file']): Problem[] {
  const seen = new Set(single === undefined ? [] : [SINGLE_KEY_LABEL])
  return keys.flatMap((key, index) => {
    const label = key?.label
    if (label === undefined) return []
    if (!seen.has(label)) {
      seen.add(label)
      return []
    }
    const message = `"${label}" already names another admin key; labels tell in logs whose key was used`
    return [errorAt(['admin_api_keys', index, 'label'], message)]
  })
}

function adminKeys({ admin_api_key: single, admin_api_keys: keys = [] }: CrossCheckInput['file']): PlacedKey[] {
  const listed = keys.flatMap((entry, index) => {
    const key = entry?.key
    return key === undefined ? [] : [{ path: ['admin_api_keys', index, 'key'], digest: digestOfKey(key) }]
  })
  return single === undefined ? listed : [{ path: ['admin_api_key'], digest: digestOfKey(single) }, ...listed]
}

function inferenceDigests({ inbound_api_key: inbound, api_keys: tenants = [] }: CrossCheckInput['file']): string[] {
  const keys = tenants.flatMap((tenant) => {
    if (tenant?.key !== undefined) return [digestOfKey(tenant.key)]
    return tenant?.key_sha256 === undefined ? [] : [tenant.key_sha256.toLowerCase()]
  })
  return inbound === undefined ? keys : [digestOfKey(inbound), ...keys]
}

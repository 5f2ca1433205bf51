// Who may operate the router, and what an operator's calls may reach.

import * as z from 'zod'
import { ADMIN_SCOPES } from '../access/admin-scopes.ts'
import { digestOfKey } from '../access/key-digest.ts'
import type { AdminKey } from './config.ts'
import { list, text } from './scalars.ts'
import { secretString } from './schema-walk.ts'

/** How `admin_api_key` is named in logs. */
export const SINGLE_KEY_LABEL = 'admin_api_key'

export const adminKeySchema = z.strictObject(
  {
    /** Named in logs and in the list of configurations. */
    label: z.string({ error: 'must be text; put quotes around numbers' }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
      error: 'must be 1 to 64 letters, digits or . _ -, starting with a letter or digit',
    }),
    key: secretString(),
    /** What it opens; everything when left out. */
    scopes: list(z.enum(ADMIN_SCOPES), '[read, drain]').min(1, { error: 'opens nothing; remove the key' }).optional(),
  },
  {
    error: (issue) =>
      issue.code === 'invalid_type' ? 'must be a map such as {label: ops, key: "${OPS_KEY}"}' : undefined,
  },
)

export const adminShape = {
  // Not nullable: a key that came out empty must never open the admin routes.
  admin_api_key: secretString().optional(),
  admin_api_keys: list(adminKeySchema, '[{label: ops, key: "${OPS_KEY}"}]').default([]),
  /** Where workers added through the API may be: `http://10.0.0.*:8000`, a host, or a host and port. */
  allowed_worker_hosts: list(
    text().regex(/^(?:https?:\/\/)?(?:\*|\*?[A-Za-z0-9.-]+\*?|\[[0-9A-Fa-f:.]+\])(?::(?:\d{1,5}|\*))?$/, {
      error: 'must be [http://]HOST[:PORT], where HOST may begin or end with a * and PORT may be *',
    }),
    '["http://10.0.0.*:8000"]',
  ).default([]),
  /** Where hooks, services that check keys, and stores may be that a configuration from the API adds. */
  allowed_service_hosts: list(
    text().regex(/^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:\*|\*?[A-Za-z0-9._-]+\*?|\[[0-9A-Fa-f:.]+\])(?::(?:\d{1,5}|\*))?$/i, {
      error: 'must be [SCHEME://]HOST[:PORT], where HOST may begin or end with a * and PORT may be *',
    }),
    '["https://auth.internal"]',
  ).default([]),
  /** Environment variables that a configuration from the API may refer to. */
  config_env: list(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable' }),
    '[WORKER_KEY]',
  ).default([]),
}

export function toAdminKeys(single: string | undefined, keys: readonly z.output<typeof adminKeySchema>[]): AdminKey[] {
  const listed = keys.map(({ label, key, scopes }) => ({
    label,
    keyDigest: digestOfKey(key),
    scopes: scopes ?? ADMIN_SCOPES,
  }))
  if (single === undefined) return listed
  return [{ label: SINGLE_KEY_LABEL, keyDigest: digestOfKey(single), scopes: ADMIN_SCOPES }, ...listed]
}

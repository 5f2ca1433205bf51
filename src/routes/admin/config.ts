// /admin/config and /admin/reload: what runs, what ran before, and how another configuration takes its place.

import type { Context } from 'hono'
import * as z from 'zod'
import type { Finding } from '../../config/finding.ts'
import type { AdminParts } from '../../control/admin-parts.ts'
import type { ConfigChange } from '../../control/config-control.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import { readAdminJson, readConfigText } from './admin-body.ts'

/** The running configuration, secrets hidden. */
export function showConfig({ control }: AdminParts, context: Context<AppEnv>): Response {
  const { hash, document } = control.running()
  context.header('etag', `"${hash}"`)
  return context.json({ hash, ...placeOf(control), config: document.shown })
}

export async function putConfig({ control }: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const text = await readConfigText(context)
  return answer(context, await control.put(text, context.get('admin'), wantedHash(context)))
}

export async function reload({ control }: AdminParts, context: Context<AppEnv>): Promise<Response> {
  await readAdminJson(context, z.strictObject({}))
  return answer(context, await control.reload(context.get('admin')))
}

const rollbackSchema = z.strictObject({
  hash: z
    .string()
    .regex(/^[0-9a-f]{16}$/, { error: 'it must be a hash of 16 hexadecimal digits' })
    .nullable()
    .default(null),
})

export async function rollBack({ control }: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { hash } = await readAdminJson(context, rollbackSchema)
  return answer(context, await control.rollback(hash, context.get('admin')))
}

export async function listVersions({ control }: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const versions = (await control.versions()).map(({ hash, sequence, origin, by, atMs }, index) => {
    return { hash, sequence, at: new Date(atMs).toISOString(), by, origin, is_current: index === 0 }
  })
  return context.json({ versions })
}

/** The same for every change: what runs now, and what is different about it. */
export function toChange({ pointer, diff, findings }: ConfigChange) {
  return {
    status: 'ok',
    hash: pointer.hash,
    sequence: pointer.sequence,
    workers_added: diff.workersAdded,
    workers_removed: diff.workersRemoved,
    changed: diff.changed,
    needs_restart: diff.needsRestart,
    warnings: findings.filter(({ severity }: Finding) => severity !== 'note'),
  }
}

function answer(context: Context<AppEnv>, change: ConfigChange): Response {
  context.header('etag', `"${change.pointer.hash}"`)
  return context.json(toChange(change))
}

function placeOf(control: AdminParts['control']) {
  const pointer = control.pointer()
  return { sequence: pointer?.sequence ?? null, origin: pointer?.origin ?? null }
}

/** `If-Match` (RFC 9110, 13.1.1) with one hash; `*` matches whatever runs. */
function wantedHash(context: Context<AppEnv>): string | null {
  const header = context.req.header('if-match')?.trim()
  return header === undefined || header === '*' ? null : header.replace(/^"(.*)"$/, '$1')
}

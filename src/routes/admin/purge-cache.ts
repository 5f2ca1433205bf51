// POST /admin/cache/purge: what was kept is not given again, by tenant, by model, one answer alone, or everything.

import type { Context } from 'hono'
import * as z from 'zod'
import type { PurgeScope } from '../../store/purge-log.ts'
import type { AdminParts } from '../../control/admin-parts.ts'
import { RouterError } from '../../errors/router-error.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import { readAdminJson } from './admin-body.ts'

const MAX_NAME_LENGTH = 512

const name = z.string().min(1).max(MAX_NAME_LENGTH)

const purgeSchema = z.strictObject({
  all: z.literal(true).optional(),
  tenant: name.optional(),
  model: name.optional(),
  key: z
    .string()
    .regex(/^[0-9a-f]{64}$/, { error: 'it must be the 64 digits that `cache_key` of a record has' })
    .optional(),
})

const ONE_OF = 'Say what to purge: one of `all: true`, `tenant`, `model` and `key`.'

export async function purgeCache(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const asked = await readAdminJson(context, purgeSchema)
  const scope = toScope(asked)
  const { responseCache: exact, semanticCache: semantic } = admin.parts()
  const caches = [exact, semantic].filter((cache) => cache !== null)
  if (caches.length === 0) {
    const message = 'There is no response cache: neither `cache` nor `semantic_cache` is configured.'
    throw new RouterError('invalid_request', message)
  }
  try {
    await Promise.all(caches.map((cache) => cache.purge(scope)))
    if (caches.some(({ backend }) => backend === 'memory')) await tellOthers(admin, scope)
  } catch (cause) {
    const message = 'A response cache, or the other routers, can not be reached, so what was kept may still be given.'
    throw new RouterError('cache_unavailable', message, { cause, retryAfterSeconds: 2 })
  }
  const reached = (cache: (typeof caches)[number] | null) =>
    cache && { backend: cache.backend, ...reachOf(cache.backend, admin) }
  return context.json({ purged: asked, cache: reached(exact), semantic_cache: reached(semantic) })
}

/** Those that keep answers in memories of their own. */
async function tellOthers(admin: AdminParts, scope: PurgeScope): Promise<void> {
  await admin.parts().platform.fleet.announcePurge(scope)
  // Else this router would hear of it later, and forget what came since.
  await admin.catchUp()
}

function toScope({ all, ...named }: z.output<typeof purgeSchema>): PurgeScope {
  const given = Object.entries(named).flatMap(([kind, value]) => (value === undefined ? [] : [{ kind, name: value }]))
  const [only] = given
  if (all === true && only === undefined) return { kind: 'all' }
  if (all === true || only === undefined || given.length > 1) throw new RouterError('invalid_request', ONE_OF)
  // The keys of the schema are the kinds.
  return { kind: only.kind as 'tenant' | 'model' | 'key', name: only.name }
}

/** How long others may go on with the copy they have of the fleet's state, with room for calls that are slow. */
const FLEET_SECONDS = 5
/** https://developers.cloudflare.com/kv/concepts/how-kv-works/#consistency */
const KV_SECONDS = 60

/** Who no longer gives what was kept, and how soon. */
function reachOf(backend: string, { isOneOfMany, parts }: AdminParts): object {
  const hasOthers = isOneOfMany || (parts().platform.fleetRole ?? null) !== null
  if (backend === 'memory' && !hasOthers) return { reaches: 'process', within_secs: 0 }
  const withinSeconds = { memory: FLEET_SECONDS, kv: KV_SECONDS }[backend] ?? 0
  return { reaches: 'all', within_secs: withinSeconds }
}

// Who may use an admin route: whoever has an admin key with its scope; without any admin key, this machine alone or
// nobody. A stage of each route, never of a path prefix. Keys of callers never open one.

import type { MiddlewareHandler } from 'hono'
import { findAdminKey, hasOneOf, offeredAdminKeys } from '../access/admin-key.ts'
import { ADMIN_SCOPES, type AdminScope } from '../access/admin-scopes.ts'
import { digestOfKey } from '../access/key-digest.ts'
import { createKeyring } from '../access/keyring.ts'
import { strangeness } from '../access/loopback.ts'
import type { AdminKey, Config } from '../config/config.ts'
import type { AdminParts } from '../control/admin-parts.ts'
import { RouterError } from '../errors/router-error.ts'
import type { Platform } from '../platform.ts'
import type { AppEnv } from './app-env.ts'

/** Whose call it is, and what that opens. */
type Operator = Pick<AdminKey, 'label' | 'scopes'>

/** A call that needed no key. */
const LOOPBACK: Operator = { label: 'loopback', scopes: ADMIN_SCOPES }

export interface GuardedRoute {
  readonly path: string
  /** Any of them opens it. */
  readonly scopes: readonly AdminScope[]
  /** Whether the configuration opens it to everybody. */
  isPublic?(config: Config): boolean
}

/** Lets in who may, on the newest configuration, and notes who it was. */
export function adminAccess(admin: AdminParts, route: GuardedRoute): MiddlewareHandler<AppEnv> {
  return async function checkAdminAccess(context, next) {
    const { exchange } = context.env
    const { method, headers } = context.req.raw
    exchange.route = route.path
    const before = admin.parts()
    if (route.isPublic?.(before.config) === true) return next()
    let by = admit(before, route, headers)
    // Only for callers that are let in: asking what is current costs a call where routers are many.
    await admin.catchUp()
    if (admin.parts() !== before) by = admit(admin.parts(), route, headers)
    context.set('admin', by.label)
    context.set('adminScopes', by.scopes)
    await next()
    context.res.headers.set('cache-control', 'no-store')
    const { status } = context.res
    admin.events.adminCalled({ requestId: exchange.requestId, method, route: route.path, by: by.label, status })
  }
}

interface Guard {
  readonly config: Config
  readonly platform: Pick<Platform, 'adminOpenTo'>
}

/** The key that opens the route. Throws when there is none. */
function admit({ config, platform }: Guard, { scopes }: GuardedRoute, headers: Headers): Operator {
  if (config.adminKeys.length === 0) return admitKeyless(platform, headers)
  const offered = offeredAdminKeys((name) => headers.get(name))
  const key = findAdminKey(offered, config.adminKeys, scopes)
  if (key === null) throw isCallers(config, offered) ? forbiddenToCallers() : wantsKey()
  if (hasOneOf(key.scopes, scopes)) return key
  const wanted = scopes.map((scope) => `\`${scope}\``).join(' or ')
  throw new RouterError('admin_forbidden', `This admin key lacks the scope that this route wants: ${wanted}.`)
}

function admitKeyless({ adminOpenTo }: Guard['platform'], headers: Headers): Operator {
  if (adminOpenTo === 'nobody') {
    throw new RouterError(
      'admin_not_configured',
      'Admin routes are closed: this router can be reached from elsewhere and has no admin key; set `admin_api_key`.',
    )
  }
  const strange = strangeness((name) => headers.get(name))
  if (strange === null) return LOOPBACK
  throw new RouterError(
    'admin_not_configured',
    `Without an admin key these routes answer this machine alone, and this request may be another's: ${strange}.`,
  )
}

function isCallers({ tenants, inboundKeyDigest }: Config, offered: readonly string[]): boolean {
  return createKeyring(tenants, inboundKeyDigest).find(offered.map(digestOfKey)) !== null
}

function forbiddenToCallers(): RouterError {
  return new RouterError('admin_forbidden', 'This is a key for inference; admin routes want an admin key.')
}

function wantsKey(): RouterError {
  return new RouterError(
    'invalid_admin_key',
    'This route wants an admin key, as `Authorization: Bearer KEY` or `X-Admin-Key`.',
  )
}

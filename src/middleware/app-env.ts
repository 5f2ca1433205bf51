// What hono's context carries for one request.

import type { AdminScope } from '../access/admin-scopes.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { RouterParts } from '../pipeline/router-parts.ts'

/** What every handler is given with its request. */
export interface AppBindings {
  readonly exchange: Exchange
  readonly parts: RouterParts
}

export interface AppEnv {
  Bindings: AppBindings & {
    /** Moves the fields hono would look up per platform; none are used. */
    readonly incoming?: never
  }
  Variables: {
    /** On admin routes: the label of the key it came with. */
    admin: string
    /** And what that key opens. */
    adminScopes: readonly AdminScope[]
  }
}

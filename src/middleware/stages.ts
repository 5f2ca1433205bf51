// What stands before every handler that wants a caller: whose the request is, what its tenant may use, a place in the
// router. None of it reads the body: what waits holds no memory but its headers.

import { waitForPlace } from '../pipeline/admission.ts'
import { holdToLimits } from '../pipeline/tenant-limits.ts'
import { checkAccess } from './access.ts'
import type { AppBindings } from './app-env.ts'

/** Throws for a request that may not go on. Where there are neither limits nor keys to ask for nothing is waited for. */
export async function passStages(bindings: AppBindings, request: Request): Promise<void> {
  const { exchange, parts } = bindings
  await checkAccess(bindings, request)
  if (exchange.tenant !== null) await holdToLimits(parts, exchange)
  const { overload } = exchange.config
  if (overload !== null) await waitForPlace(parts, exchange, { overload, signal: () => request.signal })
}

// What stands before every handler that wants a caller: whose the request is, what its tenant may use, a place in the
// router. None of it reads the body: what waits holds no memory but its headers.

import { waitForPlace } from '../pipeline/admission.ts'
import { holdToLimits } from '../pipeline/tenant-limits.ts'
import { checkAccess } from './access.ts'
import type { AppBindings } from './app-env.ts'

/**
 * Throws, or rejects, for a request that may not go on. Null where nothing is waited for, as there are neither limits nor
 * keys to ask for.
 */
export function passStages(bindings: AppBindings, request: Request): Promise<void> | null {
  const accessed = checkAccess(bindings, request)
  const { tenant, config } = bindings.exchange
  if (accessed === null && tenant === null && config.overload === null) return null
  return waitForStages(bindings, request, accessed)
}

async function waitForStages(
  { exchange, parts }: AppBindings,
  request: Request,
  accessed: Promise<void> | null,
): Promise<void> {
  if (accessed !== null) await accessed
  if (exchange.tenant !== null) await holdToLimits(parts, exchange)
  const { overload } = exchange.config
  if (overload !== null) await waitForPlace(parts, exchange, { overload, signal: () => request.signal })
}

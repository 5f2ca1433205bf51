// Who may use a route. Checked before the body is read; a stage of the route, never of a path prefix.

import { openCapture } from '../capture/replay-capture.ts'
import { refusalOf, shuttingDown } from '../pipeline/caller-refusal.ts'
import { type Caller, partyOf } from '../pipeline/callers.ts'
import type { AppBindings } from './app-env.ts'
import { statedLength } from './read-body.ts'

/** Finds out who calls, and opens the exchange's record for those who may. Null where nobody has to be asked. */
export function checkAccess(bindings: AppBindings, request: Request): Promise<void> | null {
  const { exchange, parts } = bindings
  const asked = parts.callers.identify(request.headers, {
    requestId: exchange.requestId,
    // Asked for only when it is needed: on Node looking at it costs an abort controller.
    signal: () => request.signal,
    waitUntil: exchange.context.waitUntil,
  })
  if (asked instanceof Promise) return asked.then((caller) => admit(bindings, request, caller))
  admit(bindings, request, asked)
  return null
}

/** Throws for a caller that may not go on. */
function admit({ exchange, parts }: AppBindings, { headers }: Request, caller: Caller): void {
  if (caller.kind !== 'known') throw refusalOf(caller)
  exchange.tenant = caller.tenant
  exchange.party = partyOf(caller)
  exchange.decisionId = parts.platform.randomId()
  exchange.requestBytes = statedLength(headers)
  if (exchange.isInference) exchange.replay = openCapture(exchange.config.routerReplay, exchange.config.decisions)
  parts.events.recordOpened(exchange)
  // Only now: whoever passed authentication leaves a record, also of being sent away.
  if (parts.isDraining()) throw shuttingDown()
}

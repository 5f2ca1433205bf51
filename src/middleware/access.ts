// Who may use a route. Checked before the body is read; a stage of the route, never of a path prefix.

import { openCapture } from '../capture/replay-capture.ts'
import { refusalOf, shuttingDown } from '../pipeline/caller-refusal.ts'
import { partyOf } from '../pipeline/callers.ts'
import type { AppBindings } from './app-env.ts'
import { statedLength } from './read-body.ts'

/** Finds out who calls, and opens the exchange's record for those who may. */
export async function checkAccess({ exchange, parts }: AppBindings, request: Request): Promise<void> {
  const { headers } = request
  const asked = parts.callers.identify(headers, {
    requestId: exchange.requestId,
    // Asked for only when it is needed: on Node looking at it costs an abort controller.
    get signal() {
      return request.signal
    },
    waitUntil: exchange.context.waitUntil,
  })
  const caller = asked instanceof Promise ? await asked : asked
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

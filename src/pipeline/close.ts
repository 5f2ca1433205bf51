// Closes an exchange: once, with its record handed to the observers off the request's path.

import type { RouterParts } from './router-parts.ts'
import type { Exchange } from './exchange.ts'
import { type ExchangeEnd, toRecord } from './record.ts'

/** Only the first call counts. An exchange that never passed authentication leaves no record. */
export function closeExchange(parts: RouterParts, exchange: Exchange, end: Omit<ExchangeEnd, 'atMs'>): void {
  if (exchange.isClosed) return
  exchange.isClosed = true
  const { decisionId } = exchange
  if (decisionId === null) return
  const atMs = parts.platform.now()
  queueMicrotask(() => parts.events.recordClosed(toRecord(exchange, decisionId, { ...end, atMs })))
}

// Closes an exchange: once, with everything it held given back, and its record handed to the observers off the request's
// path.

import type { ExchangeOutcome } from '../record/lifecycle.ts'
import type { RouterParts } from './router-parts.ts'
import type { Exchange } from './exchange.ts'
import { judgeLookup } from './lmcache-sight.ts'
import { toRecord } from './record.ts'
import { endTrace } from './tracing.ts'

/** Only the first call counts. An exchange that never passed authentication leaves no record. */
export function closeExchange(parts: RouterParts, exchange: Exchange, end: ExchangeOutcome): void {
  if (exchange.isClosed) return
  exchange.isClosed = true
  for (const held of exchange.held) held.release()
  const { decisionId, tracing } = exchange
  if (tracing?.isRecorded === true) endTrace(parts, exchange, tracing, end)
  if (decisionId === null) {
    queueMicrotask(() => parts.events.strangerClosed(exchange, end))
    return
  }
  const atMs = parts.platform.now()
  queueMicrotask(() => {
    const view = exchange.trace === null ? null : parts.viewDocuments.of(exchange.trace.view)
    const record = toRecord(exchange, decisionId, { ...end, atMs, viewHash: view?.view_hash ?? null })
    parts.events.recordClosed(record, view, exchange)
    judgeLookup(parts, exchange, end)
  })
}

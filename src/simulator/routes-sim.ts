// Routes that no vLLM has: what a worker saw, what shall go wrong, and a fresh start. Under a prefix no router
// forwards.

import { faultDocumentSchema } from './fault-schema.ts'
import { readJson } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { jsonResponse } from './json-response.ts'
import { toSimulatorState } from './simulator-state.ts'

export function answerState(exchange: Exchange): Response {
  return jsonResponse(toSimulatorState(exchange.worker))
}

export function answerSetFaults(exchange: Exchange): Response {
  exchange.worker.faults.set(readJson(exchange, faultDocumentSchema))
  return jsonResponse({ faults: exchange.worker.faults.rules })
}

export function answerClear(exchange: Exchange): Response {
  exchange.worker.faults.set([])
  return jsonResponse({ faults: [] })
}

export function answerReset(exchange: Exchange): Response {
  exchange.worker.reset()
  return jsonResponse(toSimulatorState(exchange.worker))
}

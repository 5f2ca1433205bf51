// Routes that no LMCache has: where simulated workers report, what was asked, what shall go wrong, and amnesia.

import * as z from 'zod'
import { faultDocumentSchema } from '../fault-schema.ts'
import { jsonResponse } from '../json-response.ts'
import { type ControllerExchange, withBody } from './controller-exchange.ts'
import { toControllerState } from './controller-state.ts'
import { cacheReportSchema, type ReportReply } from './report-schema.ts'

/** A report is visible after the lag; that the worker is there is known at once. */
export function answerReport(exchange: ControllerExchange): Response {
  const { index, clock, settings } = exchange.controller
  return withBody(exchange, cacheReportSchema, (report) => {
    const isKnown = index.touch(report, clock.now())
    if (settings.lagMs > 0) clock.after(settings.lagMs, () => index.apply(report))
    else index.apply(report)
    const wantsAll = settings.asksForSnapshots && !isKnown && !report.is_snapshot
    return jsonResponse({ wants_snapshot: wantsAll } satisfies ReportReply)
  })
}

export function answerState({ controller }: ControllerExchange): Response {
  return jsonResponse(toControllerState(controller))
}

export function answerSetFaults(exchange: ControllerExchange): Response {
  const { faults } = exchange.controller
  return withBody(exchange, faultDocumentSchema, (rules) => {
    faults.set(rules)
    return jsonResponse({ faults: faults.rules })
  })
}

export function answerClearFaults({ controller }: ControllerExchange): Response {
  controller.faults.set([])
  return jsonResponse({ faults: [] })
}

const hashingSchema = z.strictObject({ seed: z.string() })

/** As if it had been started anew with another seed, but for what it knows. */
export function answerSetHashSeed(exchange: ControllerExchange): Response {
  return withBody(exchange, hashingSchema, ({ seed }) => {
    exchange.controller.hashSeed = seed
    return jsonResponse({ seed })
  })
}

export function answerRestart({ controller }: ControllerExchange): Response {
  controller.index.clear()
  return jsonResponse(toControllerState(controller))
}

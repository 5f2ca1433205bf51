// /admin/explain: a decision in words, of a request that was made or of one that might be.

import type { Context } from 'hono'
import type { AdminParts } from '../../control/admin-parts.ts'
import { explain, type Explanation } from '../../explain/explain.ts'
import type { ExplainedRecord } from '../../explain/subject.ts'
import { toText } from '../../explain/text.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import { dryRun } from '../../pipeline/dry-run.ts'
import { openExchange } from '../../pipeline/exchange.ts'
import type { ViewDocument } from '../../record/view-document.ts'
import { readAdminJson } from './admin-body.ts'
import { prefersText } from './answer-type.ts'
import { findDecision, reading } from './decisions.ts'
import { dryRunSchema, MAX_DRY_RUN_BYTES, toDryRun } from './dry-run-request.ts'
import { readParameters } from './query-parameters.ts'

/** `?worker=B` asks why it was not that one. */
export async function explainDecision(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { worker = null } = readParameters(context.req.url, ['worker'])
  const record: ExplainedRecord = await findDecision(admin, context)
  const { view_hash: hash } = record
  const view = hash === undefined ? null : await reading(context, admin.decisions.findView(hash))
  return answer(context, {
    ...explain({ record, view, dryRun: null, decisions: decisionsOf(admin, record) }, worker),
    record,
    view,
  })
}

/** Those it was made under, if they are the ones that run. */
function decisionsOf(admin: AdminParts, { config_hash: hash }: ExplainedRecord) {
  const { config } = admin.parts()
  return hash === config.hash ? config.decisions : null
}

export async function explainDryRun(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  readParameters(context.req.url, [])
  const body = await readAdminJson(context, dryRunSchema, MAX_DRY_RUN_BYTES)
  const parts = admin.parts()
  const { requestId, context: requestContext } = context.env.exchange
  const exchange = openExchange({
    requestId,
    receivedAtMs: parts.platform.now(),
    config: parts.config,
    context: requestContext,
  })
  const plan = toDryRun(parts, exchange, body, context.req.raw.signal)
  const { record, view, notAsked, limits, error } = await dryRun(parts, exchange, plan)
  const shown = {
    caller: plan.callerWord,
    not_asked: notAsked,
    limits,
    message: error?.message,
  }
  return answer(context, {
    ...explain({ record, view, dryRun: shown, decisions: parts.config.decisions }, body.worker ?? null),
    dry_run: shown,
    record,
    view,
  })
}

interface Answer extends Explanation {
  readonly record: ExplainedRecord
  readonly view: ViewDocument | null
  readonly dry_run?: object
}

/** Refusals of a dry run are what was asked for, so the answer is always 200. */
function answer(context: Context<AppEnv>, explained: Answer): Response {
  context.header('vary', 'accept')
  return prefersText(context.req.header('accept') ?? null) ? context.text(toText(explained)) : context.json(explained)
}

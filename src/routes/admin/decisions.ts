// /admin/decisions: the decisions that are still known, one by one, page by page, or all of a time range.

import type { Context } from 'hono'
import type { AdminParts } from '../../control/admin-parts.ts'
import { quoted, RouterError } from '../../errors/router-error.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import type { ReadableRecord } from '../../store/decision-log.ts'
import { toCursor } from '../../store/decision-position.ts'
import { readDecisionQuery, readTimeRange } from './decision-query.ts'
import { nextOf, toLineStream } from './line-stream.ts'
import { readParameters } from './query-parameters.ts'

/** Newest first. A page may have fewer than were asked for and still not be the last: `next_cursor` tells. */
export async function listDecisions(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const query = readDecisionQuery(context.req.url, admin.parts().platform.now())
  const { records, end } = await reading(context, admin.decisions.query(query))
  return context.json({
    covers: admin.decisionsCover,
    decisions: records,
    next_cursor: end === null ? null : toCursor(end),
  })
}

export async function showDecision(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  readParameters(context.req.url, [])
  return context.json(await findDecision(admin, context))
}

/** JSON lines of closed records, as the log has them, roughly in order of time. */
export async function exportDecisions(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const range = readTimeRange(context.req.url, admin.parts().platform.now())
  const pieces = admin.decisions.exportRange(range)[Symbol.asyncIterator]()
  // Read before the answer begins: what can't be read at all is then an error and not an empty file.
  const first = await reading(context, nextOf(pieces))
  const type = { 'content-type': 'application/x-ndjson' }
  return first === null ? context.body('', 200, type) : context.body(toLineStream(first, pieces), 200, type)
}

/** The record of the path's decision id, or the newest of that request id. Throws `decision_not_found`. */
export async function findDecision({ decisions }: AdminParts, context: Context<AppEnv>): Promise<ReadableRecord> {
  const id = context.req.param('id') ?? ''
  const record = await reading(context, decisions.find(id))
  if (record !== null) return record
  const message = `No decision and no request with the id ${quoted(id)} is known; it may be too old to be kept.`
  throw new RouterError('decision_not_found', message)
}

/** Disks and objects can be out of reach; the log says why, and it may be over soon. */
export async function reading<Value>({ env }: Context<AppEnv>, read: Promise<Value>): Promise<Value> {
  try {
    return await read
  } catch (cause) {
    env.parts.events.defect(env.exchange.requestId, cause)
    throw new RouterError('decision_log_unavailable', 'The decision log can not be read at the moment; try again.', {
      cause,
      retryAfterSeconds: 2,
    })
  }
}

// /v1/router_replay: the records of Router Replay, page by page, one by one, or in totals. Bodies are for keys that may read
// what people wrote; every other key gets the rest of the record.

import type { Context } from 'hono'
import { resendable, toCurl } from '../../capture/as-curl.ts'
import { ReplayAggregate } from '../../capture/aggregate.ts'
import { type ReplayRecord, withoutBodies } from '../../capture/replay-record.ts'
import type { AdminParts } from '../../control/admin-parts.ts'
import { quoted, RouterError } from '../../errors/router-error.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import type { Position } from '../../store/decision-log.ts'
import { toCursor } from '../../store/decision-position.ts'
import { matchesReplay } from '../../store/replay-page.ts'
import type { ReplayPage, ReplayQuery } from '../../store/replay-store.ts'
import { badParameter, readParameters } from './query-parameters.ts'
import { readReplayFilters, readReplayListing } from './replay-query.ts'

const PAGE_OF_ALL = 1_000

export async function listReplays(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { showsDetails, ...query } = readReplayListing(context.req.url, admin.parts().platform.now())
  const { records, total, end } = await pageOf(admin, context, query)
  const hasBodies = showsDetails && maySeeBodies(context)
  const nextOffset = query.offset + records.length
  return context.json({
    object: 'router_replay.list',
    count: records.length,
    total,
    limit: query.limit,
    offset: query.offset,
    has_more: end !== null,
    ...(end === null
      ? {}
      : { next_cursor: toCursor(end), ...(query.after === null ? { next_offset: nextOffset } : {}) }),
    data: hasBodies ? records : records.map(withoutBodies),
  })
}

export async function showReplay(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { format = 'json' } = readParameters(context.req.url, ['format'])
  if (format !== 'json' && format !== 'curl') throw badParameter('format', 'must be `json` or `curl`')
  const record = await recordOf(admin, context)
  if (format === 'json') return context.json(maySeeBodies(context) ? record : withoutBodies(record))
  if (!maySeeBodies(context)) {
    throw new RouterError(
      'admin_forbidden',
      'A captured request is for admin keys with the scope `replay.detail`; this one has none.',
    )
  }
  const request = resendable(record)
  if ('refusal' in request) {
    throw new RouterError('replay_incomplete', `This request can not be sent again: ${request.refusal}.`)
  }
  return context.text(toCurl(request, originOf(context)))
}

/** Over all records that match, and what there is to choose from over all there are. */
export async function aggregateReplays(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const filters = readReplayFilters(context.req.url, admin.parts().platform.now())
  const aggregate = new ReplayAggregate()
  let after: Position | null = null
  do {
    const page: ReplayPage = await pageOf(admin, context, { filters: {}, after, offset: 0, limit: PAGE_OF_ALL })
    for (const record of page.records) aggregate.add(record, matchesReplay(filters, record))
    after = page.end
  } while (after !== null)
  return context.json(aggregate.result())
}

async function pageOf({ replays }: AdminParts, context: Context<AppEnv>, query: ReplayQuery): Promise<ReplayPage> {
  const page = await reading(context, replays.list(query))
  if (page === null) throw switchedOff()
  return page
}

async function recordOf({ replays }: AdminParts, context: Context<AppEnv>): Promise<ReplayRecord> {
  const id = context.req.param('id') ?? ''
  if (!replays.isOpen) throw switchedOff()
  const record = await reading(context, replays.find(id))
  if (record !== null) return record
  const message = `No record with the id ${quoted(id)} is kept; newer ones may have taken its place.`
  throw new RouterError('replay_not_found', message)
}

function switchedOff(): RouterError {
  return new RouterError(
    'replay_not_found',
    'Router Replay is switched off and keeps no records; `router_replay: {enabled: true}` switches it on.',
  )
}

/** What keeps records can be out of reach; the log says why, and it may be over soon. */
async function reading<Value>({ env }: Context<AppEnv>, read: Promise<Value>): Promise<Value> {
  try {
    return await read
  } catch (cause) {
    env.parts.events.defect(env.exchange.requestId, cause)
    throw new RouterError('replay_store_unavailable', 'The records can not be read at the moment; try again.', {
      cause,
      retryAfterSeconds: 2,
    })
  }
}

function maySeeBodies(context: Context<AppEnv>): boolean {
  return context.get('adminScopes').includes('replay.detail')
}

/** The address that this request came to, as a proxy in front says it when there is one. */
function originOf({ req }: Context<AppEnv>): string {
  const { protocol, host } = new URL(req.url)
  const forwarded = req.header('x-forwarded-proto')
  return `${forwarded === 'https' || forwarded === 'http' ? `${forwarded}:` : protocol}//${host}`
}

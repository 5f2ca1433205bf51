// The query of /v1/router_replay, from text to what the store is asked: the filters of /admin/decisions, and those of the
// semantic router's API.

import type { ReplayFilters, ReplayQuery } from '../../store/replay-store.ts'
import { FILTERS, toFilters, toPosition } from './decision-query.ts'
import { badParameter, readParameters } from './query-parameters.ts'

const MAX_RECORDS = 1_000

const FILTERING = [...FILTERS, 'search', 'cache_status'] as const
const LISTING = [...FILTERING, 'limit', 'offset', 'cursor', 'showDetails'] as const

type Given = Readonly<Partial<Record<(typeof LISTING)[number], string>>>

export interface ReplayListing extends ReplayQuery {
  /** Whether bodies are wanted. */
  readonly showsDetails: boolean
}

/** Throws `invalid_request` for a parameter that is unknown or can't be used. */
export function readReplayListing(requestUrl: string, nowMs: number): ReplayListing {
  const given = readParameters(requestUrl, LISTING)
  return {
    filters: toReplayFilters(given, nowMs),
    after: toPosition(given),
    offset: toCount('offset', given.offset ?? '0', { from: 0, to: 1_000_000 }),
    limit: toCount('limit', given.limit ?? String(MAX_RECORDS), { from: 1, to: MAX_RECORDS }),
    showsDetails: toFlag('showDetails', given.showDetails ?? 'true'),
  }
}

export function readReplayFilters(requestUrl: string, nowMs: number): ReplayFilters {
  return toReplayFilters(readParameters(requestUrl, FILTERING), nowMs)
}

function toReplayFilters(given: Given, nowMs: number): ReplayFilters {
  if (given.q !== undefined && given.search !== undefined) throw badParameter('search', 'is the same as `q`; give one')
  const text = given.search ?? given.q
  const filters = toFilters(given, nowMs)
  return { ...filters, text, cacheStatus: toCacheStatus(given.cache_status ?? 'all') }
}

function toCacheStatus(text: string): ReplayFilters['cacheStatus'] {
  if (text === 'cached' || text === 'streamed') return text
  if (text === 'all') return undefined
  throw badParameter('cache_status', 'must be `all`, `cached` or `streamed`')
}

function toCount(name: string, text: string, { from, to }: { readonly from: number; readonly to: number }): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= from && Number(text) <= to) return Number(text)
  throw badParameter(name, `must be a whole number from ${from} to ${to}`)
}

function toFlag(name: string, text: string): boolean {
  if (/^(?:1|t|true)$/i.test(text)) return true
  if (/^(?:0|f|false)$/i.test(text)) return false
  throw badParameter(name, 'must be `true` or `false`')
}

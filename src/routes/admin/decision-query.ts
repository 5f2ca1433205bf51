// The query of /admin/decisions and /admin/decisions.jsonl, from text to what the log is asked.

import { parseCursor } from '../../store/decision-position.ts'
import type { DecisionFilters, DecisionQuery, TimeRange } from '../../store/decision-log.ts'
import { badParameter, readParameters } from './query-parameters.ts'

const MAX_DECISIONS = 1_000
const DEFAULT_DECISIONS = 50

/** Filters that are compared as they are. */
const PLAIN = ['worker', 'model', 'tenant', 'policy', 'method', 'decision'] as const

/** Every filter of records. */
export const FILTERS = ['since', 'until', ...PLAIN, 'status', 'session_id', 'q'] as const

const LISTING = ['limit', 'cursor', ...FILTERS] as const

const RANGE = ['since', 'until'] as const

type Given = Readonly<Partial<Record<(typeof LISTING)[number], string>>>

/** Throws `invalid_request` for a parameter that is unknown or can't be used. */
export function readDecisionQuery(requestUrl: string, nowMs: number): DecisionQuery {
  const given = readParameters(requestUrl, LISTING)
  return { filters: toFilters(given, nowMs), after: toPosition(given), limit: toLimit(given.limit) }
}

/** From the beginning, and up to now, where the query doesn't say. */
export function readTimeRange(requestUrl: string, nowMs: number): TimeRange {
  const given = readParameters(requestUrl, RANGE)
  // What ends in this very millisecond belongs to what there is.
  const { sinceMs = 0, untilMs = nowMs + 1 } = toTimes(given, nowMs)
  return { sinceMs, untilMs }
}

export function toFilters(given: Given, nowMs: number): DecisionFilters {
  const { session_id: sessionId, q: text, status, worker, model, tenant, policy, method, decision } = given
  if (sessionId !== undefined && !/^[0-9a-f]{16}$/.test(sessionId)) {
    throw badParameter('session_id', 'must be 16 hexadecimal digits in lower case, as records have them')
  }
  return {
    ...toTimes(given, nowMs),
    worker,
    model,
    tenant,
    policy,
    method,
    decision,
    sessionId,
    text,
    status: status === undefined ? undefined : toStatusRange(status),
  }
}

function toTimes(
  { since, until }: Pick<Given, 'since' | 'until'>,
  nowMs: number,
): Pick<DecisionFilters, 'sinceMs' | 'untilMs'> {
  const sinceMs = since === undefined ? undefined : toTimeMs('since', since, nowMs)
  const untilMs = until === undefined ? undefined : toTimeMs('until', until, nowMs)
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs > untilMs) {
    throw badParameter('since', 'must not be later than `until`')
  }
  return { sinceMs, untilMs }
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function toTimeMs(name: string, text: string, nowMs: number): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count !== undefined) return Math.max(0, nowMs - Number(count) * (UNIT_MS[unit] ?? 0))
  const timeMs = parseTime(text)
  if (Number.isNaN(timeMs)) {
    throw badParameter(
      name,
      'must be a time such as `2026-08-01T09:30:00Z`, or an age such as `90s`, `15m`, `2h`, `7d`',
    )
  }
  return timeMs
}

/** RFC 3339. NaN for what is no time; `Date.parse` alone takes 31 February for a day in March. */
function parseTime(text: string): number {
  // A `+` that was not encoded arrives as a space.
  const time = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.exec(text.replace(' ', '+'))
  if (time === null) return Number.NaN
  const [whole, day = ''] = time
  const midnightMs = Date.parse(`${day}T00:00:00Z`)
  const isDay = !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(day)
  return isDay ? Date.parse(whole) : Number.NaN
}

function toStatusRange(text: string): NonNullable<DecisionFilters['status']> {
  const [, from, to = from, hundreds] = /^(?:(\d{3})(?:-(\d{3}))?|([1-9])xx)$/i.exec(text) ?? []
  if (hundreds !== undefined) return { from: Number(hundreds) * 100, to: Number(hundreds) * 100 + 99 }
  if (from === undefined || Number(from) > Number(to)) {
    throw badParameter('status', 'must be a status such as `200`, a class such as `5xx`, or a range such as `400-499`')
  }
  return { from: Number(from), to: Number(to) }
}

export function toPosition({ cursor }: Pick<Given, 'cursor'>): DecisionQuery['after'] {
  if (cursor === undefined) return null
  const position = parseCursor(cursor)
  if (position === null) throw badParameter('cursor', 'must be the `next_cursor` of an earlier answer')
  return position
}

function toLimit(text: string = String(DEFAULT_DECISIONS)): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1 || Number(text) > MAX_DECISIONS) {
    throw badParameter('limit', `must be a whole number from 1 to ${MAX_DECISIONS}`)
  }
  return Number(text)
}

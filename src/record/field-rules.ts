// What each field of a stored record must be for others to rely on it, checked by hand: a replay can't afford a schema
// for each line. Fields without a rule are nobody's input.

/** What may stand in one field. */
export interface FieldRule {
  holds(value: unknown): boolean
  /** For a message: "`status` must be …". */
  readonly wanted: string
}

type Fields = Readonly<Record<string, unknown>>

const text: FieldRule = { holds: isText, wanted: 'text' }
const word: FieldRule = { holds: (value) => isText(value) && value !== '', wanted: 'text that is not empty' }
const texts: FieldRule = { holds: (value) => isListOf(value, isText), wanted: 'a list of texts' }
const count: FieldRule = { holds: isCount, wanted: 'a whole number from 0' }
const milliseconds: FieldRule = { holds: isAmount, wanted: 'a number from 0' }

const timestamp: FieldRule = {
  holds: (value) => isText(value) && /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(value),
  wanted: 'a time as RFC 3339 writes it',
}
const version: FieldRule = { holds: (value) => isCount(value) && value !== 0, wanted: 'a whole number from 1' }
const status: FieldRule = { holds: (value) => isCount(value) && value <= 999, wanted: 'a whole number from 0 to 999' }
const amounts: FieldRule = {
  holds: (value) => isFields(value) && Object.values(value).every(isAmount),
  wanted: 'an object of numbers from 0',
}
const affinity: FieldRule = {
  holds: (value) => isFields(value) && isText(value['source']) && isText(value['hash']),
  wanted: 'an object with `source` and `hash`',
}
const view: FieldRule = {
  holds: (value) => isFields(value) && isText(value['source']) && isAmount(value['age_ms']),
  wanted: 'an object with `source` and `age_ms`',
}
const split: FieldRule = {
  holds: (value) => isFields(value) && isFields(value['weights']) && isAbsentOr(affinity, value['affinity']),
  wanted: 'an object with `weights`, and `affinity` as records have it',
}
const attempts: FieldRule = {
  holds: (value) => isListOf(value, (item) => isFields(item) && isText(item['worker'])),
  wanted: 'a list of objects with `worker`',
}
const candidates: FieldRule = {
  holds: (value) => isListOf(value, isCandidate),
  wanted: 'a list of objects with `worker`, and `score`, `veto` and `now` as records have them',
}
const clusters: FieldRule = {
  holds: (value) =>
    isFields(value) &&
    Number.isFinite(value['threshold']) &&
    isText(value['basis']) &&
    isListOf(value['ranked'], isRanked),
  wanted: 'an object with `threshold`, `basis` and `ranked` as records have them',
}
const prefix: FieldRule = {
  holds: (value) =>
    isFields(value) &&
    isAmount(value['prompt_tokens']) &&
    isAmount(value['prefill_ms_per_token']) &&
    isAbsentOr(amounts, value['cached']) &&
    isAbsentOr(amounts, value['backlog']),
  wanted: 'an object with `prompt_tokens` and `prefill_ms_per_token`, and `cached` and `backlog` as records have them',
}
const lmcache: FieldRule = {
  holds: (value) =>
    isFields(value) &&
    isAmount(value['prefill_ms_per_token']) &&
    isAbsentOr(milliseconds, value['prompt_tokens']) &&
    isAbsentOr(amounts, value['matched']) &&
    isAbsentOr(amounts, value['chunks']),
  wanted: 'an object with `prefill_ms_per_token`, and `matched` and `chunks` as records have them',
}
const others: FieldRule = {
  holds: (value) => isListOf(value, (item) => item === 0 || isNow(item)),
  wanted: 'a list of what records have in `now`, or 0',
}

const readings: FieldRule = {
  holds: (value) =>
    isFields(value) &&
    Object.values(value).every((item) => isFields(item) && isText(item['is']) && isText(item['because'])),
  wanted: 'an object of what signals said, with `is` and `because`',
}

/** By name of the field. */
export const FIELD_RULES: ReadonlyMap<string, FieldRule> = new Map(
  Object.entries({
    schema_version: version,
    timestamp,
    status,
    duration_ms: milliseconds,
    ttft_ms: milliseconds,
    queue_ms: milliseconds,
    decision_id: word,
    request_id: word,
    route: text,
    method: text,
    lifecycle_state: text,
    config_hash: text,
    original_model: text,
    model: text,
    rule: text,
    decision: text,
    decision_confidence: milliseconds,
    signal_readings: readings,
    category: text,
    reasoning_mode: text,
    policy: text,
    cluster: text,
    worker: text,
    cache_status: text,
    cache_key: text,
    cache_similarity: { holds: Number.isFinite, wanted: 'a number' },
    tenant: text,
    session_id: text,
    error: text,
    limit: text,
    stream_end: text,
    view_hash: text,
    pinned: text,
    request_text: text,
    hooks_ran: texts,
    tried: texts,
    prefix_hashes: texts,
    seed: count,
    ticket: count,
    request_bytes: count,
    candidates_omitted: count,
    affinity,
    split,
    view,
    attempts,
    candidates,
    others,
    clusters,
    prefix,
    lmcache,
  }),
)

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isAmount(value: unknown): value is number {
  // JSON.parse makes Infinity of 1e999.
  return typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 // a number: anything else is no safe integer
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isListOf(value: unknown, holds: (item: unknown) => boolean): boolean {
  if (!Array.isArray(value)) return false
  for (const item of value) if (!holds(item)) return false
  return true
}

function isAbsent(value: unknown): boolean {
  return value === undefined
}

function isAbsentOr(rule: FieldRule, value: unknown): boolean {
  return isAbsent(value) || rule.holds(value)
}

function isCandidate(value: unknown): boolean {
  if (!isFields(value) || !isText(value['worker'])) return false
  const { score, veto, now } = value
  const hasScore = isAbsent(score) || Number.isFinite(score)
  return hasScore && (isAbsent(veto) || isText(veto)) && (isAbsent(now) || isNow(now))
}

function isRanked(value: unknown): boolean {
  if (!isFields(value) || !isText(value['name']) || !Number.isFinite(value['similarity'])) return false
  const { workers, labels } = value
  const hasLabels = isAbsent(labels) || (isFields(labels) && Object.values(labels).every(isText))
  return hasLabels && isAbsentOr(texts, workers)
}

function isNow(value: unknown): boolean {
  return isListOf(value, (item) => Number.isFinite(item) || isWords(item))
}

function isWords(value: unknown): boolean {
  if (!isFields(value)) return false
  const { is, share } = value
  return (isAbsent(is) || isText(is)) && (isAbsent(share) || isAmount(share))
}

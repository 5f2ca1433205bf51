// Whose request it was, what its limits said, and what its session is known by.

import { sourceOf } from '../key-source.ts'
import type { DryRun, Explainer, ExplainedRecord, MeterPeek } from '../subject.ts'
import { amount, counted, listed, milliseconds, named } from '../words.ts'

export const caller: Explainer = ({ record, dryRun }) => [
  ...whose(record, dryRun),
  ...limits(record, dryRun),
  ...session(record),
]

function whose({ tenant }: ExplainedRecord, dryRun: DryRun | null): readonly string[] {
  if (dryRun?.caller === 'assumed')
    return ['No key and no tenant were given: it is taken to come from a caller without limits.']
  if (tenant === undefined) return []
  return [
    dryRun === null ? `It came with a key of tenant ${named(tenant)}.` : `It would count as tenant ${named(tenant)}’s.`,
  ]
}

function limits(record: ExplainedRecord, dryRun: DryRun | null): readonly string[] {
  const { queue_ms: queueMs } = record
  const waited = queueMs === undefined ? [] : [`It waited ${milliseconds(queueMs)} for a place in the router.`]
  return [...waited, ...reached(record), ...peeked(dryRun?.limits ?? [])]
}

const LIMIT_WORDS: Readonly<Record<string, string>> = {
  requests: 'requests a second (`rate_limit_rps`)',
  concurrency: 'requests at a time (`max_concurrent`)',
  tokens: 'tokens a minute (`tokens_per_minute`)',
}

function reached({ error, limit }: ExplainedRecord): readonly string[] {
  if (error !== 'rate_limit_exceeded') return []
  if (limit === undefined)
    return ['One of the tenant’s limits (requests, requests at a time, tokens) was reached when it came.']
  const words = Object.hasOwn(LIMIT_WORDS, limit) ? LIMIT_WORDS[limit] : named(limit)
  return [`The tenant’s limit on ${words} was reached when it came.`]
}

const METER_WORDS: Readonly<Record<string, string>> = {
  requests: 'requests a second',
  slots: 'requests at a time',
  tokens: 'tokens a minute',
}

function peeked(meters: readonly MeterPeek[]): readonly string[] {
  if (meters.length === 0) return []
  const left = meters.map(({ meter, limit, remaining }) => {
    return `${amount(remaining)} of ${amount(limit)} ${METER_WORDS[meter] ?? meter}`
  })
  const spent = meters.filter(({ remaining }) => remaining < 1)
  const words = spent.map(({ meter }) => METER_WORDS[meter] ?? meter)
  const now =
    spent.length === 0 ? [] : [`Without more ${listed(words)} a live request is refused with 429 until some come back.`]
  return [`Of its limits this router has left: ${listed(left)}.`, ...now]
}

function session({
  affinity,
  session_id: sessionId,
  policy,
  request_bytes: bytes,
}: ExplainedRecord): readonly string[] {
  const size = bytes === undefined ? [] : [`Its body has ${counted(bytes, 'byte')}.`]
  // The policy that goes by it says more about it.
  if (policy === 'consistent_hash') return size
  if (affinity !== undefined)
    return [...size, `Its session is known by ${sourceOf(affinity.source)} (hash ${affinity.hash}).`]
  return sessionId === undefined ? size : [...size, `Its session has the id ${sessionId}.`]
}

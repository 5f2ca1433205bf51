// The format as a contract: the names there are, what each may hold, and which a record can't do without.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { RECORD_SCHEMA_FILE, recordJsonSchema } from '../../scripts/record-schema.ts'
import { fullRecord } from '../../test/support/full-record.ts'
import { RECORD_SCHEMA_VERSION, REQUIRED_FIELDS } from './format.ts'
import { readRecord } from './read-record.ts'
import { ALL_FIELDS, type DecisionRecord, decisionRecordSchema } from './schema.ts'

test('the names of version 4, which may be added to and never taken from', () => {
  expect(RECORD_SCHEMA_VERSION).toBe(4)
  expect(REQUIRED_FIELDS).toEqual([
    'schema_version',
    'decision_id',
    'request_id',
    'timestamp',
    'route',
    'method',
    'status',
    'duration_ms',
    'lifecycle_state',
    'config_hash',
    'attempts',
  ])
  const optional = ALL_FIELDS.filter((name) => !REQUIRED_FIELDS.some((required) => required === name))
  expect(optional.join(' ')).toBe(
    [
      'original_model model rule split decision category reasoning_mode signals signal_readings decision_confidence',
      'policy cluster worker cache_status cache_key cache_similarity hooks_ran tenant session_id error limit',
      'ttft_ms queue_ms stream_end streaming retry_refused panic',
      'seed view view_hash affinity ticket prefix lmcache clusters steps pinned tried candidates candidates_omitted others',
      'usage cached_tokens prefix_hashes request_text request_bytes',
    ].join(' '),
  )
})

/** For each field what must not stand in it. A field without an entry does not compile. */
const WRONG: Readonly<Record<keyof DecisionRecord, readonly unknown[]>> = {
  schema_version: [3, 4.5, '4', null],
  decision_id: ['', 1, null],
  request_id: ['', 1, null],
  timestamp: ['yesterday', '2026-08-01', '2026-08-01T09:30:00+02:00', 1_785_576_600_000, null],
  route: [1, null],
  method: ['guessed', '', null],
  status: [-1, 1_000, 200.5, '200', null],
  duration_ms: [-1, '12', null],
  lifecycle_state: ['in_progress', 'done', null],
  config_hash: ['', '0f4a1c2be9d8736', '0F4A1C2BE9D87365', null],
  attempts: [null, {}, [{}], [{ worker: 'a', outcome: 'answered' }], [{ worker: 1, outcome: 'answered', ms: 1 }]],
  original_model: [1, null],
  model: [1, null],
  rule: [1, null],
  split: [1, {}, { weights: { a: '1' } }, { weights: {}, affinity: {} }, null],
  decision: [1, null],
  category: [1, null],
  reasoning_mode: ['on', 1, null],
  signals: [[], { keyword: 'a' }, { keyword: [1] }, null],
  policy: [1, null],
  cluster: [1, null],
  worker: [1, null],
  cache_status: [1, null],
  cache_key: [1, null],
  cache_similarity: ['1', null],
  hooks_ran: ['a', [1], null],
  tenant: [1, null],
  session_id: ['alice', 1, null],
  error: [1, null],
  limit: ['slots', 1, null],
  ttft_ms: [-1, '1', null],
  queue_ms: [-1, '1', null],
  stream_end: ['cut', 1, null],
  streaming: [false, 1, null],
  retry_refused: [false, 1, null],
  panic: [false, 1, null],
  seed: [-1, 0.5, '1', null],
  view: [1, {}, { source: 'memory' }, { source: 'memory', age_ms: -1 }, null],
  view_hash: ['a', 1, null],
  affinity: [1, {}, { source: 'body:user', hash: 'alice' }, null],
  ticket: [-1, 0.5, null],
  prefix: [1, {}, { prompt_tokens: -1, prefill_ms_per_token: 0.2 }, null],
  lmcache: [1, {}, { prefill_ms_per_token: 0.2, matched: { a: '1' } }, null],
  clusters: [
    1,
    {},
    { threshold: 0.5, basis: '0123456789abcdef' },
    { threshold: 0.5, basis: 'x', ranked: [] },
    { threshold: 0.5, basis: '0123456789abcdef', ranked: [{ name: 'code' }] },
    null,
  ],
  steps: ['lookup', [{ step: 'lookup' }], [{ step: 'lookup', outcome: 'ok', ms: -1 }], null],
  pinned: [1, null],
  tried: ['a', [1], null],
  candidates: [
    1,
    [1],
    [{}],
    [{ worker: 'a', score: '1' }],
    [{ worker: 'a', veto: 1 }],
    [{ worker: 'a', now: 3 }],
    null,
  ],
  signal_readings: [1, { 'keyword:a': { is: 'perhaps', because: '' } }, { 'keyword:a': { is: 'matched' } }, null],
  decision_confidence: [2, -1, 'sure', null],
  candidates_omitted: [0, -1, null],
  others: [1, [1], [{}], [['a']], null],
  usage: [1, { prompt_tokens: -1 }, null],
  cached_tokens: [1, { actual: 0.5 }, null],
  prefix_hashes: ['a', [1], null],
  request_text: [1, null],
  request_bytes: [-1, 0.5, null],
}

test('a record with everything in it passes, and keeps what nobody knows', () => {
  const later = { ...fullRecord, schema_version: 5, mood: { is: 'good' }, view: { ...fullRecord.view, region: 'eu' } }
  expect(decisionRecordSchema.parse(fullRecord)).toEqual(fullRecord)
  expect(decisionRecordSchema.parse(later)).toEqual(later)
  expect(Object.keys(fullRecord).sort()).toEqual([...ALL_FIELDS].sort())
})

describe.each(ALL_FIELDS)('%s', (name) => {
  test.each(WRONG[name].map((value) => [JSON.stringify(value), value]))('is not %s', (_, value) => {
    const { success, error } = decisionRecordSchema.safeParse({ ...fullRecord, [name]: value })
    expect(success).toBe(false)
    expect(error?.issues.map(({ path }) => path[0])).toEqual(error?.issues.map(() => name))
  })

  const isRequired = REQUIRED_FIELDS.some((required) => required === name)
  test(isRequired ? 'is required' : 'may be missing', () => {
    const { [name]: _, ...without } = fullRecord
    expect(decisionRecordSchema.safeParse(without).success).toBe(!isRequired)
    // The reader agrees, but for the version: a line without it is a record of version 1.
    const expected = isRequired && name !== 'schema_version' ? 'refused' : 'record'
    expect(readRecord(JSON.stringify(without)).kind).toBe(expected)
  })
})

test('docs/decision-record.schema.json is this format; `node scripts/record-schema.ts` writes it', () => {
  expect(JSON.parse(readFileSync(RECORD_SCHEMA_FILE, 'utf8'))).toEqual(recordJsonSchema())
})

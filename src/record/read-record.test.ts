// Lines of a decision log, whoever wrote them and whatever became of them since.

import { describe, expect, test } from 'vitest'
import { fullRecord } from '../../test/support/full-record.ts'
import { MAX_LINE_LENGTH, readRecord } from './read-record.ts'
import { isDecisionRecord, type StoredRecord } from './stored-record.ts'

/** As the Rust router writes them: its schema versions 1 (which has no number), 2 and 3. */
const RUST_LINES = [
  '{"timestamp":"2025-11-02T08:15:30.123Z","route":"/v1/chat/completions","model":"m","method":"policy","policy":"round_robin","worker":"http://10.0.0.1:8000","status":200,"duration_ms":41}',
  '{"schema_version":2,"timestamp":"2026-01-20T10:00:00.000Z","route":"/v1/completions","model":"m","method":"cache-hit","cache_status":"exact-hit","status":200,"duration_ms":0,"hooks_ran":["guard"],"request_text":""}',
  '{"schema_version":3,"timestamp":"2026-03-01T23:59:59.999Z","route":"/v1/rerank","method":"cluster","cluster":"code","worker":"http://10.0.0.2:8000","status":502,"duration_ms":12,"tenant":"acme"}',
]

function accepted(line: string): StoredRecord {
  const read = readRecord(line)
  if (read.kind !== 'record') throw new Error(JSON.stringify(read))
  return read.record
}

function refusal(line: string): string {
  const read = readRecord(line)
  return read.kind === 'refused' ? read.why : read.kind
}

const FULL = JSON.stringify(fullRecord)
const withField = (name: string, json: string): string => `${FULL.slice(0, -1)},"${name}":${json}}`

describe('records of the Rust router', () => {
  test.each(RUST_LINES.map((line, at) => [at + 1, line] as const))('version %i', (version, line) => {
    const record = accepted(line)
    expect(record).toEqual({ schema_version: version, ...JSON.parse(line) })
    expect(isDecisionRecord(record)).toBe(false)
  })

  test.each(['timestamp', 'route', 'status', 'duration_ms'])('can not do without %s', (name) => {
    const { [name]: _, ...without } = JSON.parse(RUST_LINES[2] ?? '')
    expect(refusal(JSON.stringify(without))).toBe(`\`${name}\` is missing`)
  })
})

describe('records of this router', () => {
  test('are what they were, also with what later versions add', () => {
    expect(accepted(FULL)).toEqual(fullRecord)
    expect(isDecisionRecord(accepted(FULL))).toBe(true)
    const later = { ...fullRecord, schema_version: 7, mood: 'good' }
    expect(accepted(JSON.stringify(later))).toEqual(later)
    expect(isDecisionRecord(accepted(JSON.stringify(later)))).toBe(true)
  })

  test('are found in the lines of the log', () => {
    expect(accepted(`{"level":"info","event":"request",${FULL.slice(1)}`)).toMatchObject(fullRecord)
    expect(refusal('{"level":"warn","event":"hook_failed","hook":"guard"}')).toMatch(/no decision record/)
  })

  test('that are not closed are none yet', () => {
    expect(refusal(withField('lifecycle_state', '"in_progress"'))).toMatch(/still in progress/)
  })

  test('null is as good as absent, but not where something is needed', () => {
    const record = accepted(withField('worker', 'null'))
    expect(Object.hasOwn(record, 'worker')).toBe(false)
    expect(refusal(withField('route', 'null'))).toBe('`route` is missing')
  })
})

describe('the file around them', () => {
  test.each(['', ' ', '\r', '\t\r', '\uFEFF', '\uFEFF \r'])('a blank line: %j', (line) => {
    expect(readRecord(line)).toEqual({ kind: 'blank' })
  })

  test.each([
    ['a byte order mark', `\uFEFF${FULL}`],
    ['a carriage return', `${FULL}\r`],
    ['both', `\uFEFF${FULL}\r`],
    ['indentation', `  ${FULL}  `],
  ])('%s does not matter', (_, line) => {
    expect(accepted(line)).toEqual(fullRecord)
  })

  test('a line that was cut off, and one that is something else', () => {
    expect(refusal(FULL.slice(0, 700))).toMatch(/no JSON/)
    for (const line of ['[]', '1', '"a"', 'null', 'true', '[{}]']) expect(refusal(line)).toBe('it is no JSON object')
    expect(refusal('{}')).toBe('`timestamp` is missing')
  })

  test('a line as long as a line may be, and one that is longer', () => {
    const padded = (length: number) => FULL.padEnd(length)
    expect(accepted(padded(MAX_LINE_LENGTH))).toEqual(fullRecord)
    expect(refusal(padded(MAX_LINE_LENGTH + 1))).toMatch(/longer than 1048576 characters/)
  })

  test('a line of nothing but brackets', () => {
    expect(refusal('['.repeat(500_000))).toMatch(/no JSON/)
  })
})

describe('a field that is not what it must be is named, and what stood there is not repeated', () => {
  test.each([
    ['schema_version', '0'],
    ['schema_version', '"4"'],
    ['timestamp', '"soon SECRET"'],
    ['timestamp', '1785576600000'],
    ['status', '1000'],
    ['status', '"200 SECRET"'],
    ['duration_ms', '1e999'],
    ['duration_ms', '-1'],
    ['seed', '0.5'],
    ['ticket', '-1'],
    ['decision_id', '""'],
    ['worker', '["SECRET"]'],
    ['hooks_ran', '"SECRET"'],
    ['tried', '[1]'],
    ['affinity', '{"hash":1}'],
    ['affinity', '[]'],
    ['view', '{"source":"x","age_ms":-1}'],
    ['attempts', '[{"outcome":"SECRET"}]'],
    ['attempts', '{}'],
    ['candidates', '[{"worker":"a","score":"SECRET"}]'],
    ['candidates', '[{"worker":"a","score":1e999}]'],
    ['candidates', '[{"worker":"a","veto":1}]'],
    ['candidates', '[{"worker":"a","now":{}}]'],
    ['candidates', '[{"worker":"a","now":["SECRET"]}]'],
    ['candidates', '[{"worker":"a","now":[{"is":1}]}]'],
    ['candidates', '[null]'],
    ['others', '[1]'],
  ])('%s: %s', (name, json) => {
    const why = refusal(withField(name, json))
    expect(why).toMatch(new RegExp(`^\`${name}\` must be `))
    expect(why).not.toContain('SECRET')
  })
})

describe('names that objects have by themselves do no harm', () => {
  test.each([
    withField('__proto__', '{"worker":"evil","schema_version":99}'),
    withField('constructor', '{"prototype":{"worker":"evil"}}'),
    withField('hasOwnProperty', '1'),
    withField('candidates', '[{"worker":"__proto__","__proto__":{"veto":"evil"},"parts":{"__proto__":1}}]'),
  ])('%#', (line) => {
    const record = accepted(line)
    expect(record.worker).toBe('gpu-1')
    expect(record.candidates?.[0]?.veto).not.toBe('evil')
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype)
    expect(Object.hasOwn(Object.prototype, 'worker')).toBe(false)
  })

  test('nor are they fields: a record whose fields are inherited has none', () => {
    expect(refusal(`{"__proto__":${FULL}}`)).toBe('`timestamp` is missing')
  })
})

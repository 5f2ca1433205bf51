// docs/records.md says what is true: its example is a record, its document belongs to it, and its lists are complete.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { decide } from '../routing/decide.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { toDecisionInput, toFleetView } from './fleet-view.ts'
import { MAX_RECORDED_CANDIDATES, REQUIRED_FIELDS } from './format.ts'
import { readRecord } from './read-record.ts'
import { ALL_FIELDS, decisionRecordSchema } from './schema.ts'
import { fromViewDocument, isIntact, viewDocumentSchema } from './view-document.ts'

const page = readFileSync(new URL('../../docs/records.md', import.meta.url), 'utf8')
const [example, document] = [...page.matchAll(/^```json\n([^]*?)^```$/gm)].map(([, json = '']): unknown =>
  JSON.parse(json),
)

test('the example is a record, and its document the one it names', () => {
  const record = decisionRecordSchema.parse(example)
  const view = viewDocumentSchema.parse(document)
  expect(view.view_hash).toBe(record.view_hash)
  expect(isIntact(view)).toBe(true)
})

test('the decision of the example is what its policy makes of it', () => {
  const read = readRecord(JSON.stringify(example))
  if (read.kind !== 'record') throw new Error(JSON.stringify(read))
  const { record } = read
  const known = fromViewDocument(viewDocumentSchema.parse(document))
  const rebuilt = toFleetView(record, { document: known, configured: null })
  const definition = BUILT_IN_POLICIES.get(record.policy ?? '')
  if (rebuilt.kind !== 'view' || definition === undefined) throw new Error('the example can not be decided again')
  const policy = definition.create(definition.options.parse({}))
  const decision = decide(toDecisionInput(record), { policy }, rebuilt.view, record.seed ?? 0)
  expect(decision.chosen?.id).toBe(record.worker)
  const decided = decision.candidates.map(({ id, score, veto }) => [id, score ?? undefined, veto ?? undefined])
  expect(decided).toEqual(record.candidates?.map(({ worker, score, veto }) => [worker, score, veto]))
})

test('every field has its line, and the required ones are marked', () => {
  const rows = page
    .slice(page.indexOf('## The record'))
    .split('\n')
    .filter((line) => line.startsWith('|'))
  const fields = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`(\w+)`( \*)?/g)])
  const names = fields.map(([, name]) => name)
  for (const name of ALL_FIELDS) expect(names).toContain(name)
  const marked = fields.filter(([, , mark]) => mark !== undefined).map(([, name]) => name)
  expect([...marked, 'method', 'config_hash', 'attempts'].sort()).toEqual([...REQUIRED_FIELDS].sort())
  expect(page).toContain(`beyond ${MAX_RECORDED_CANDIDATES} candidates`)
})

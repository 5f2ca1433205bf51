// Several records under several configurations: what is counted, grouped and reported.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { configOf } from '../../test/support/decided-log.ts'
import { endedEarly, recordUnder } from '../../test/support/replayed-record.ts'
import type { Config } from '../config/config.ts'
import { readRecord } from '../record/read-record.ts'
import { ALL_FIELDS } from '../record/schema.ts'
import { toHtml } from './html-report.ts'
import { DEFAULT_PREFIX_CACHE } from './prefix-cache.ts'
import { Replay, type ReplayOptions } from './replay.ts'
import { toOutput } from './report.ts'
import { replayOutputSchema, type ReplayReport } from './report-schema.ts'
import { toText } from './text-report.ts'

const POOL = ['a', 'b', 'c'].reduce(
  (text, id) => `${text}  - {id: ${id}, url: "http://${id}", models: [m]}\n`,
  'workers:\n',
)
const ROUND = await configOf(POOL)
const LEAST = await configOf(`${POOL}policy: least_load\n`)
/** One more, of another model. */
const SPARE = await configOf(`${POOL}  - {id: spare, url: "http://spare", models: [n]}\npolicy: least_load\n`)
const RANDOM = await configOf(`${POOL}policy: random\n`)
const LINES = { read: 0, blank: 0, unreadable: 0, reasons: [] }

function replayOf(configs: readonly Config[], options: Partial<ReplayOptions> = {}): Replay {
  const named = configs.map((config) => ({ name: `${config.policy.name}.yaml`, config }))
  return new Replay({ configs: named, against: null, by: null, prefixCache: DEFAULT_PREFIX_CACHE, ...options })
}

/** Six turns of three workers, of which `a` has the least to do. */
function turns(given: object = {}) {
  const now = { b: { inFlightHere: 5 }, c: { inFlightHere: 5 } }
  const recorded = Array.from({ length: 6 }, (_, ticket) => recordUnder(ROUND, { now, input: { ticket }, given }))
  const [{ document } = { document: [] }] = recorded
  return recorded.map(({ record }) => ({ record, document }))
}

function reportOf(replay: Replay): ReplayReport {
  const [report] = replay.reports()
  if (report === undefined) throw new Error('no report')
  return report
}

test('counts what stays and what moves, and where the load is before and after', () => {
  const replay = replayOf([LEAST])
  for (const { record, document } of turns()) replay.add(record, document)
  const report = reportOf(replay)
  expect(report).toMatchObject({
    total: 6,
    same: 2,
    different: 4,
    no_worker: 0,
    not_comparable: 0,
    exact: { same: 2, different: 4 },
  })
  expect(report.sentence).toBe(
    'With least_load instead of round_robin: 2 (33.3 %) to the same worker, 4 (66.7 %) different',
  )
  expect(report.before).toEqual({ workers: 3, requests: 6, hotspot: 1 })
  expect(report.after).toEqual({ workers: 3, requests: 6, hotspot: 3 })
  expect(report.workers).toEqual({
    a: { before: 2, after: 6, left: 0, came: 4 },
    b: { before: 2, after: 0, left: 2, came: 0 },
    c: { before: 2, after: 0, left: 2, came: 0 },
  })
  expect(report.causes).toMatchObject({ policy: 4, rule: 0 })
  expect(report.policies).toEqual({ round_robin: expect.objectContaining({ total: 6, different: 4 }) })
  expect(report.latency_ms).toMatchObject({ count: 6, p50: expect.any(Number) })
})

test('all parts add up', () => {
  const replay = replayOf([LEAST], { by: 'tenant' })
  for (const { record, document } of turns()) replay.add(record, document)
  replay.add(endedEarly({ error: 'rate_limit_exceeded', tenant: 'team' }), null)
  replay.add(endedEarly({ error: 'hook_rejected', hooks_ran: ['guard:rejected'] }), null)
  replay.add({ ...endedEarly({ worker: 'a' }), schema_version: 2 }, null)
  const report = reportOf(replay)
  expect(report).toMatchObject({ total: 9, no_worker: 1, neither: 1, not_comparable: 2 })
  expect(report.same + report.different + report.no_worker + report.not_comparable).toBe(report.total)
  const changed = report.different + report.newly_refused + report.newly_served + report.not_comparable
  expect(Object.values(report.causes).reduce((sum, count) => sum + count, 0)).toBe(changed)
  expect(report.not_comparable_reasons.map(({ cause, count }) => [cause, count])).toEqual([
    ['hook', 1],
    ['missing_fact', 1],
  ])
  expect(report.by).toEqual({
    key: 'tenant',
    groups: { team: expect.objectContaining({ neither: 1 }), '(none)': expect.objectContaining({ total: 8 }) },
  })
})

const sumOf = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)

/** Whatever was counted: every part is the sum of its parts. */
function expectAddsUp(report: ReplayReport): void {
  const { total, same, different, no_worker: none, newly_refused: refused, newly_served: served, neither } = report
  const { not_comparable: unknown, workers, before, after, exact, modelled, causes } = report
  expect(same + different + none + unknown).toBe(total)
  expect(refused + served + neither).toBe(none)
  expect([exact.same + modelled.same, exact.different + modelled.different]).toEqual([same, different])
  expect(sumOf(Object.values(causes))).toBe(different + refused + served + unknown)
  expect(sumOf(report.not_comparable_reasons.map(({ count }) => count))).toBe(unknown)
  expect([before.requests, after.requests]).toEqual([same + different + refused, same + different + served])
  const each = Object.values(workers)
  expect(sumOf(each.map((worker) => worker.before))).toBe(before.requests)
  expect(sumOf(each.map((worker) => worker.after))).toBe(after.requests)
  for (const worker of each) expect(worker.before - worker.left + worker.came).toBe(worker.after)
  expect(sumOf(report.latency_ms.histogram.map(([, count]) => count))).toBe(report.latency_ms.count)
  for (const groups of [report.policies, report.models, report.by?.groups ?? report.models]) {
    expect(sumOf(Object.values(groups).map((group) => group.total))).toBe(total)
  }
}

test('compares with another configuration instead of the record', () => {
  const replay = replayOf([LEAST], { against: { name: 'old.yaml', config: LEAST } })
  for (const { record, document } of turns()) replay.add(record, document)
  expect(reportOf(replay)).toMatchObject({ same: 6, different: 0, against: { name: 'old.yaml', policy: 'least_load' } })
})

test('lists workers that nobody went to, as they count for the hotspot', () => {
  const replay = replayOf([SPARE], { against: { name: 'old.yaml', config: LEAST } })
  for (const { record, document } of turns()) replay.add(record, document)
  const { workers, before, after } = reportOf(replay)
  const nothing = { before: 0, after: 0, left: 0, came: 0 }
  expect(workers).toEqual({ a: { before: 6, after: 6, left: 0, came: 0 }, b: nothing, c: nothing, spare: nothing })
  expect([before.workers, after.workers]).toEqual([3, 4])
})

test('decides several configurations side by side, each as it does alone', () => {
  const together = replayOf([LEAST, RANDOM, ROUND])
  for (const { record, document } of turns()) together.add(record, document)
  const reports = together.reports()
  for (const [at, config] of [LEAST, RANDOM, ROUND].entries()) {
    const alone = replayOf([config])
    for (const { record, document } of turns()) alone.add(record, document)
    expect(reports[at]).toEqual(reportOf(alone))
  }
  expect(replayOutputSchema.parse(toOutput(reports, LINES))).toHaveProperty('reports')
})

test('says which records were made under the very configuration', () => {
  const replay = replayOf([ROUND])
  for (const { record, document } of turns()) replay.add(record, document)
  expect(reportOf(replay).same_configuration).toEqual({ records: 6, different: 0 })
})

test('models the caches of workers where records have hashes of prefixes', () => {
  const replay = replayOf([LEAST])
  for (const { record, document } of turns({ prefix_hashes: ['one', 'two'] })) replay.add(record, document)
  // Three workers fill a cache each; a single one fills one.
  expect(reportOf(replay).prefix).toEqual({
    records: 6,
    cache_blocks: 512,
    block_tokens: 512,
    before: { tokens: 12 * 512, cached_tokens: 6 * 512 },
    after: { tokens: 12 * 512, cached_tokens: 10 * 512 },
  })
})

test('models none where it is not asked to, or records have no hashes', () => {
  const unasked = replayOf([LEAST], { prefixCache: null })
  for (const { record, document } of turns({ prefix_hashes: ['one'] })) unasked.add(record, document)
  expect(reportOf(unasked).prefix).toBeNull()
  const without = replayOf([LEAST])
  for (const { record, document } of turns()) without.add(record, document)
  expect(reportOf(without).prefix).toBeNull()
})

describe('groups', () => {
  test.each([
    ['hour', '2026-08-01T09:00Z'],
    ['model', 'm'],
    ['tenant', '(none)'],
  ] as const)('%s', (by, name) => {
    const replay = replayOf([LEAST], { by })
    for (const { record, document } of turns()) replay.add(record, document)
    expect(reportOf(replay).by).toEqual({ key: by, groups: { [name]: expect.objectContaining({ total: 6 }) } })
  })

  test('are so many and no more', () => {
    const replay = replayOf([LEAST], { by: 'tenant' })
    for (let n = 0; n < 1_500; n += 1) replay.add(endedEarly({ tenant: `tenant-${n}` }), null)
    const groups = reportOf(replay).by?.groups ?? {}
    expect(Object.keys(groups).length).toBe(1_001)
    expect(groups['(others)']).toMatchObject({ total: 500 })
  })
})

test('nothing at all makes a report, too', () => {
  const report = reportOf(replayOf([LEAST]))
  expect(report.sentence).toBe('With least_load instead of what was recorded: no request could be compared')
  replayOutputSchema.parse(toOutput([report], LINES))
})

describe('whatever stands in a line', () => {
  const rules = 'model_rules: [{match: "z*", weights: {m: 1, n: 2}}, {match: y, fallback: [n, m], on_failure: true}]\n'
  const sticky = 'policy: {type: consistent_hash, hash_headers: [x-team]}\n'
  const tenants = 'api_keys: [{key: key-of-team-0123, name: team, allowed_models: [m]}]\n'
  const { record, document } = recordUnder(ROUND, { given: { original_model: 'z', rule: 'z*', tenant: 'team' } })
  const fields = [...ALL_FIELDS, '__proto__']
  const values = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('2026-99-99T99:99:99Z', 'z', 'y', 'team', 'hook_rejected', 'model_not_found', 4, [], {}, ['a:b']),
    fc.constantFrom({ weights: {} }, { weights: { m: 'x' }, affinity: { source: 'prompt', hash: '' } }, [
      { worker: 'a' },
    ]),
  )

  test('nothing breaks, and every record is counted once', async () => {
    const configs = await Promise.all([rules, sticky, tenants, rules + tenants].map((text) => configOf(POOL + text)))
    const changes = fc.array(fc.tuple(fc.constantFrom(...fields), values), { minLength: 1, maxLength: 4 })
    const property = fc.property(changes, fc.boolean(), (changed, hasDocument) => {
      const read = readRecord(JSON.stringify({ ...record, ...Object.fromEntries(changed) }))
      if (read.kind !== 'record') return
      const replay = replayOf(configs, { by: 'hour' })
      replay.add(read.record, hasDocument ? document : null)
      replay.add(record, document)
      for (const report of replay.reports()) {
        expect(report.total).toBe(2)
        expectAddsUp(report)
        toText(toOutput([report], LINES))
        toHtml(toOutput([report], LINES))
      }
    })
    fc.assert(property, { numRuns: 600 })
  }, 60_000)
})

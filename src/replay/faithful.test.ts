// 100,000 decisions that the whole pipeline made, decided again from their lines: the same worker for every one of them
// under the configuration they were made under, and nothing missing under another.

import { beforeAll, describe, expect, test } from 'vitest'
import { configOf, type DecidedLog, decidedLog } from '../../test/support/decided-log.ts'
import type { Config } from '../config/config.ts'
import { readRecord } from '../record/read-record.ts'
import { DEFAULT_PREFIX_CACHE } from './prefix-cache.ts'
import { Replay } from './replay.ts'
import type { ReplayReport } from './report-schema.ts'

const POLICIES = [
  'round_robin',
  '{type: round_robin, strict: true}',
  'random',
  'power_of_two',
  'least_load',
  'consistent_hash',
  '{type: consistent_hash, hash_headers: [x-team], load_factor: off}',
]

const REQUESTS = 15_000

const yaml = (policy: string) => `
workers:
  - {id: a, url: "http://a", models: [m, n], weight: 2}
  - {id: b, url: "http://b", models: [m]}
  - {id: c, url: "http://c", models: [m, n], labels: {zone: x}}
  - {url: "http://d", models: [m], data_parallel_size: 2}
  - {id: e, url: "http://e", models: [n]}
model_rules:
  - {match: "split-*", weights: {m: 1, n: 2}}
  - {match: chain, fallback: [gone, n, m], on_failure: true}
log_level: error
policy: ${policy}
`

const MODELS = ['m', 'n', 'split-1', 'chain', 'm', 'nobody']

/** Every kind of name, some with a session, some with a header that one of the policies goes by. */
function request(n: number) {
  const model = MODELS[n % MODELS.length] ?? 'm'
  const body = n % 3 === 0 ? { model } : { model, user: `user-${n % 97}` }
  return { body, headers: n % 5 === 0 ? { 'x-team': `team-${n % 11}` } : {} }
}

async function replayed(log: DecidedLog, text: string, alsoKnown: readonly Config[] = []): Promise<ReplayReport> {
  const replay = new Replay({
    configs: [{ name: 'given', config: await configOf(text) }],
    against: null,
    alsoKnown,
    by: null,
    prefixCache: DEFAULT_PREFIX_CACHE,
  })
  for (const line of log.lines) {
    const read = readRecord(line)
    if (read.kind !== 'record') throw new Error(JSON.stringify(read))
    replay.add(read.record, log.candidates(read.record.view_hash))
  }
  const [report] = replay.reports()
  if (report === undefined) throw new Error('no report')
  return report
}

describe.each(POLICIES)('%s', (policy) => {
  let log: DecidedLog
  beforeAll(async () => {
    log = await decidedLog({ yaml: yaml(policy), requests: REQUESTS, request, failing: 0.02 })
  }, 120_000)

  test('every decision comes out the same again', { timeout: 120_000 }, async () => {
    const report = await replayed(log, yaml(policy))
    expect(report).toMatchObject({
      total: REQUESTS,
      different: 0,
      not_comparable: 0,
      newly_refused: 0,
      newly_served: 0,
    })
    expect(report.modelled).toMatchObject({ same: 0, different: 0 })
    expect(report.same_configuration).toEqual({ records: report.same, different: 0 })
    expect(report.same).toBeGreaterThan(REQUESTS / 2)
  })

  test('so it does under a configuration that routes alike', { timeout: 120_000 }, async () => {
    const report = await replayed(log, `${yaml(policy)}shutdown_grace_secs: 7\n`, [await configOf(yaml(policy))])
    expect(report).toMatchObject({
      total: REQUESTS,
      different: 0,
      not_comparable: 0,
      newly_refused: 0,
      newly_served: 0,
    })
    expect(report.modelled).toMatchObject({ same: 0, different: 0 })
    expect(report.same_configuration.records).toBe(0)
  })
})

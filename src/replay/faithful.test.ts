// 100,000 decisions that the whole pipeline made, decided again from their lines: the same worker for every one of them
// under the configuration they were made under, and nothing missing under another.

import { expect, test } from 'vitest'
import { configOf, decidedLog } from '../../test/support/decided-log.ts'
import { replayLog } from '../../test/support/replayed-log.ts'

const POLICIES = [
  'round_robin',
  '{type: round_robin, strict: true}',
  'random',
  'power_of_two',
  'least_load',
  'consistent_hash',
  '{type: consistent_hash, hash_headers: [x-team], load_factor: off}',
]

/** Of each policy: 100,100 together. */
const REQUESTS = 14_300

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

test.each(POLICIES)('%s: every decision comes out the same again', { timeout: 180_000 }, async (policy) => {
  const text = yaml(policy)
  const log = await decidedLog({ yaml: text, requests: REQUESTS, request, failing: 0.02 })
  // The one they were made under, and one that routes alike and has another hash: only the first may take their word for it.
  const configs = [await configOf(text), await configOf(`${text}shutdown_grace_secs: 7\n`)]
  const [own, alike] = replayLog(log, configs)
  for (const report of [own, alike]) {
    expect(report).toMatchObject({
      total: REQUESTS,
      different: 0,
      not_comparable: 0,
      newly_refused: 0,
      newly_served: 0,
      modelled: { same: 0, different: 0 },
    })
    expect(report?.same).toBeGreaterThan(REQUESTS / 2)
  }
  expect(own?.same_configuration).toEqual({ records: own?.same, different: 0 })
  expect(alike?.same_configuration.records).toBe(0)
})

test(
  'cache_aware: every decision comes out the same again, by what its record says of caches',
  { timeout: 180_000 },
  async () => {
    const text = yaml('{type: cache_aware, block_bytes: 256}')
    const requests = 3_000
    const talk = (n: number) => {
      const { body, headers } = request(n)
      const said = Array.from({ length: 1 + (n % 5) }, (_, turn) => ({
        role: 'user',
        content: `${n % 97} in turn ${turn} `.repeat(40),
      }))
      return { body: { ...body, messages: said }, headers }
    }
    const log = await decidedLog({ yaml: text, requests, request: talk, failing: 0.02 })
    const [own, alike] = replayLog(log, [await configOf(text), await configOf(`${text}shutdown_grace_secs: 7\n`)])
    const unchanged = { total: requests, different: 0, not_comparable: 0, newly_refused: 0, newly_served: 0 }
    expect(own).toMatchObject({ ...unchanged, modelled: { same: 0, different: 0 } })
    expect(own?.same_configuration).toEqual({ records: own?.same, different: 0 })
    // Decided as then because it is told what was known then, and the report says so.
    expect(alike).toMatchObject({ ...unchanged, exact: { same: 0 }, modelled: { same: own?.same } })
    const held = log.lines.filter((line) => line.includes('"cached":{'))
    expect(held.length).toBeGreaterThan(requests / 3)
  },
)

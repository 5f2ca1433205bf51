// What replay predicts of another policy is what that policy does when it runs with the same requests, seed and loads:
// worker by worker, as one request at a time leaves the fleet to the next as it found it.

import { beforeAll, describe, expect, test } from 'vitest'
import { configOf, type DecidedLog, decidedLog } from '../../test/support/decided-log.ts'
import { recordsOf, replayLog } from '../../test/support/replayed-log.ts'
import { randomFrom } from '../routing/random.ts'

const REQUESTS = 2_000

const yaml = (policy: string) => `workers:
  - {id: a, url: "http://a", models: [m, n], weight: 2}
  - {id: b, url: "http://b", models: [m, n]}
  - {id: c, url: "http://c", models: [m]}
  - {id: d, url: "http://d", models: [m, n]}
log_level: error
policy: ${policy}
`

const running = (requests: number) => {
  return { running: requests, waiting: 0, kvUsage: null, tokensTotal: null, atMs: 1_000_000 }
}

/** Work that came past the router: of the weights, `a` and `b` have as much to do, `c` less, `d` more. */
const LOADS = { a: running(4), b: running(2), c: running(1), d: running(9) }

function run(policy: string): Promise<DecidedLog> {
  return decidedLog({
    yaml: yaml(policy),
    requests: REQUESTS,
    request: (n) => ({ body: { model: n % 3 === 0 ? 'n' : 'm', user: `user-${n % 97}` } }),
    atOnce: 1,
    random: randomFrom(7),
    loads: LOADS,
  })
}

const workersOf = (log: DecidedLog) => recordsOf(log).map(({ worker }) => worker)

function sharesOf(log: DecidedLog): Record<string, number> {
  const shares: Record<string, number> = { a: 0, b: 0, c: 0, d: 0 }
  for (const worker of workersOf(log)) shares[worker ?? ''] = (shares[worker ?? ''] ?? 0) + 1
  return shares
}

describe('a log of round_robin', () => {
  let before: DecidedLog
  beforeAll(async () => {
    before = await run('round_robin')
  }, 60_000)

  test.each(['consistent_hash', 'least_load', 'power_of_two', 'random', 'round_robin'])(
    'says what %s does',
    { timeout: 60_000 },
    async (policy) => {
      const [predicted] = replayLog(before, [await configOf(yaml(policy))])
      const seen = await run(policy)
      const after = Object.entries(predicted?.workers ?? {}).map(([id, { after: requests }]) => [id, requests])
      expect(Object.fromEntries(after)).toEqual(sharesOf(seen))
      const now = workersOf(seen)
      const moved = workersOf(before).filter((worker, at) => worker !== now[at]).length
      expect(predicted).toMatchObject({ total: REQUESTS, not_comparable: 0, modelled: { same: 0, different: 0 } })
      expect(predicted?.different).toBe(moved)
      expect(moved > 0).toBe(policy !== 'round_robin')
      if (policy === 'least_load') expect(predicted?.workers['d']).toMatchObject({ after: 0 })
    },
  )
})

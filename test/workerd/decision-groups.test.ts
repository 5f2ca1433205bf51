// Several groups of objects for the decision log of a large fleet: each isolate hands its records to one object, all find them.

import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { DECISION_SHARDS } from '../../src/store/decision-shard.ts'
import { DurableDecisions } from '../../src/store/durable-decisions.ts'
import { recordNumber, recordNumbers } from '../support/made-up-records.ts'

const SETTINGS = {
  prefix: 'groups/',
  exportIntervalMs: 3_600_000,
  retentionMs: null,
  retentionBytes: null,
  exportSample: 1,
}

/** An isolate by its place among the objects of so many groups. */
function isolate(index: number, groups = 3) {
  const names: string[] = []
  const store = new DurableDecisions({
    namespace(name) {
      names.push(name)
      return env.DECISION_LOG.get(env.DECISION_LOG.idFromName(name)) as never
    },
    pool: 'groups',
    settings: () => SETTINGS,
    place: () => ({ index, count: groups * DECISION_SHARDS }),
    readSegment: async () => null,
    onChange: () => {},
    now: () => Date.now(),
    after(_delayMs, task) {
      const timer = setTimeout(task, 0)
      return () => clearTimeout(timer)
    },
  })
  return { store, numbers: () => names.map((name) => Number(name.split('/').at(-1))) }
}

test('an isolate keeps to its object, and every isolate finds its records', { timeout: 60_000 }, async () => {
  const writer = isolate(11)
  await writer.store.append(recordNumbers(0, 40), [])
  expect(new Set(writer.numbers())).toEqual(new Set([11]))

  const reader = isolate(20).store
  const { decision_id: id } = recordNumber(7)
  expect(await reader.find(id)).toMatchObject({ decision_id: id })
  expect(await reader.status()).toMatchObject({ stored: 40 })
  const listed = await reader.query({ filters: {}, after: null, limit: 50 })
  expect(listed.records).toHaveLength(40)
  expect(await reader.find('no such decision')).toBeNull()
})

test('a fleet that grows finds what its first group has', async () => {
  await isolate(0, 1).store.append(recordNumbers(100, 120), [])
  const { decision_id: id } = recordNumber(111)
  expect(await isolate(20).store.find(id)).toMatchObject({ decision_id: id })
})

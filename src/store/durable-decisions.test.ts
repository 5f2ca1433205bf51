import { expect, test } from 'vitest'
import { decisionId, recordNumber } from '../../test/support/made-up-records.ts'
import type { DecisionRecord } from '../record/schema.ts'
import type { DecisionShard } from './decision-shard.ts'
import { DurableDecisions } from './durable-decisions.ts'

/** A log over objects that hold these records, each found by both of its ids; null for one that can't be reached. */
function logOver(shards: readonly (readonly DecisionRecord[] | null)[]): DurableDecisions {
  return new DurableDecisions({
    namespace(name) {
      const records = shards[Number(name.split('/').at(-1))] ?? null
      const find = async (id: string) => {
        if (records === null) throw new Error('overloaded')
        return records.find((record) => record.decision_id === id || record.request_id === id) ?? null
      }
      return { find } as Partial<DecisionShard> as DecisionShard
    },
    pool: 'p',
    settings: () => {
      throw new Error('nothing is sent')
    },
    place: () => ({ index: 0, count: shards.length }),
    readSegment: async () => null,
    onChange() {},
    now: () => 0,
    after: () => () => {},
  })
}

test('a decision is found although another object is out of reach', async () => {
  const log = logOver([null, [recordNumber(1)], []])
  expect(await log.find(decisionId(1))).toEqual(recordNumber(1))
})

test('what an object out of reach may have is not said to be nowhere', async () => {
  const log = logOver([null, [recordNumber(1)], []])
  await expect(log.find(decisionId(2))).rejects.toThrow('overloaded')
  // The other may have a newer record of the request.
  await expect(log.find('req-1')).rejects.toThrow('overloaded')
})

test('the decision of an id comes before requests of the same id, of these the newest', async () => {
  const sought = recordNumber(1)
  const [older, newer] = [2, 3].map((n) => recordNumber(n, { request_id: sought.decision_id }))
  if (older === undefined || newer === undefined) throw new Error('no records')
  expect(await logOver([[newer], [sought], [older]]).find(sought.decision_id)).toEqual(sought)
  expect(await logOver([[older], [], [newer]]).find(sought.decision_id)).toEqual(newer)
})

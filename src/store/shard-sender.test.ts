import { expect, test } from 'vitest'
import { openRecordNumber, recordNumber, viewOf } from '../../test/support/made-up-records.ts'
import type { DecisionShard } from './decision-shard.ts'
import { toBatchLine } from './record-batch.ts'
import type { SentLine } from './send-queue.ts'
import { ShardSender } from './shard-sender.ts'

const SETTINGS = { prefix: '', exportIntervalMs: 10_000, retentionMs: null, retentionBytes: null, exportSample: 1 }

const lineOf = (n: number): SentLine => ({ ...toBatchLine(recordNumber(n)), view: null })

/** An isolate that keeps to the fourth of eight objects; `down` of them take nothing, and `silent` never answer. */
function createSender() {
  const clock = { nowMs: 0 }
  const [down, silent] = [new Set<number>(), new Set<number>()]
  const calls: string[] = []
  const call = async (object: number, what: string) => {
    if (down.has(object)) throw new Error('overloaded')
    if (silent.has(object)) await new Promise(() => {})
    calls.push(`${object} ${what}`)
  }
  const numberOf = (id: string) => Number.parseInt(id.slice(8), 16)
  const shard = (object: number): Partial<DecisionShard> => ({
    append: (batches) => call(object, batches.flatMap(({ ids }) => ids.map(numberOf)).join()),
    noteOpen: (records) => call(object, `open ${records.map(({ decision_id: id }) => numberOf(id)).join()}`),
    putView: () => call(object, 'view'),
  })
  const sender = new ShardSender({
    shard: (object) => shard(object) as DecisionShard,
    place: () => ({ index: 3, count: 8 }),
    settings: () => SETTINGS,
    now: () => clock.nowMs,
  })
  const taken: SentLine[] = []
  const send = (lines: readonly SentLine[]) => sender.send(lines, (own) => void taken.push(...own))
  return { sender, send, clock, down, silent, calls, taken }
}

test('all records of an isolate go to one object, in one call', async () => {
  const { send, calls } = createSender()
  expect(await send([lineOf(1), lineOf(2)])).toEqual({ refused: new Set(), failure: null })
  await send([lineOf(3)])
  expect(calls).toEqual(['3 1,2', '3 3'])
})

test('an object that is down keeps what it may have, and the next gets what comes', async () => {
  const { send, down, calls, taken } = createSender()
  down.add(3)
  const [lines, third] = [[lineOf(1), lineOf(2)], lineOf(3)]
  expect(await send(lines)).toEqual({ refused: new Set(lines), failure: 'overloaded' })
  expect((await send([...lines, third])).refused).toEqual(new Set(lines))
  expect(taken).toEqual([third])
  down.clear()
  expect(await send([...lines, lineOf(4)])).toEqual({ refused: new Set(), failure: null })
  expect(calls.toSorted()).toEqual(['3 1,2', '4 3', '4 4'])
})

test('the object that was told of a request gets its record', async () => {
  const { sender, send, down, calls } = createSender()
  await sender.noteOpen([openRecordNumber(1)])
  down.add(3)
  await send([lineOf(2)])
  down.clear()
  await send([lineOf(1), lineOf(3)])
  expect(calls.toSorted()).toEqual(['3 1', '3 open 1', '4 3'])
})

test('a record waits for the document that it names', async () => {
  const { send, down, calls } = createSender()
  const named: SentLine = { ...lineOf(1), view: viewOf('gpu-a') }
  for (const object of [0, 1, 2, 4, 5, 6, 7]) down.add(object)
  const { refused } = await send([named, lineOf(2)])
  // Documents are spread over the objects by their hashes: if this one's were the fourth, nothing would be refused.
  expect(refused).toEqual(new Set([named]))
  down.clear()
  expect((await send([named])).failure).toBeNull()
  expect(calls[0]).toBe('3 2')
  expect(calls.slice(1).map((text) => text.slice(2))).toEqual(['view', '1'])
})

test('a document that an object has holds no record up, whether it can be told again or not', async () => {
  const { send, clock, down, silent, taken } = createSender()
  const named = [1, 2, 3].map((n): SentLine => ({ ...lineOf(n), view: viewOf('gpu-a') }))
  const [first, second, third] = named
  if (first === undefined || second === undefined || third === undefined) throw new Error('no lines')
  await send([first])
  clock.nowMs += 3_600_000
  for (const object of [0, 1, 2, 4, 5, 6, 7]) down.add(object)
  expect(await send([second])).toEqual({ refused: new Set(), failure: 'overloaded' })
  for (const object of down) silent.add(object)
  down.clear()
  void send([third])
  for (let at = 0; at < 10; at += 1) await Promise.resolve()
  expect(taken).toEqual(named)
})

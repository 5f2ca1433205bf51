import { beforeEach, describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { recordNumber, viewOf } from '../../test/support/made-up-records.ts'
import type { Config } from '../config/config.ts'
import { type Exchange, openExchange } from '../pipeline/exchange.ts'
import type { OpenRecord } from '../record/open-record.ts'
import type { DecisionRecord } from '../record/schema.ts'
import type { DecisionLogStore } from '../store/decision-log.ts'
import { DecisionRing } from '../store/decision-ring.ts'
import { DecisionLog } from './decision-log.ts'

let clock = createFakeClock()

beforeEach(() => {
  clock = createFakeClock()
})

/** Under way, past authentication. */
function exchangeOf(id: string): { readonly exchange: Exchange; readonly beside: Promise<unknown>[] } {
  const beside: Promise<unknown>[] = []
  const exchange = openExchange({
    requestId: `req-${id}`,
    receivedAtMs: clock.now(),
    config: { hash: '0f4a1c2be9d87365' } as Config, // all that a record takes of it
    context: { waitUntil: (task) => void beside.push(task), rawTarget: null },
  })
  return { exchange: Object.assign(exchange, { decisionId: id, route: '/v1/chat/completions' }), beside }
}

function closed(id: string, given: Partial<DecisionRecord> = {}): DecisionRecord {
  const timestamp = new Date(clock.now()).toISOString()
  return recordNumber(0, { decision_id: id, request_id: `req-${id}`, timestamp, ...given })
}

/** A store that keeps what it is given in memory, and notes what it was told. */
function createStore(append: DecisionLogStore['append'] | null = null) {
  const ring = new DecisionRing(100_000)
  const appended: DecisionRecord[] = []
  const opened: (readonly OpenRecord[])[] = []
  const store: DecisionLogStore = {
    append(records, views) {
      appended.push(...records)
      return append === null ? ring.append(records, views) : append(records, views)
    },
    query: (query) => ring.query(query),
    find: (id) => ring.find(id),
    findView: (hash) => ring.findView(hash),
    exportRange: (range) => ring.exportRange(range),
    status: () => ring.status(),
    noteOpen: async (records) => void opened.push(records),
    close: async () => {},
  }
  return { store, appended, opened }
}

const statesOf = async (log: DecisionLog) =>
  (await log.query({ filters: {}, after: null, limit: 100 })).records.map((record) => record.lifecycle_state)

describe('the decision log', () => {
  test('shows a request while it is under way as it stands, then as it ended', async () => {
    const log = new DecisionLog({ store: null, now: clock.now })
    const { exchange } = exchangeOf('a')
    log.recordOpened(exchange)
    expect(await log.find('a')).toMatchObject({ lifecycle_state: 'in_progress', method: 'rejected' })
    Object.assign(exchange, { model: 'm', method: 'policy' })
    expect(await log.find('req-a')).toMatchObject({ lifecycle_state: 'in_progress', model: 'm', method: 'policy' })
    log.recordClosed(closed('a'), null)
    expect(await log.find('a')).toMatchObject({ lifecycle_state: 'completed', status: 200 })
    expect(await statesOf(log)).toEqual(['completed'])
  })

  test('lists what is under way among what has ended, each once, whether or not the store has it', async () => {
    const { store } = createStore()
    const log = new DecisionLog({ store, now: clock.now })
    for (const id of ['a', 'b', 'c']) {
      log.recordOpened(exchangeOf(id).exchange)
      clock.advance(1_000)
    }
    log.recordClosed(closed('b'), null)
    const first = await log.query({ filters: {}, after: null, limit: 2 })
    expect(first.records.map((record) => record.decision_id)).toEqual(['b', 'c'])
    const rest = await log.query({ filters: {}, after: first.end, limit: 2 })
    expect(rest.records.map((record) => record.decision_id)).toEqual(['a'])
  })

  test('hands every closed record to the store once, on the time of its own request', async () => {
    const { store, appended } = createStore()
    const log = new DecisionLog({ store, now: clock.now })
    const one = exchangeOf('a')
    const other = exchangeOf('b')
    log.recordOpened(one.exchange)
    log.recordOpened(other.exchange)
    expect(appended).toEqual([])
    const view = viewOf('gpu-a')
    log.recordClosed(closed('b', { view_hash: view.view_hash }), view)
    expect(appended.map((record) => record.decision_id)).toEqual(['b'])
    expect([one.beside.length, other.beside.length]).toEqual([0, 1])
    await Promise.all(other.beside)
    expect(await store.findView(view.view_hash)).toEqual(view)
  })

  test('passes on nothing that a store fails with', async () => {
    const { store } = createStore(() => Promise.reject(new Error('no room')))
    const log = new DecisionLog({ store, now: clock.now })
    const { exchange, beside } = exchangeOf('a')
    log.recordOpened(exchange)
    log.recordClosed(closed('a'), null)
    await Promise.all(beside)
    expect(await log.find('a')).toMatchObject({ status: 200 })
  })

  test('tells of requests that last, all at once and now and then', async () => {
    const { store, opened } = createStore()
    const log = new DecisionLog({ store, now: clock.now })
    const exchanges = ['a', 'b', 'c'].map((id) => exchangeOf(id).exchange)
    for (const exchange of exchanges) log.recordOpened(exchange)
    const tick = (count = exchanges.length) => {
      for (const exchange of exchanges.slice(0, count)) for (const held of exchange.held) held.renew()
    }
    clock.advance(4_000)
    tick()
    expect(opened).toEqual([])
    for (let seconds = 0; seconds < 60; seconds += 5) {
      clock.advance(5_000)
      tick()
    }
    expect(opened.map((records) => records.length)).toEqual([3, 3, 3])
    expect(opened[0]?.[0]).toMatchObject({ decision_id: 'a', lifecycle_state: 'in_progress' })
    for (const id of ['a', 'b', 'c']) log.recordClosed(closed(id), null)
    clock.advance(60_000)
    tick()
    expect(opened).toHaveLength(3)
  })

  test('gives up a request that shows no sign of life, and does not count it twice', async () => {
    const { store, appended } = createStore()
    const log = new DecisionLog({ store, now: clock.now })
    const [gone, alive] = [exchangeOf('gone').exchange, exchangeOf('alive').exchange]
    log.recordOpened(gone)
    log.recordOpened(alive)
    for (let minutes = 0; minutes < 12; minutes += 1) {
      clock.advance(60_000)
      for (const held of alive.held) held.renew()
    }
    const { exchange, beside } = exchangeOf('next')
    log.recordOpened(exchange)
    expect(appended).toMatchObject([
      { decision_id: 'gone', lifecycle_state: 'unknown', status: 0, duration_ms: 720_000 },
    ])
    expect(beside).toHaveLength(1)
    expect((await statesOf(log)).toSorted()).toEqual(['in_progress', 'in_progress', 'unknown'])
    // It ends after all: whoever looks in memory sees how, and the export has it as it is.
    log.recordClosed(closed('gone'), null)
    expect(appended).toHaveLength(1)
    expect(log.recent(1)).toMatchObject([{ decision_id: 'gone', lifecycle_state: 'completed' }])
  })

  test('closes what is cut off at the end', async () => {
    const { store, appended } = createStore()
    const log = new DecisionLog({ store, now: clock.now })
    for (const id of ['a', 'b']) log.recordOpened(exchangeOf(id).exchange)
    log.recordClosed(closed('a'), null)
    clock.advance(1_000)
    await log.close()
    expect(appended.map((record) => [record.decision_id, record.lifecycle_state])).toEqual([
      ['a', 'completed'],
      ['b', 'unknown'],
    ])
  })

  test('forgets what it has told: memory stays as it is', async () => {
    const { store } = createStore(() => null)
    const log = new DecisionLog({ store, now: clock.now })
    for (let n = 0; n < 20_000; n += 1) {
      log.recordOpened(exchangeOf(String(n)).exchange)
      log.recordClosed(closed(String(n)), null)
      clock.advance(1)
    }
    expect(log.recent(5_000)).toHaveLength(1_000)
    expect(await statesOf(log)).toHaveLength(100)
  })
})

import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { replayNumber } from '../../test/support/made-up-replays.ts'
import type { ReplayRecord } from '../capture/replay-record.ts'
import type { RouterReplayConfig } from '../config/config.ts'
import type { DecisionLogChange } from './log-health.ts'
import { ReplayDesk } from './replay-desk.ts'
import { MemoryReplayStore } from './replay-memory.ts'

const SETTINGS: RouterReplayConfig = {
  isEnabled: true,
  maxRecords: 1_000,
  capturesRequestBody: false,
  capturesResponseBody: false,
  maxBodyBytes: 4_096,
  ttlMs: null,
  isAsync: false,
  store: { backend: 'memory', redis: null, postgres: null, r2: { prefix: '' } },
}
const ALL = { filters: {}, after: null, offset: 0, limit: 1_000 }

/** A store whose writes end when, and as, a test says. */
class SlowStore extends MemoryReplayStore {
  readonly puts: (readonly ReplayRecord[])[] = []
  readonly ends: { resolve(): void; reject(error: Error): void }[] = []
  closed = 0
  mode: 'waits' | 'takes' = 'takes'

  override async put(...[namespace, records, keeping]: Parameters<MemoryReplayStore['put']>): Promise<void> {
    this.puts.push(records)
    if (this.mode === 'waits') await new Promise<void>((resolve, reject) => this.ends.push({ resolve, reject }))
    return super.put(namespace, records, keeping)
  }

  override async close(): Promise<void> {
    this.closed += 1
  }
}

function openDesk() {
  const clock = createFakeClock()
  /** Set, timers are those of a request that is gone. */
  const gone = { isGone: false }
  const stores: SlowStore[] = []
  const changes: DecisionLogChange[] = []
  const tasks: Promise<unknown>[] = []
  const desk = new ReplayDesk({
    open() {
      const store = new SlowStore({ now: clock.now })
      stores.push(store)
      return store
    },
    now: clock.now,
    after: (delayMs, task) => (gone.isGone ? () => {} : clock.after(delayMs, task)),
    onChange: (change) => void changes.push(change),
  })
  desk.use(SETTINGS)
  const keep = (n: number, settings: RouterReplayConfig = SETTINGS) =>
    desk.keep(replayNumber(n), settings, (task) => void tasks.push(task))
  const store = () => {
    const last = stores.at(-1)
    if (last === undefined) throw new Error('no store was opened')
    return last
  }
  return { clock, gone, desk, keep, store, stores, changes, tasks }
}

/** Lets everything that waits for nothing but promises go on. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0))

test('writes each record at once, on the time of its request', async () => {
  const { desk, keep, store, tasks } = openDesk()
  keep(1)
  keep(2)
  await Promise.all(tasks)
  expect(store().puts.map((records) => records.length)).toEqual([1, 1])
  expect(tasks).toHaveLength(2)
  expect(desk.status()).toEqual({ backend: 'memory', stored: 2, waiting: 0, lost: 0, failing: null })
  expect((await desk.list(ALL))?.total).toBe(2)
})

test('gathers records for a moment where it is told to, and one request writes for all', async () => {
  const { clock, keep, store, tasks, desk } = openDesk()
  const settings = { ...SETTINGS, isAsync: true }
  for (let n = 0; n < 5; n += 1) keep(n, settings)
  expect(tasks).toHaveLength(1)
  expect(store().puts).toEqual([])
  expect(desk.status()).toMatchObject({ stored: 0, waiting: 5 })
  clock.advance(200)
  await Promise.all(tasks)
  expect(store().puts.map((records) => records.length)).toEqual([5])
  for (let n = 10; n < 110; n += 1) keep(n, settings)
  await settle()
  expect(store().puts[1]).toHaveLength(100)
})

test('a request that was to write for all and is gone is replaced', async () => {
  const { clock, gone, keep, store, tasks } = openDesk()
  const settings = { ...SETTINGS, isAsync: true }
  gone.isGone = true
  keep(1, settings)
  gone.isGone = false
  clock.advance(5_001)
  keep(2, settings)
  expect(tasks).toHaveLength(2)
  clock.advance(200)
  await tasks[1]
  expect(store().puts.map((records) => records.length)).toEqual([2])
})

describe('a store that does not take records', () => {
  test('and says so costs them, and is told of once', async () => {
    const { keep, store, tasks, changes, desk } = openDesk()
    store().mode = 'waits'
    keep(1)
    keep(2)
    await settle()
    for (const { reject } of store().ends) reject(new Error('it is down'))
    await Promise.all(tasks)
    expect(desk.status()).toMatchObject({ stored: 0, waiting: 0, lost: 2, failing: 'it is down' })
    expect(changes.map(({ state }) => state)).toEqual(['failing', 'losing'])
    store().mode = 'takes'
    keep(3)
    await Promise.all(tasks)
    expect(desk.status()).toMatchObject({ stored: 1, lost: 2, failing: null })
    expect(changes.at(-1)).toMatchObject({ state: 'recovered', lost: 2 })
  })

  test('and says nothing costs them after five seconds', async () => {
    const { clock, keep, store, tasks, desk } = openDesk()
    store().mode = 'waits'
    keep(1)
    await settle()
    clock.advance(5_000)
    await Promise.all(tasks)
    expect(desk.status()).toMatchObject({ waiting: 0, lost: 1, failing: expect.stringContaining('5 seconds') })
  })

  test('holds up no more than so many', async () => {
    const { keep, store, desk, tasks } = openDesk()
    store().mode = 'waits'
    for (let n = 0; n < 2_500; n += 1) keep(n)
    expect(desk.status()).toMatchObject({ waiting: 2_000, lost: 500 })
    await settle()
    for (const { resolve } of store().ends) resolve()
    await Promise.all(tasks)
    expect(desk.status()).toMatchObject({ waiting: 0, stored: 2_000 })
  })

  test('fails whoever reads', async () => {
    const { store, desk } = openDesk()
    store().list = () => Promise.reject(new Error('it is down'))
    await expect(desk.list(ALL)).rejects.toThrow('it is down')
  })
})

test('another store takes the place of the first when the configuration says so', async () => {
  const { clock, desk, keep, stores } = openDesk()
  desk.use({ ...SETTINGS, maxRecords: 5 })
  expect(stores).toHaveLength(1)
  desk.use({ ...SETTINGS, store: { ...SETTINGS.store, r2: { prefix: 'other/' } } })
  expect(stores).toHaveLength(2)
  keep(1)
  await settle()
  expect(stores[1]?.puts).toHaveLength(1)
  clock.advance(10_000)
  expect(stores.map(({ closed }) => closed)).toEqual([1, 0])
  desk.use({ ...SETTINGS, isEnabled: false })
  expect(desk.isOpen).toBe(false)
  expect(desk.status()).toBeNull()
  expect(await desk.list(ALL)).toBeNull()
  keep(2)
})

test('closing writes what has gathered', async () => {
  const { clock, keep, store, desk } = openDesk()
  for (let n = 0; n < 3; n += 1) keep(n, { ...SETTINGS, isAsync: true })
  const open = store()
  const closing = desk.close()
  clock.advance(200)
  await closing
  expect(open.puts.map((records) => records.length)).toEqual([3])
  expect(open.closed).toBe(1)
})

import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DecisionLogConfig } from '../config/config.ts'
import { decisionLogStoreConformance } from '../../test/conformance/decision-log-store.ts'
import { decisionLogConfig } from '../../test/support/decision-log-config.ts'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createFaultyDisk } from '../../test/support/faulty-log-files.ts'
import { BEGIN_MS, decisionId, recordNumber, recordNumbers, viewOf } from '../../test/support/made-up-records.ts'
import { DecisionFile, MAX_WAITING_BYTES } from './decision-file.ts'
import { isSampled } from './export-sample.ts'
import type { DecisionLogChange } from './log-health.ts'

const DAY_MS = 86_400_000

let root = ''
let directory = ''
let logs = 0
let clock = createFakeClock()
let disk = createFaultyDisk()
let changes: DecisionLogChange[] = []
const open: DecisionFile[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'decisions-'))
})

beforeEach(() => {
  logs += 1
  directory = join(root, String(logs))
  clock = createFakeClock(BEGIN_MS)
  disk = createFaultyDisk()
  changes = []
})

afterEach(async () => {
  disk.hangs = false
  await Promise.all(open.splice(0).map((log) => log.close()))
})

afterAll(() => rm(root, { recursive: true }))

const path = () => join(directory, 'decisions.jsonl')

async function openLog(given: Partial<DecisionLogConfig> = {}): Promise<DecisionFile> {
  const log = new DecisionFile({
    files: disk.files,
    path: path(),
    config: decisionLogConfig({ fsync: 'never', ...given }),
    now: clock.now,
    after: clock.after,
    onChange: (change) => void changes.push(change),
  })
  open.push(log)
  await log.open()
  return log
}

/** Lines of the file that is written to. */
async function activeLines(): Promise<readonly string[]> {
  const text = await readFile(path(), 'utf8')
  expect(text === '' || text.endsWith('\n')).toBe(true)
  return text === '' ? [] : text.slice(0, -1).split('\n')
}

async function allLines(): Promise<readonly string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== ''))
}

const idOf = (line: string) => (JSON.parse(line) as { decision_id: string }).decision_id
const ids = (from: number, to: number) => recordNumbers(from, to).map((record) => record.decision_id)

const rotatedNames = async () => (await readdir(directory)).filter((name) => /-\d+\.jsonl$/.test(name)).sort()

for (const rotateBytes of [64 * 1024 * 1024, 8 * 1024]) {
  decisionLogStoreConformance(`files of ${rotateBytes} bytes`, async () => {
    const store = await openLog({ rotateBytes })
    // The suite waits for what it appends; here the interval is over at once.
    const append = store.append.bind(store)
    store.append = async (records, views) => {
      const written = append(records, views)
      await store.flush()
      return written
    }
    return { store, settle: () => store.flush(), exportedLines: allLines }
  })
}

describe('when lines are written', () => {
  test('after the interval, together', async () => {
    const log = await openLog({ exportIntervalMs: 10_000 })
    const written = recordNumbers(0, 5).map((record) => log.append([record], []))
    clock.advance(9_999)
    expect(await activeLines()).toEqual([])
    expect(await log.status()).toMatchObject({ stored: 5, exported: 0, waiting: 5, lagMs: 9_999, failing: null })
    clock.advance(1)
    await Promise.all(written)
    expect((await activeLines()).map(idOf)).toEqual(ids(0, 5))
    expect(disk.calls.get('append')).toBe(1)
    expect(await log.status()).toMatchObject({ stored: 5, exported: 5, waiting: 0, lagMs: 0 })
  })

  test('at once under `fsync: always`, and those that come meanwhile together', async () => {
    const log = await openLog({ fsync: 'always' })
    await Promise.all(recordNumbers(0, 100).map((record) => log.append([record], [])))
    expect((await activeLines()).map(idOf)).toEqual(ids(0, 100))
    const { calls } = disk
    expect(calls.get('sync')).toBe(calls.get('append'))
    expect(calls.get('append')).toBeLessThanOrEqual(3)
  })

  test.each([
    ['never', 0],
    ['interval', 1],
  ] as const)('under `fsync: %s` the disk is waited for %i times', async (fsync, syncs) => {
    const log = await openLog({ fsync })
    const written = log.append(recordNumbers(0, 3), [])
    clock.advance(10_000)
    await written
    expect(disk.calls.get('sync') ?? 0).toBe(syncs)
  })

  test('before the interval when much waits', async () => {
    const log = await openLog()
    await log.append(recordNumbers(0, 1_000), [])
    expect(await activeLines()).toHaveLength(1_000)
  })

  test('at the end of the process', async () => {
    const log = await openLog()
    const written = log.append(recordNumbers(0, 3), [])
    await log.close()
    await written
    expect((await activeLines()).map(idOf)).toEqual(ids(0, 3))
    expect(clock.pending()).toBe(0)
  })
})

describe('a disk that fails', () => {
  test.each(['ENOSPC', 'EACCES', 'EIO'])(
    'with %s is tried again, and nothing is lost or written twice',
    async (fault) => {
      const log = await openLog({ fsync: 'interval' })
      await settled(log, log.append(recordNumbers(0, 10), []))
      disk.writeFault = fault
      // In the middle of the fourth line.
      disk.bytesBeforeFault = 2_000
      const waiting = recordNumbers(10, 20).map((record) => log.append([record], []))
      clock.advance(10_000)
      await vi.waitFor(async () => expect((await log.status()).failing).toContain(`decisions.jsonl (${fault})`))
      for (let tries = 0; tries < 5; tries += 1) {
        clock.advance(30_000)
        await turn()
      }
      expect(await log.status()).toMatchObject({ waiting: 10, lost: 0 })
      expect(changes.map(({ state }) => state)).toEqual(['failing'])
      disk.writeFault = null
      await inTime(Promise.all(waiting))
      expect((await activeLines()).map(idOf)).toEqual(ids(0, 20))
      expect(changes.map(({ state }) => state)).toEqual(['failing', 'recovered'])
      expect(await log.status()).toMatchObject({ exported: 20, waiting: 0, lost: 0, failing: null })
    },
  )

  test('to sync leaves no line twice', async () => {
    const log = await openLog({ fsync: 'always' })
    disk.syncFault = 'EIO'
    const written = log.append(recordNumbers(0, 10), [])
    await vi.waitFor(async () => expect((await log.status()).failing).not.toBeNull())
    disk.syncFault = null
    await inTime(written)
    expect((await activeLines()).map(idOf)).toEqual(ids(0, 10))
  })

  test('is asked less and less often', async () => {
    const log = await openLog()
    disk.openFault = 'ENOTDIR'
    await rm(directory, { recursive: true })
    const tries = vi.spyOn(disk.files, 'openAppend')
    log.append([recordNumber(0)], []).catch(() => {})
    clock.advance(10_000)
    await turn()
    for (let second = 0; second < 600; second += 1) {
      clock.advance(1_000)
      await turn()
    }
    expect(tries.mock.calls.length).toBeGreaterThan(15)
    expect(tries.mock.calls.length).toBeLessThan(35)
  })

  test('costs records only once a budget of bytes is used up; those are counted, and told of once', async () => {
    const log = await openLog()
    disk.writeFault = 'ENOSPC'
    const big = 'x'.repeat(1024 * 1024)
    const taken: Promise<void>[] = []
    for (let n = 0; n < 80; n += 1) taken.push(log.append([recordNumber(n, { request_text: big })], []))
    const outcomes = Promise.allSettled(taken)
    await vi.waitFor(async () => expect((await log.status()).failing).not.toBeNull())
    const { waiting, lost, stored } = await log.status()
    expect(waiting + lost).toBe(80)
    expect(stored).toBe(waiting)
    expect(lost).toBeGreaterThanOrEqual(80 - MAX_WAITING_BYTES / big.length)
    disk.writeFault = null
    const kept = (await inTime(outcomes)).filter(({ status }) => status === 'fulfilled')
    expect(kept).toHaveLength(waiting)
    expect((await activeLines()).map(idOf)).toEqual(ids(0, waiting))
    expect(changes.map(({ state }) => state)).toEqual(['losing', 'failing', 'recovered'])
  })

  test('at the start does not keep the router from starting', async () => {
    disk.openFault = 'EACCES'
    const log = await openLog()
    expect(changes).toMatchObject([{ state: 'failing', reason: expect.stringContaining('EACCES') }])
    disk.openFault = null
    await settled(log, log.append([recordNumber(0)], []))
    expect((await activeLines()).map(idOf)).toEqual(ids(0, 1))
    expect(changes.at(-1)).toMatchObject({ state: 'recovered' })
  })

  test('to answer at the start does not keep the router from starting, and loses nothing once it does', async () => {
    const answers = createGate()
    const { openAppend } = disk.files
    Object.assign(disk.files, {
      async openAppend(name: string) {
        await answers.passed
        return openAppend(name)
      },
    } satisfies Partial<typeof disk.files>)
    const log = await inTime(openLog())
    expect(changes).toMatchObject([{ state: 'failing', reason: 'the disk is too slow' }])
    const written = log.append(recordNumbers(0, 3), [])
    clock.advance(60_000)
    expect(await log.status()).toMatchObject({ waiting: 3, lost: 0, failing: 'the disk is too slow' })
    answers.open()
    await inTime(written)
    expect((await activeLines()).map(idOf)).toEqual(ids(0, 3))
    expect(changes.at(-1)).toMatchObject({ state: 'recovered' })
  })

  test('to rename goes on with the file it has', async () => {
    const log = await openLog({ rotateBytes: 4_000 })
    disk.renameFault = 'EPERM'
    for (let n = 0; n < 10; n += 1) await settled(log, log.append([recordNumber(n)], []))
    expect((await activeLines()).map(idOf)).toEqual(ids(0, 10))
    expect(changes.map(({ state }) => state)).toEqual(['failing'])
    disk.renameFault = null
    clock.advance(3_600_000)
    await settled(log, log.append([recordNumber(10)], []))
    expect((await allLines()).map(idOf).sort()).toEqual([...ids(0, 11)].sort())
    expect(await rotatedNames()).toHaveLength(1)
  })

  test('to answer at all does not hold up the end of the process', async () => {
    const log = await openLog()
    disk.hangs = true
    const written = log.append(recordNumbers(0, 3), [])
    const closed = log.close()
    clock.advance(5_000)
    await closed
    await expect(written).rejects.toThrow('the process ended')
    expect(changes).toMatchObject([{ state: 'losing', lost: 3 }])
  })
})

describe('a file that others touch', () => {
  test('that was moved away is begun anew', async () => {
    const log = await openLog()
    await settled(log, log.append(recordNumbers(0, 3), []))
    await rename(path(), join(directory, 'moved'))
    await settled(log, log.append(recordNumbers(3, 6), []))
    expect((await activeLines()).map(idOf)).toEqual(ids(3, 6))
    expect(await log.find(decisionId(4))).toEqual(recordNumber(4))
    expect(await log.find(decisionId(1))).toBeNull()
  })

  test('whose directory was deleted is begun anew, with its views', async () => {
    const log = await openLog()
    const view = viewOf('gpu-a')
    await settled(log, log.append([recordNumber(0, { view_hash: view.view_hash })], [view]))
    await rm(directory, { recursive: true })
    await settled(log, log.append([recordNumber(1, { view_hash: view.view_hash })], [view]))
    expect((await activeLines()).map(idOf)).toEqual(ids(1, 2))
    expect(await log.findView(view.view_hash)).toEqual(view)
  })

  test('is the same one for two processes at a time', async () => {
    const [one, other] = [await openLog({ rotateBytes: 30_000 }), await openLog({ rotateBytes: 30_000 })]
    for (let n = 0; n < 200; n += 2) {
      await settled(one, one.append([recordNumber(n)], []))
      await settled(other, other.append([recordNumber(n + 1)], []))
    }
    expect((await allLines()).map(idOf).sort()).toEqual([...ids(0, 200)].sort())
    const { records } = await other.query({ filters: {}, after: null, limit: 1_000 })
    expect(records.map((record) => record.decision_id)).toEqual(ids(0, 200).toReversed())
  })

  test('and that both put aside at the same moment gets two names', async () => {
    const one = await openLog({ rotateBytes: 4_000 })
    disk = createFaultyDisk()
    const other = await openLog({ rotateBytes: 4_000 })
    const full = recordNumber(0, { request_text: 'x'.repeat(3_800) })
    await settled(one, one.append([full], []))
    const rename = createGate()
    disk.renameGate = rename.passed
    const late = other.append([recordNumber(1)], [])
    void other.flush()
    for (let at = 0; at < 10; at += 1) await turn()
    await settled(one, one.append([recordNumber(2)], []))
    rename.open()
    await late
    expect((await allLines()).map(idOf).sort()).toEqual([...ids(0, 3)].sort())
    for (const n of [0, 1, 2]) expect(await other.find(decisionId(n))).toMatchObject({ decision_id: decisionId(n) })
  })

  test('and that another process is in the middle of writing to loses nothing by it', async () => {
    const [before, line] = [0, 1].map((n) => `${JSON.stringify(recordNumber(n))}\n`)
    if (before === undefined || line === undefined) throw new Error('no lines')
    await mkdir(directory)
    await writeFile(path(), before + line.slice(0, 300))
    // What is seen of its line is half; the rest follows at once.
    const read = disk.files.read
    let isWritten = false
    Object.assign(disk.files, {
      async read(name: string, from: number, length: number) {
        const content = await read(name, from, length)
        if (!isWritten && name === path()) await appendFile(path(), line.slice(300))
        isWritten = true
        return content
      },
    } satisfies Partial<typeof disk.files>)
    const log = await openLog()
    await settled(log, log.append([recordNumber(2)], []))
    expect(isWritten).toBe(true)
    expect((await allLines()).map(idOf)).toEqual(ids(0, 3))
    expect(await log.find(decisionId(1))).toEqual(recordNumber(1))
  })
})

describe('a file from before', () => {
  test.each([
    ['ends within a line', (line: string) => line.slice(0, 300), 3],
    ['ends without a line feed', (line: string) => line, 4],
    ['ends in a line that is not ours', () => 'remember the milk', 3],
    ['ends as it should', (line: string) => `${line}\n`, 4],
    ['is empty', null, 0],
  ])('that %s keeps its whole lines', async (_, toTail, kept) => {
    await mkdir(directory, { recursive: true })
    const lines = recordNumbers(0, 4).map((record) => JSON.stringify(record))
    const text = toTail === null ? '' : `${lines.slice(0, 3).join('\n')}\n${toTail(lines[3] ?? '')}`
    await writeFile(path(), text)
    const log = await openLog()
    await settled(log, log.append([recordNumber(10)], []))
    const expected = [...ids(0, kept), decisionId(10)]
    expect((await activeLines()).filter((line) => line.startsWith('{')).map(idOf)).toEqual(expected)
    const { records } = await log.query({ filters: {}, after: null, limit: 100 })
    expect(records.map((record) => record.decision_id)).toEqual(expected.toReversed())
    if (text.includes('milk')) expect(await readFile(path(), 'utf8')).toContain('remember the milk\n')
  })

  test('may be of the Rust router', async () => {
    await mkdir(directory, { recursive: true })
    const old = {
      timestamp: '2025-01-01T00:00:00.000Z',
      route: '/generate',
      worker: 'http://a:1',
      status: 200,
      duration_ms: 7,
    }
    await writeFile(path(), `${JSON.stringify(old)}\n`)
    const log = await openLog()
    const { records } = await log.query({ filters: { worker: 'http://a:1' }, after: null, limit: 10 })
    expect(records).toEqual([{ ...old, schema_version: 1 }])
  })
})

describe('files that are put aside', () => {
  test('are named by time and number, and are found again', async () => {
    const log = await openLog({ rotateBytes: 4_000 })
    for (let n = 0; n < 30; n += 1) await settled(log, log.append([recordNumber(n)], []))
    const names = await rotatedNames()
    expect(names.length).toBeGreaterThan(3)
    expect(names[0]).toBe('decisions.20260801T093000Z-000001.jsonl')
    for (const name of names) expect((await stat(join(directory, name))).size).toBeLessThanOrEqual(4_000)
    const again = await openLog({ rotateBytes: 4_000 })
    for (const n of [0, 13, 29]) expect(await again.find(`req-${n}`)).toEqual(recordNumber(n))
    await settled(again, again.append(recordNumbers(30, 60), []))
    const sequences = (await rotatedNames()).map((name) => Number(/-(\d+)\.jsonl$/.exec(name)?.[1]))
    expect(sequences).toEqual(sequences.map((_, at) => at + 1))
  })

  test('hold what `rotate_bytes` says, to the byte', async () => {
    const records = recordNumbers(10, 15)
    const bytes = records.map((record) => JSON.stringify(record).length + 1)
    const two = (bytes[0] ?? 0) + (bytes[1] ?? 0)
    const log = await openLog({ rotateBytes: two })
    for (const record of records.slice(0, 2)) await settled(log, log.append([record], []))
    expect(await rotatedNames()).toEqual([])
    await settled(log, log.append(records.slice(2, 3), []))
    const [name = ''] = await rotatedNames()
    expect((await stat(join(directory, name))).size).toBe(two)
    // What comes at once is parted where a file is full, and a line is never cut.
    const rest = records.slice(3).map((record) => log.append([record], []))
    await log.flush()
    await Promise.all(rest)
    expect((await allLines()).map(idOf).sort()).toEqual(records.map((record) => record.decision_id).sort())
    for (const rotated of await rotatedNames()) {
      expect((await stat(join(directory, rotated))).size).toBeLessThanOrEqual(two)
    }
  })

  test.each(['missing', 'cut', 'of another file'])('are found again when their index is %s', async (fault) => {
    const log = await openLog({ rotateBytes: 4_000 })
    for (let n = 0; n < 30; n += 1) await settled(log, log.append([recordNumber(n)], []))
    const names = (await readdir(directory)).filter((name) => name.endsWith('.idx'))
    expect(names.length).toBeGreaterThan(3)
    for (const name of names) {
      if (fault === 'missing') await rm(join(directory, name))
      else if (fault === 'cut')
        await writeFile(join(directory, name), (await readFile(join(directory, name))).subarray(0, 60))
      else await appendFile(join(directory, name.replace('.idx', '.jsonl')), `${JSON.stringify(recordNumber(100))}\n`)
    }
    const again = await openLog()
    for (const n of [0, 13, 29]) expect(await again.find(decisionId(n))).toEqual(recordNumber(n))
    // Made anew, so that the next one has it.
    const open = vi.spyOn(disk.files, 'replace')
    expect(await (await openLog()).find(decisionId(0))).toEqual(recordNumber(0))
    expect(open).not.toHaveBeenCalled()
  })

  test('are read by their index: a record costs a small part of one file', async () => {
    const log = await openLog({ rotateBytes: 100_000 })
    for (let n = 0; n < 2_000; n += 50) await settled(log, log.append(recordNumbers(n, n + 50), []))
    const again = await openLog()
    const read: number[] = []
    const { openRead, read: readPart } = disk.files
    disk.files.openRead = async (name) => {
      const file = await openRead(name)
      if (file === null) return null
      return { ...file, read: async (from, length) => (read.push(length), file.read(from, length)) }
    }
    disk.files.read = async (name, from, length) => (
      name.endsWith('.jsonl') && read.push(length),
      readPart(name, from, length)
    )
    expect(await again.find(decisionId(321))).toEqual(recordNumber(321))
    expect(await again.find('req-1000')).toEqual(recordNumber(1_000))
    const bytes = read.reduce((sum, length) => sum + length, 0)
    // The file that is written to is from an earlier process: it is read once, to make its index.
    expect(bytes).toBeLessThan(100_000 + 4_000)
  })

  test('are deleted when they are too old, and so are the views that only they name', async () => {
    const log = await openLog({ rotateBytes: 2_000, retentionMs: 7 * DAY_MS })
    const [old, kept] = [viewOf('gpu-old'), viewOf('gpu-kept')]
    for (let day = 0; day < 20; day += 1) {
      const view = day < 5 ? old : kept
      const records = recordNumbers(day * 10, day * 10 + 10).map((record) => ({
        ...record,
        timestamp: new Date(clock.now()).toISOString(),
        view_hash: view.view_hash,
      }))
      for (const record of records) await settled(log, log.append([record], [view]))
      // Files carry the time of the real clock.
      const file = join(`${path()}.views`, `${view.view_hash}.json`)
      await utimes(file, clock.now() / 1000, clock.now() / 1000)
      clock.advance(DAY_MS)
      await turn()
    }
    await settled(log, log.append([recordNumber(900, { timestamp: new Date(clock.now()).toISOString() })], []))
    const oldest = Math.min(
      ...(await allLines()).map((line) => Date.parse((JSON.parse(line) as { timestamp: string }).timestamp)),
    )
    const days = (clock.now() - oldest) / DAY_MS
    expect(days).toBeGreaterThan(6)
    expect(days).toBeLessThan(9)
    expect((await readdir(`${path()}.views`)).sort()).toEqual([`${kept.view_hash}.json`])
    expect((await readdir(directory)).filter((name) => name.endsWith('.idx'))).toHaveLength(
      (await rotatedNames()).length,
    )
  })

  test('are deleted although nothing is written any more', async () => {
    const log = await openLog({ retentionMs: DAY_MS })
    await settled(log, log.append(recordNumbers(0, 10), []))
    for (let hour = 0; hour < 60; hour += 1) {
      clock.advance(3_600_000)
      await turn()
    }
    await vi.waitFor(async () => expect(await allLines()).toEqual([]))
  })

  test('are looked for between two writes, and never during one', async () => {
    const log = await openLog({ fsync: 'interval', retentionMs: 1_800_000 })
    await settled(log, log.append([recordNumber(0)], []))
    clock.advance(3_599_000)
    const [write, sync, rename] = [createGate(), createGate(), createGate()]
    disk.writeGate = write.passed
    disk.renameGate = rename.passed
    const one = log.append([recordNumber(1)], [])
    void log.flush()
    await turn()
    // The hour of tidying strikes while it is written.
    clock.advance(1_000)
    write.open()
    await one
    // More comes while the file is put aside, and its sync would take longer than that.
    disk.syncGate = sync.passed
    const other = log.append([recordNumber(2)], [])
    void log.flush()
    for (let at = 0; at < 10; at += 1) await turn()
    rename.open()
    for (let at = 0; at < 10; at += 1) await turn()
    sync.open()
    await other
    expect(await rotatedNames()).toHaveLength(1)
    expect(changes).toEqual([])
    expect((await allLines()).map(idOf).sort()).toEqual([...ids(0, 3)].sort())
  })

  test('are deleted when all of them are too large', async () => {
    const log = await openLog({ rotateBytes: 4_000, retentionBytes: 12_000 })
    for (let n = 0; n < 100; n += 1) await settled(log, log.append([recordNumber(n)], []))
    const sizes = await Promise.all(
      (await rotatedNames()).map(async (name) => (await stat(join(directory, name))).size),
    )
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(12_000)
    expect((await allLines()).map(idOf)).toContain(decisionId(99))
    expect(await log.find(decisionId(3))).toBeNull()
  })
})

describe('a thinned export', () => {
  test('keeps the same share of decisions everywhere', async () => {
    const log = await openLog({ exportSample: 0.25 })
    await settled(log, log.append(recordNumbers(0, 4_000), []))
    const kept = (await activeLines()).map(idOf)
    expect(kept).toEqual(ids(0, 4_000).filter((id) => isSampled(id, 0.25)))
    expect(kept.length).toBeGreaterThan(850)
    expect(kept.length).toBeLessThan(1_150)
    expect(await log.status()).toMatchObject({ stored: 4_000, exported: kept.length, waiting: 0, lost: 0 })
  })
})

async function settled(log: DecisionFile, written: Promise<void>): Promise<void> {
  await log.flush()
  await written
}

function createGate() {
  let open = () => {}
  const passed = new Promise<void>((resolve) => (open = resolve))
  return { passed, open }
}

/** Moves the clock until something has happened. */
async function inTime<Value>(task: Promise<Value>): Promise<Value> {
  let isDone = false
  void task.finally(() => (isDone = true))
  while (!isDone) {
    clock.advance(1_000)
    await turn()
  }
  return task
}

/** Lets file operations that are under way end. */
async function turn(): Promise<void> {
  for (let at = 0; at < 4; at += 1) await stat(root)
}

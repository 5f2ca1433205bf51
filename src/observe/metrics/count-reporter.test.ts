// Counts of an isolate on their way: seen to by one request at a time, told once, and never lost to a call that failed.

import { describe, expect, test } from 'vitest'
import { VirtualTime } from '../../../test/support/virtual-time.ts'
import { CountBook, type CountReport, CountTable } from '../../store/fleet-counts.ts'
import { CountReporter } from './count-reporter.ts'

function openReporter(options: { fails?: (call: number) => boolean; isPushed?: boolean } = {}) {
  const time = new VirtualTime()
  const table = new CountTable()
  const book = new CountBook()
  const reports: CountReport[] = []
  const tasks: Promise<unknown>[] = []
  let life = 0
  const after = (delayMs: number, task: () => void) => {
    const own = life
    return time.after(delayMs, () => void (own === life && task()))
  }
  const reporter = new CountReporter({
    platform: { now: time.now, after, randomId: () => 'one' },
    take: () => (table.isEmpty() ? null : table.take()),
    levels: async () => ({ health: { a: 1 } }),
    isPushed: () => options.isPushed ?? false,
    counts: {
      async report(report) {
        reports.push(report)
        // What it is told counts, whether or not the answer arrives.
        book.note(report, time.now())
        if (options.fails?.(reports.length) === true) throw new Error('out of reach')
        return {
          wantsLevels: report.isPushed && reports.length === 1,
          all: report.wantsAll ? book.table.toCounts() : null,
        }
      },
    },
  })
  return {
    time,
    reports,
    tasks,
    reporter,
    /** As the platform does with those of a request that it ends. */
    dropTimers: () => void (life += 1),
    sum: () => book.table.toCounts(),
    count() {
      table.add({ requests: { m: [1] } })
      reporter.seeTo((task) => void tasks.push(task))
    },
  }
}

describe('what requests count', () => {
  test('is told five seconds later by one of them, for all', async () => {
    const { time, reports, tasks, count, sum } = openReporter()
    for (let at = 0; at < 3; at += 1) count()
    await time.advance(4_000)
    expect([tasks.length, reports.length]).toEqual([1, 0])
    await time.advance(2_000)
    await Promise.all(tasks)
    expect(sum()).toEqual({ requests: { m: [3] } })
    expect(reports).toHaveLength(1)
  })

  test('is seen to by the next when the platform has ended whoever was about to', async () => {
    const { time, tasks, count, sum, dropTimers } = openReporter()
    count()
    dropTimers()
    await time.advance(8_000)
    count()
    await time.advance(6_000)
    await tasks.at(-1)
    expect(sum()).toEqual({ requests: { m: [2] } })
  })

  test('is told again under the same number when a call fails, and counts once', async () => {
    const { time, reports, tasks, count, sum } = openReporter({ fails: (call) => call === 1 })
    count()
    await time.advance(6_000)
    count()
    await time.advance(6_000)
    await Promise.all(tasks)
    expect(reports.map(({ batch }) => batch?.seq)).toEqual([1, 1, 2])
    expect(sum()).toEqual({ requests: { m: [2] } })
  })
})

describe('whoever asks', () => {
  test('gets the counts of all, with what this isolate has not told yet', async () => {
    const { count, reporter, reports } = openReporter()
    count()
    expect(await reporter.all()).toEqual({ requests: { m: [1] } })
    expect(await reporter.all()).toEqual({ requests: { m: [1] } })
    expect(reports.map(({ batch }) => batch?.seq)).toEqual([1, undefined])
  })

  test('gets nothing when nobody can say', async () => {
    const { count, reporter } = openReporter({ fails: () => true })
    count()
    expect(await reporter.all()).toBeNull()
  })
})

test('levels are told when they are wanted', async () => {
  const { time, reports, tasks, count } = openReporter({ isPushed: true })
  count()
  await time.advance(6_000)
  await Promise.all(tasks)
  expect(reports.map(({ levels }) => levels)).toEqual([null, { health: { a: 1 } }])
})

test('an event goes with the next report', async () => {
  const { time, tasks, count, reporter, sum } = openReporter()
  reporter.noteEvent({ id: 'a', metric: 'events', key: 'k' })
  count()
  await time.advance(6_000)
  await Promise.all(tasks)
  expect(sum()).toEqual({ requests: { m: [1] }, events: { k: [1] } })
})

// Own evidence against workers: how much it takes, what overrules it, and what others are told.

import { describe, expect, test } from 'vitest'
import { FailureWatch } from './failure-watch.ts'
import type { WorkerState } from './fleet-store.ts'

function watchAt(startMs: number) {
  let nowMs = startMs
  const watch = new FailureWatch(() => nowMs)
  return { watch, setNow: (next: number) => void (nowMs = next) }
}

const seenAt = (checkedAtMs: number | null, availability: WorkerState['availability'] = 'up'): WorkerState => ({
  workerId: 'a',
  availability,
  models: ['m'],
  checkedAtMs,
})

describe('when a worker is taken for gone', () => {
  test('at once, when the request surely never reached it', () => {
    const { watch } = watchAt(10)
    expect(watch.noteFailure('a', 'not_sent')).toBe(true)
    expect(watch.isSuspect('a', seenAt(5))).toBe(true)
    expect(watch.isSuspect('b', undefined)).toBe(false)
  })

  test('at the second failure in a row, when requests may have reached it', () => {
    const { watch } = watchAt(10)
    expect(watch.noteFailure('a', 'maybe_sent')).toBe(false)
    expect(watch.isSuspect('a', seenAt(5))).toBe(false)
    expect(watch.takeReports()).toEqual([])
    expect(watch.noteFailure('a', 'maybe_sent')).toBe(true)
    expect(watch.isSuspect('a', seenAt(5))).toBe(true)
  })

  test('an answer between two failures starts the count anew', () => {
    const { watch } = watchAt(10)
    watch.noteFailure('a', 'maybe_sent')
    watch.noteAnswer('a')
    expect(watch.noteFailure('a', 'maybe_sent')).toBe(false)
  })

  test('failures of one worker say nothing about another', () => {
    const { watch } = watchAt(10)
    watch.noteFailure('a', 'maybe_sent')
    expect(watch.noteFailure('b', 'maybe_sent')).toBe(false)
  })
})

describe('how it comes back', () => {
  test.each([null, 9, 10])('a look at %s is no later than the failure at 10 and changes nothing', (checkedAtMs) => {
    const { watch } = watchAt(10)
    watch.noteFailure('a', 'not_sent')
    expect(watch.isSuspect('a', seenAt(checkedAtMs))).toBe(true)
  })

  test('a later look overrules our own evidence, whatever it says, and for good', () => {
    const { watch } = watchAt(10)
    watch.noteFailure('a', 'not_sent')
    expect(watch.isSuspect('a', seenAt(11, 'down'))).toBe(false)
    expect(watch.isSuspect('a', seenAt(5))).toBe(false)
  })
})

describe('reports', () => {
  test('are taken once, one line per worker with the last time', () => {
    const { watch, setNow } = watchAt(10)
    watch.noteFailure('a', 'not_sent')
    setNow(20)
    watch.noteFailure('b', 'not_sent')
    watch.noteFailure('a', 'not_sent')
    expect(watch.takeReports()).toEqual([
      { workerId: 'a', atMs: 20 },
      { workerId: 'b', atMs: 20 },
    ])
    expect(watch.takeReports()).toEqual([])
  })

  test('put back, they do not overwrite later ones, and do not pile up while nobody can be told', () => {
    const { watch, setNow } = watchAt(10)
    for (let at = 10; at < 1_000; at += 10) {
      setNow(at)
      watch.noteFailure('a', 'not_sent')
      const reports = watch.takeReports()
      setNow(at + 5)
      watch.noteFailure('a', 'not_sent')
      watch.putBack(reports)
    }
    expect(watch.takeReports()).toEqual([{ workerId: 'a', atMs: 995 }])
  })
})

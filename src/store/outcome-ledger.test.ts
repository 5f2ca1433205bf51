// Outcomes on their way up: summed by worker and epoch, numbered, repeated until they have arrived, counted once.

import { expect, test } from 'vitest'
import { outcomesOf, reportOf } from '../../test/support/fleet.ts'
import { HolderBook } from './holder-book.ts'
import { OutcomeLedger } from './outcome-ledger.ts'

test('sums by worker and epoch, and knows how many faults came last', () => {
  const ledger = new OutcomeLedger('x')
  ledger.note('a', 1, { kind: 'fault', reach: 'sent' })
  ledger.note('a', 1, { kind: 'ok' })
  ledger.note('a', 1, { kind: 'fault', reach: 'sent' })
  ledger.note('a', 1, { kind: 'fault', reach: 'not_sent' })
  ledger.note('a', 2, { kind: 'ok' })
  ledger.note('b', 1, { kind: 'busy', waitMs: 300 })
  ledger.note('b', 1, { kind: 'busy', waitMs: 200 })
  ledger.note('b', 1, { kind: 'caller' })
  expect(ledger.batch()).toEqual({
    sender: 'x',
    seq: 1,
    workers: [
      outcomesOf('a', { epoch: 1, oks: 1, faults: 3, faultsInRow: 2 }),
      outcomesOf('a', { epoch: 2, oks: 1 }),
      outcomesOf('b', { epoch: 1, busies: 2, busyForMs: 300 }),
    ],
  })
})

test('adds up what others gathered: faults in a row go on until somebody had a success', () => {
  const ledger = new OutcomeLedger('x')
  ledger.add(outcomesOf('a', { faults: 3 }))
  ledger.add(outcomesOf('a', { faults: 2 }))
  ledger.add(outcomesOf('a', { oks: 4, faults: 2, faultsInRow: 1 }))
  expect(ledger.batch()?.workers).toEqual([outcomesOf('a', { oks: 4, faults: 7, faultsInRow: 1 })])
})

test('hands up one batch at a time, the same one until it has arrived', () => {
  const ledger = new OutcomeLedger('x')
  expect(ledger.batch()).toBeNull()
  ledger.note('a', 1, { kind: 'ok' })
  const first = ledger.batch()
  expect(ledger.nextSeq()).toBe(2)
  ledger.note('a', 1, { kind: 'ok' })
  expect(ledger.batch()).toBe(first)
  ledger.markDelivered(first)
  const second = ledger.batch()
  expect(second?.seq).toBe(2)
  ledger.markDelivered(first)
  expect(ledger.batch()).toBe(second)
  ledger.markDelivered(second)
  expect(ledger.batch()).toBeNull()
})

test('a batch that comes twice is taken in once; another life of its sender begins anew', () => {
  const book = new HolderBook()
  const batch = (sender: string, seq: number) => ({ sender, seq, workers: [] })
  const file = (outcomes: ReturnType<typeof batch> | null, nowMs = 0) => book.file(reportOf('h', { outcomes }), nowMs)
  const taken = [
    file(batch('life 1', 1)),
    file(batch('life 1', 1)),
    file(null),
    file(batch('life 1', 1)),
    file(batch('life 1', 2)),
    file(batch('life 2', 1)),
    file(batch('life 2', 1)),
  ]
  expect(taken.map((outcomes) => outcomes !== null)).toEqual([true, false, false, false, true, true, false])
})

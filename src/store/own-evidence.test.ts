// Own evidence against workers: how much it takes, what overrules it, and what others are told.

import { describe, expect, test } from 'vitest'
import { BREAKER } from '../../test/support/fleet.ts'
import type { Outcome } from './outcome-ledger.ts'
import { OwnEvidence } from './own-evidence.ts'

function rigOf(breaker: typeof BREAKER | null = BREAKER) {
  let nowMs = 10
  const evidence = new OwnEvidence(() => nowMs, 'isolate-1')
  const note = (outcome: Outcome, workerId = 'a', epoch = 1) => evidence.note(outcome, { workerId, epoch, breaker })
  return {
    evidence,
    setNow: (next: number) => void (nowMs = next),
    note,
    ok: () => note({ kind: 'ok' }),
    fault: (reach: 'not_sent' | 'maybe_sent' | 'sent', workerId = 'a') => note({ kind: 'fault', reach }, workerId),
    busy: (waitMs: number) => note({ kind: 'busy', waitMs }),
    word: (checkedAtMs: number | null = 5, workerId = 'a') =>
      evidence.word(workerId, { availability: 'up', checkedAtMs }),
  }
}

describe('when a worker is suspect', () => {
  test('at once, when the request surely never reached it', () => {
    const { fault, word } = rigOf()
    expect(fault('not_sent')).toBe(true)
    expect([word(), word(5, 'b')]).toEqual(['suspect', 'up'])
    expect(fault('not_sent')).toBe(false)
  })

  test('at the second failure in a row, when requests may have reached it', () => {
    const { fault, word, evidence } = rigOf()
    expect(fault('maybe_sent')).toBe(false)
    expect(word()).toBe('up')
    expect(evidence.takeReports()).toEqual([])
    expect(fault('maybe_sent')).toBe(true)
    expect(word()).toBe('suspect')
  })

  test.each<Outcome>([
    { kind: 'ok' },
    { kind: 'caller' },
    { kind: 'busy', waitMs: 0 },
    { kind: 'fault', reach: 'sent' },
  ])('an answer between two failures starts the count anew: %o', (answer) => {
    const { fault, note } = rigOf()
    fault('maybe_sent')
    note(answer)
    expect(fault('maybe_sent')).toBe(false)
  })

  test('failures of one worker say nothing about another', () => {
    const { fault } = rigOf()
    fault('maybe_sent')
    expect(fault('maybe_sent', 'b')).toBe(false)
  })

  test.each([null, 9, 10])('a look at %s is no later than the failure at 10 and changes nothing', (checkedAtMs) => {
    const { fault, word } = rigOf()
    fault('not_sent')
    expect(word(checkedAtMs)).toBe('suspect')
  })

  test('a later look overrules our own evidence, for good', () => {
    const { fault, word } = rigOf()
    fault('not_sent')
    expect([word(11), word(5)]).toEqual(['up', 'up'])
  })

  test('what the fleet has taken out stays out, whatever we know', () => {
    const { fault, evidence } = rigOf()
    fault('not_sent')
    for (const availability of [
      'down',
      'open',
      'hung',
      'ejected',
      'asleep',
      'draining',
      'parked',
      'half_open',
    ] as const) {
      expect(evidence.word('a', { availability, checkedAtMs: 5 })).toBe(availability)
    }
  })
})

describe('when a worker is left alone', () => {
  test('after the faults in a row that open its breaker, whatever they were', () => {
    const { fault, word, ok } = rigOf()
    for (let at = 0; at < 4; at += 1) expect(fault('sent')).toBe(false)
    ok()
    for (let at = 0; at < 4; at += 1) fault('sent')
    expect(word()).toBe('up')
    expect(fault('sent')).toBe(true)
    expect(word()).toBe('open')
  })

  test('until the fleet has heard of it: then its word counts', () => {
    const { fault, word, evidence } = rigOf()
    const before = evidence.batch()
    for (let at = 0; at < 5; at += 1) fault('sent')
    evidence.markDelivered(before)
    evidence.markWeighed()
    expect(word()).toBe('open')
    evidence.markDelivered(evidence.batch())
    evidence.markWeighed()
    expect(word()).toBe('up')
    fault('sent')
    expect(word()).toBe('up')
  })

  test('or for the time of a breaker while nobody can be told; then one fault is enough', () => {
    const { fault, word, setNow } = rigOf()
    for (let at = 0; at < 5; at += 1) fault('sent')
    setNow(10 + BREAKER.openMs)
    expect(word()).toBe('up')
    expect(fault('sent')).toBe(true)
    expect(word()).toBe('open')
  })

  test('attempts of another epoch say nothing about this one', () => {
    const { note, word } = rigOf()
    for (let at = 0; at < 4; at += 1) note({ kind: 'fault', reach: 'sent' }, 'a', 1)
    note({ kind: 'fault', reach: 'sent' }, 'a', 2)
    for (let at = 0; at < 9; at += 1) note({ kind: 'fault', reach: 'sent' }, 'a', 1)
    expect(word()).toBe('up')
  })

  test('not at all while breakers are switched off', () => {
    const { fault, word } = rigOf(null)
    for (let at = 0; at < 50; at += 1) fault('sent')
    expect(word()).toBe('up')
  })

  test('for as long as it wishes itself, with less work afterwards', () => {
    const { busy, word, setNow, evidence } = rigOf()
    expect(busy(0)).toBe(false)
    expect([word(), evidence.share('a')]).toEqual(['up', 0.5])
    expect(busy(1_000)).toBe(true)
    expect([word(), evidence.share('a')]).toEqual(['suspect', 0.5])
    setNow(1_010)
    expect(word()).toBe('up')
    busy(0)
    expect(evidence.share('a')).toBeLessThan(0.3)
    setNow(60_000)
    expect(evidence.share('a')).toBe(1)
  })

  test('a success leaves nothing behind that decisions would have to ask about', () => {
    const { fault, ok, evidence, setNow, busy } = rigOf()
    ok()
    expect(evidence.isEmpty()).toBe(true)
    fault('sent')
    busy(10)
    setNow(60_000)
    ok()
    expect(evidence.isEmpty()).toBe(true)
  })
})

describe('reports of workers that were not reached', () => {
  test('are taken once, one line per worker with the last time', () => {
    const { fault, evidence, setNow } = rigOf()
    fault('not_sent')
    setNow(20)
    fault('not_sent', 'b')
    fault('not_sent')
    expect(evidence.takeReports()).toEqual([
      { workerId: 'a', atMs: 20 },
      { workerId: 'b', atMs: 20 },
    ])
    expect(evidence.takeReports()).toEqual([])
  })

  test('put back, they do not overwrite later ones, and do not pile up while nobody can be told', () => {
    const { fault, evidence, setNow } = rigOf()
    for (let at = 10; at < 1_000; at += 10) {
      setNow(at)
      fault('not_sent')
      const reports = evidence.takeReports()
      setNow(at + 5)
      fault('not_sent')
      evidence.putBack(reports)
    }
    expect(evidence.takeReports()).toEqual([{ workerId: 'a', atMs: 995 }])
  })
})

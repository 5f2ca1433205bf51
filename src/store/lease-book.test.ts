// Leases of requests in flight: given back once, forgotten when nobody renews them, zero in the end.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../simulator/clock.ts'
import { LEASE_TTL_MS } from './holder-book.ts'
import { type BookedLease, createLeaseBook } from './lease-book.ts'

function bookOf() {
  const clock = new VirtualClock(1_000_000)
  return { clock, book: createLeaseBook(() => clock.now()) }
}

describe('one lease', () => {
  test('counts from acquire to release', () => {
    const { book } = bookOf()
    const lease = book.acquire('a', 'a')
    expect([book.count('a'), book.count('b'), book.total()]).toEqual([1, 0, 1])
    expect(book.report()).toEqual(new Map([['a', 1]]))
    lease.release()
    expect([book.count('a'), book.total(), book.report().size]).toEqual([0, 0, 0])
  })

  test('is given back once, however often that is said', () => {
    const { book } = bookOf()
    const first = book.acquire('a', 'a')
    book.acquire('a', 'a')
    first.release()
    first.release()
    expect(book.count('a')).toBe(1)
  })

  test('that nobody renews is forgotten; giving it back later changes nothing', () => {
    const { book, clock } = bookOf()
    const lost = book.acquire('a', 'a')
    clock.advance(LEASE_TTL_MS)
    expect(book.report().get('a')).toBe(1)
    clock.advance(1)
    expect(book.report().get('a')).toBeUndefined()
    book.acquire('a', 'a')
    lost.release()
    lost.renew()
    expect([book.count('a'), book.total()]).toEqual([1, 1])
  })

  test('that is renewed lives on', () => {
    const { book, clock } = bookOf()
    const lease = book.acquire('a', 'a')
    for (let renewal = 0; renewal < 20; renewal += 1) {
      clock.advance(LEASE_TTL_MS - 1)
      lease.renew()
      expect(book.report().get('a')).toBe(1)
    }
    lease.release()
    expect(book.total()).toBe(0)
  })
})

test('a report is a copy: what happens later does not change it', () => {
  const { book } = bookOf()
  book.acquire('a', 'a')
  const report = book.report()
  book.acquire('a', 'a')
  expect(report.get('a')).toBe(1)
})

const step = fc.oneof(
  fc.record({ kind: fc.constant('acquire' as const), on: fc.constantFrom('a', 'b', 'c') }),
  fc.record({ kind: fc.constantFrom('release' as const, 'renew' as const), at: fc.nat(40) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(LEASE_TTL_MS) }),
  fc.record({ kind: fc.constant('report' as const) }),
)

test('property: counts are the leases that live, never negative, and zero once all have ended or been lost', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { book, clock } = bookOf()
      const model: { on: string; lease: BookedLease; renewedAtMs: number; isLive: boolean }[] = []
      for (const next of steps) {
        if (next.kind === 'acquire') {
          const { on } = next
          model.push({ on, lease: book.acquire(on, on), renewedAtMs: clock.now(), isLive: true })
        } else if (next.kind === 'wait') clock.advance(next.ms)
        else if (next.kind === 'report') {
          for (const entry of model) if (clock.now() - entry.renewedAtMs > LEASE_TTL_MS) entry.isLive = false
          book.report()
        } else {
          const entry = model[next.at]
          if (next.kind === 'release') entry?.lease.release()
          else entry?.lease.renew()
          if (entry !== undefined && next.kind === 'release') entry.isLive = false
          else if (entry !== undefined) entry.renewedAtMs = clock.now()
        }
        const live = model.filter(({ isLive }) => isLive)
        expect(book.total()).toBe(live.length)
        for (const id of ['a', 'b', 'c']) {
          expect(book.count(id)).toBe(live.filter(({ on }) => on === id).length)
        }
      }
      // Half of what is left ends in order, the rest was dropped without a word.
      for (const [at, { lease }] of model.entries()) if (at % 2 === 0) lease.release()
      clock.advance(2 * LEASE_TTL_MS)
      expect(book.report().size).toBe(0)
      expect(book.total()).toBe(0)
    }),
  )
})

describe('bytes', () => {
  test('the last one of each worker, over all its leases, those that have ended included', () => {
    const { book, clock } = bookOf()
    const first = book.acquire('a@0', 'a')
    const second = book.acquire('a@1', 'a')
    book.acquire('b', 'b')
    expect(book.lastBytes()).toEqual(new Map())
    second.activity.lastByteAtMs = clock.now() - 20
    first.activity.lastByteAtMs = clock.now() - 10
    first.release()
    expect(book.lastBytes()).toEqual(new Map([['a', clock.now() - 10]]))
    expect([book.hasWork('a'), book.hasWork('b'), book.hasWork('c')]).toEqual([true, true, false])
  })
})

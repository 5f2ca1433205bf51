import { expect, test } from 'vitest'
import { GroupedCounts, ReasonCounts } from './counts.ts'
import { LineCounts } from './line-counts.ts'
import { LoadShares } from './load-shares.ts'

test('groups may have any name', () => {
  const groups = new GroupedCounts()
  for (const name of ['__proto__', 'constructor', undefined, '__proto__']) groups.add(name, 'same')
  expect(groups.entries().map(([name, { total }]) => [name, total])).toEqual([
    ['(none)', 1],
    ['__proto__', 2],
    ['constructor', 1],
  ])
})

test('reasons come most frequent first, each with what the first one said', () => {
  const reasons = new ReasonCounts<number>()
  ;['rare', 'often', 'often'].forEach((why, at) => reasons.add(why, at))
  expect(reasons.entries()).toEqual([
    { why: 'often', detail: 1, count: 2 },
    { why: 'rare', detail: 0, count: 1 },
  ])
})

test('lines are counted by what became of them', () => {
  const lines = new LineCounts()
  lines.record()
  lines.blank()
  lines.unreadable('no JSON', 'a:3')
  lines.unreadable('no JSON', 'a:4')
  expect(lines.toLines()).toEqual({
    read: 4,
    blank: 1,
    unreadable: 2,
    reasons: [{ why: 'no JSON', count: 2, first: 'a:3' }],
  })
})

test('a hotspot is how much more than its share the busiest worker has', () => {
  const shares = new LoadShares()
  expect(shares.hotspot(3)).toBeNull()
  for (const worker of ['a', 'a', 'b', 'c']) shares.add(worker)
  expect(shares.hotspot(3)).toBe(1.5)
  // Idle workers count; that fewer are known than were used can't be.
  expect(shares.hotspot(4)).toBe(2)
  expect(shares.hotspot(1)).toBe(1.5)
})

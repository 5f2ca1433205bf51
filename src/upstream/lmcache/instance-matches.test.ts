// What of an answer of the control plane counts for workers: what is certain, and what this router's own index vouches for.

import { describe, expect, test } from 'vitest'
import type { InstanceJoin } from './instances.ts'
import { toMatchedTokens } from './instance-matches.ts'
import { readLayout } from './layout-info.ts'

type Counts = Readonly<Record<string, number>>

/** Instances are called like their workers, in capitals. */
const joinWorkers: InstanceJoin = (instanceId) => (instanceId === 'STRANGER' ? [] : [instanceId.toLowerCase()])

function matched(ends: Counts, sent: Counts, join: InstanceJoin = joinWorkers): Counts {
  const layout = Object.fromEntries(Object.entries(ends).map(([instanceId, end]) => [instanceId, ['cpu', end]]))
  const found = readLayout({ layout_info: layout }, { tokens: 65_536, assumesChains: false })
  if (found === null) throw new Error('no layout')
  return toMatchedTokens(found, join, () => sent)
}

describe('several holders', () => {
  test.each<[string, Counts, Counts, Counts]>([
    ['of which nobody was sent anything from here', { A: 768, B: 1_536 }, {}, { a: 256 }],
    ['where the first alone was sent it', { A: 768, B: 1_536 }, { a: 768 }, { a: 768 }],
    ['where the last was sent the beginning', { A: 768, B: 1_536 }, { b: 768 }, { a: 256, b: 1_536 }],
    ['where the last was sent all of it', { A: 768, B: 1_536 }, { b: 1_536 }, { a: 256, b: 1_536 }],
    ['where both were', { A: 768, B: 1_536 }, { a: 1_024, b: 1_024 }, { a: 768, b: 1_536 }],
    ['where the last was sent another beginning', { A: 4_096, B: 8_192 }, { b: 512 }, { a: 256 }],
    ['where somebody else was sent it', { A: 768, B: 1_536 }, { c: 1_536 }, { a: 256 }],
    ['a common system prompt', { A: 512, B: 11_776 }, { a: 512, b: 512, c: 512 }, { a: 512, b: 11_776 }],
    ['the same before the last has ever seen it', { A: 512, B: 11_776 }, { a: 512, c: 512 }, { a: 512 }],
    // The index knows whole blocks of its own, of some 512 tokens.
    ['a system prompt that ends within a block', { A: 768, B: 11_776 }, { b: 512 }, { a: 256, b: 11_776 }],
    ['a beginning that is two blocks more than is known', { A: 1_280, B: 11_776 }, { b: 512 }, { a: 256 }],
    // Those between the ends may be of either: the index has to know as much as is counted.
    [
      'one in the middle that was sent it all',
      { A: 512, C: 4_096, B: 8_192 },
      { b: 1_024, c: 4_096 },
      { a: 512, c: 4_096 },
    ],
    ['one in the middle that was sent the beginning', { A: 512, C: 4_096, B: 8_192 }, { c: 1_024 }, { a: 512 }],
    ['one that comes back at the end', { A: 1_536, B: 768 }, { a: 768 }, { a: 1_536 }],
    ['in no known order', { 7: 1_536, B: 4_096 }, { b: 1_536 }, { b: 4_096 }],
    ['one of whom is no worker', { STRANGER: 512, B: 4_096 }, { b: 512 }, { b: 4_096 }],
    ['the last of whom is no worker', { A: 512, STRANGER: 4_096 }, { a: 512 }, { a: 512 }],
    ['with a name that every object has', { A: 512, constructor: 4_096 }, { a: 512 }, { a: 512 }],
  ])('%s', (_, ends, sent, expected) => expect(matched(ends, sent)).toEqual(expected))

  test('the index is not asked about a single one', () => {
    const sent = () => {
      throw new Error('asked')
    }
    expect(toMatchedTokens({ tokensByInstance: new Map([['A', 512]]), parts: [] }, joinWorkers, sent)).toEqual({
      a: 512,
    })
  })

  test('what was sent to a rank is its worker’s', () => {
    expect(matched({ A: 512, B: 4_096 }, { 'b@1': 512 })).toEqual({ a: 512, b: 4_096 })
    expect(matched({ A: 512, B: 4_096 }, { bb: 512, 'bb@1': 512 })).toEqual({ a: 512 })
  })

  test('two instances of one worker hold what the better of them does', () => {
    expect(matched({ A: 512, B: 4_096 }, { w: 512 }, () => ['w'])).toEqual({ w: 4_096 })
  })
})

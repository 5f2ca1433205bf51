import { describe, expect, test } from 'vitest'
import { KeyVerdicts } from './key-verdicts.ts'

describe('key verdicts', () => {
  test('are kept with their age, a refusal in place of an acceptance and the other way round', () => {
    const verdicts = new KeyVerdicts()
    expect(verdicts.acceptedAgeMs('a', 0)).toBeNull()
    verdicts.noteAccepted('a', 100)
    expect([verdicts.acceptedAgeMs('a', 130), verdicts.refusedAgeMs('a', 130)]).toEqual([30, null])
    verdicts.noteRefused('a', 200)
    expect([verdicts.acceptedAgeMs('a', 200), verdicts.refusedAgeMs('a', 201)]).toEqual([null, 1])
    verdicts.noteAccepted('a', 300)
    expect([verdicts.acceptedAgeMs('a', 300), verdicts.refusedAgeMs('a', 300)]).toEqual([0, null])
  })

  test('are bounded: the one looked at longest ago goes first', () => {
    const verdicts = new KeyVerdicts(3)
    for (const digest of ['a', 'b', 'c']) verdicts.noteAccepted(digest, 0)
    verdicts.acceptedAgeMs('a', 0)
    verdicts.noteAccepted('d', 0)
    const known = ['a', 'b', 'c', 'd'].filter((digest) => verdicts.acceptedAgeMs(digest, 0) !== null)
    expect(known).toEqual(['a', 'c', 'd'])
  })

  test('a flood of made-up keys pushes out no good one', () => {
    const verdicts = new KeyVerdicts(10)
    verdicts.noteAccepted('good', 0)
    for (let at = 0; at < 1_000; at += 1) verdicts.noteRefused(`bad-${at}`, at)
    expect(verdicts.acceptedAgeMs('good', 1)).toBe(1)
    const remembered = Array.from({ length: 1_000 }, (_, at) => verdicts.refusedAgeMs(`bad-${at}`, 1_000))
    expect(remembered.filter((ageMs) => ageMs !== null)).toHaveLength(10)
  })

  test('a clock that goes back makes nothing older than it is', () => {
    const verdicts = new KeyVerdicts()
    verdicts.noteAccepted('a', 1_000)
    expect(verdicts.acceptedAgeMs('a', 0)).toBe(0)
  })
})

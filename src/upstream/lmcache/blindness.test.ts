// What LMCache's control plane must have said, and for how long, to count as blind; and what ends that.

import { describe, expect, test } from 'vitest'
import { BlindnessJudge, BROKEN_PROMISES_TO_BLIND, MISSES_TO_BLIND, MISSES_WITHOUT_GROWTH } from './blindness.ts'

/** `misses` probes in a row that know nothing; the count of keys at each of them. */
function missed(judge: BlindnessJudge, misses: number, keysAt: (at: number) => number | null): void {
  for (let at = 0; at < misses; at += 1) judge.noteUnknown(keysAt(at), at * 1_000)
}

const grows = (at: number) => 100 + Math.floor(at / 10)

describe('probes', () => {
  test.each<readonly [string, number, (at: number) => number | null, string, string | null]>([
    ['twenty that know nothing while keys come in', MISSES_TO_BLIND, grows, 'blind', 'knows_nothing_new'],
    ['nineteen', MISSES_TO_BLIND - 1, grows, 'unproven', null],
    ['twenty while the count stands still', MISSES_TO_BLIND, () => 100, 'unproven', null],
    ['twenty while it falls', MISSES_TO_BLIND, (at) => 100 - at, 'unproven', null],
    ['twenty without a count', MISSES_TO_BLIND, () => null, 'unproven', null],
    ['sixty while the count stands still', MISSES_WITHOUT_GROWTH, () => 0, 'blind', 'hears_nothing'],
    ['sixty without a count', MISSES_WITHOUT_GROWTH, () => null, 'blind', 'hears_nothing'],
    ['a count that is told late', MISSES_TO_BLIND, (at) => (at < 5 ? null : 100 + at), 'blind', 'knows_nothing_new'],
    [
      'a control plane that forgot everything, and hears of new keys',
      MISSES_TO_BLIND,
      (at) => (at < 5 ? 900 : at),
      'blind',
      'knows_nothing_new',
    ],
  ])('%s', (_, misses, keysAt, state, because) => {
    const judge = new BlindnessJudge()
    missed(judge, misses, keysAt)
    expect(judge.sight()).toMatchObject({ state, because })
  })

  test('one that knows a prompt in between starts the count anew', () => {
    const judge = new BlindnessJudge()
    for (let round = 0; round < 10; round += 1) {
      missed(judge, MISSES_TO_BLIND - 1, grows)
      judge.noteKnown(0)
    }
    expect(judge.sight()).toMatchObject({ state: 'sighted', because: null, missesInRow: 0 })
  })

  test('growth before the first miss does not count', () => {
    const judge = new BlindnessJudge()
    judge.noteUnknown(0, 0)
    judge.noteKnown(0)
    missed(judge, MISSES_TO_BLIND, () => 500)
    expect(judge.sight().state).toBe('sighted')
  })

  test('one that succeeds ends the blindness', () => {
    const judge = new BlindnessJudge()
    missed(judge, MISSES_TO_BLIND, grows)
    expect(judge.sight()).toMatchObject({ state: 'blind', sinceMs: (MISSES_TO_BLIND - 1) * 1_000 })
    judge.noteKnown(99_000)
    expect(judge.sight()).toMatchObject({ state: 'sighted', because: null, sinceMs: 99_000 })
  })
})

describe('promises', () => {
  const broken = { predictedTokens: 512, actualTokens: 0 }

  test.each([
    ['nothing was there', 512, 0, 'blind'],
    ['less than half was there', 512, 255, 'blind'],
    ['half was there', 512, 256, 'unproven'],
    ['all was there', 512, 512, 'sighted'],
    ['more was there: the GPU has a cache of its own', 256, 4_096, 'sighted'],
    ['less than a chunk was promised', 255, 0, 'unproven'],
    ['nothing was promised, and much was there: another holder was named', 0, 4_096, 'unproven'],
  ])('%s, fifty times', (_, predictedTokens, actualTokens, state) => {
    const judge = new BlindnessJudge()
    for (let at = 0; at < BROKEN_PROMISES_TO_BLIND; at += 1) judge.notePromise({ predictedTokens, actualTokens }, at)
    const { state: found, because } = judge.sight()
    expect(found === 'blind').toBe(state === 'blind')
    expect(because).toBe(state === 'blind' ? 'promises_too_much' : null)
  })

  test('one that holds in between starts the count anew', () => {
    const judge = new BlindnessJudge()
    for (let at = 0; at < 200; at += 1) {
      judge.notePromise(at % BROKEN_PROMISES_TO_BLIND === 0 ? { predictedTokens: 512, actualTokens: 512 } : broken, at)
    }
    expect(judge.sight().state).toBe('sighted')
  })

  test('that it knows prompts does not end it, that a promise holds does', () => {
    const judge = new BlindnessJudge()
    for (let at = 0; at < BROKEN_PROMISES_TO_BLIND; at += 1) {
      // Each is of a prompt that it knew.
      judge.noteKnown(at)
      judge.notePromise(broken, at)
    }
    judge.noteKnown(100)
    expect(judge.sight()).toMatchObject({ state: 'blind', because: 'promises_too_much' })
    judge.notePromise({ predictedTokens: 512, actualTokens: 500 }, 101)
    expect(judge.sight()).toMatchObject({ state: 'sighted', because: null })
  })
})

describe('how often it is asked', () => {
  test('by every request while it may see, by one every ten seconds while it is blind', () => {
    const judge = new BlindnessJudge()
    expect([0, 0, 1].map((atMs) => judge.takeLookup(atMs))).toEqual([true, true, true])
    missed(judge, MISSES_TO_BLIND, grows)
    const allowed = Array.from({ length: 30 }, (_, second) => judge.takeLookup(100_000 + second * 1_000))
    expect(allowed.filter(Boolean)).toHaveLength(3)
    judge.noteKnown(140_000)
    expect([140_000, 140_000].map((atMs) => judge.takeLookup(atMs))).toEqual([true, true])
  })

  test('by probes once a second while in doubt, twice a minute once it has known something', () => {
    const judge = new BlindnessJudge()
    const probesFrom = (fromMs: number) =>
      Array.from({ length: 600 }, (_, at) => judge.takeProbe(fromMs + at * 100)).filter(Boolean).length
    expect(probesFrom(0)).toBe(60)
    judge.noteKnown(60_000)
    expect(probesFrom(60_000)).toBe(1)
    // Requests that find something are proof enough.
    judge.noteKnown(119_000)
    expect(judge.takeProbe(148_000)).toBe(false)
    expect(judge.takeProbe(149_000)).toBe(true)
    judge.noteUnknown(1, 149_000)
    expect(judge.takeProbe(150_000)).toBe(true)
  })
})

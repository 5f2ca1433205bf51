// What probes say together: how many it takes, and which word for which failure.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProbeJudge } from './probe-judge.ts'

const CONFIG = { failureThreshold: 3, successThreshold: 2 }

/** The word after each of these probes. */
function wordsAfter(probes: readonly ('ok' | 'unreachable' | 'timeout' | 'bad_status')[]): string[] {
  const judge = new ProbeJudge(CONFIG)
  return probes.map((health) => {
    judge.note(health)
    return judge.word
  })
}

describe('words', () => {
  test('a worker nobody has seen is up after its first good probe', () => {
    expect(new ProbeJudge(CONFIG).word).toBe('unknown')
    expect(wordsAfter(['ok'])).toEqual(['up'])
    expect(wordsAfter(['timeout', 'timeout', 'timeout', 'ok'])).toEqual(['suspect', 'suspect', 'ejected', 'up'])
  })

  test('one that nobody has seen and that refuses is not there', () => {
    expect(wordsAfter(['unreachable', 'ok', 'unreachable'])).toEqual(['down', 'up', 'suspect'])
  })

  test('one that was up is suspect at first, out at the threshold, and back after the successes in a row', () => {
    const probes = ['ok', 'timeout', 'timeout', 'timeout', 'ok', 'timeout', 'ok', 'ok'] as const
    expect(wordsAfter(probes)).toEqual(['up', 'suspect', 'suspect', 'ejected', 'ejected', 'ejected', 'ejected', 'up'])
  })

  test('a good probe in between starts the count anew', () => {
    const probes = ['ok', 'timeout', 'timeout', 'ok', 'bad_status', 'bad_status'] as const
    expect(wordsAfter(probes).at(-1)).toBe('suspect')
  })

  test('refused connections alone are no server; a mix is one in trouble; the latest threshold of probes decides', () => {
    const refused = ['unreachable', 'unreachable', 'unreachable'] as const
    expect(wordsAfter(['ok', ...refused]).at(-1)).toBe('down')
    expect(wordsAfter(['ok', 'timeout', 'unreachable', 'unreachable']).at(-1)).toBe('ejected')
    expect(wordsAfter(['ok', 'timeout', ...refused]).at(-1)).toBe('down')
    expect(wordsAfter(['ok', ...refused, 'bad_status']).at(-1)).toBe('ejected')
  })
})

test('goes on from an earlier life', () => {
  for (const word of ['up', 'suspect', 'ejected', 'down'] as const) {
    const judge = new ProbeJudge(CONFIG)
    judge.resume({ word, last: 'ok' })
    expect(judge.word).toBe(word)
    judge.note('ok')
    expect(judge.word).toBe(word === 'up' || word === 'suspect' ? 'up' : word)
    judge.note('ok')
    expect(judge.word).toBe('up')
  }
})

test('property: successes in a row bring back whatever was', () => {
  const probes = fc.array(fc.constantFrom('ok' as const, 'unreachable' as const, 'timeout' as const))
  fc.assert(
    fc.property(probes, (history) => {
      expect(wordsAfter([...history, 'ok', 'ok']).at(-1)).toBe('up')
    }),
  )
})

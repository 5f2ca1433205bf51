import { describe, expect, test } from 'vitest'
import { digestOfKey } from './key-digest.ts'
import { createKeyring } from './keyring.ts'

const tenant = (name: string, keys: readonly string[], isEnabled = true) => {
  return { name, keyDigests: keys.map(digestOfKey), isEnabled }
}
const SEARCH = tenant('search', ['s-1', 's-2'])
const OFF = tenant('off', ['o-1'], false)

describe('keyring', () => {
  const ring = createKeyring([SEARCH, OFF], digestOfKey('shared'))
  const find = (...keys: string[]) => ring.find(keys.map(digestOfKey))

  test('knows every key of a tenant, and the shared one', () => {
    expect(find('s-1')).toEqual({ kind: 'tenant', tenant: SEARCH })
    expect(find('s-2')).toEqual({ kind: 'tenant', tenant: SEARCH })
    expect(find('shared')).toEqual({ kind: 'shared' })
  })

  test('knows nothing else', () => {
    for (const key of ['', 's', 's-1 ', 'S-1', 'constructor', '__proto__', digestOfKey('s-1')])
      expect(find(key)).toBeNull()
    expect(find()).toBeNull()
    expect(createKeyring([], null).find([digestOfKey('')])).toBeNull()
  })

  test('takes the first good one of several', () => {
    expect(find('nope', 's-1')).toEqual({ kind: 'tenant', tenant: SEARCH })
    expect(find('shared', 's-1')).toEqual({ kind: 'shared' })
    expect(find('s-1', 'shared')).toEqual({ kind: 'tenant', tenant: SEARCH })
    expect(find('o-1', 's-1')).toEqual({ kind: 'tenant', tenant: SEARCH })
    expect(find('o-1', 'nope')).toEqual({ kind: 'tenant', tenant: OFF })
  })
})

// B54: a lookup must not tell how near a guess is. Measured as a whole, digest and lookup, for keys that share all but the
// last character with a good one and for keys that share nothing.
describe('time of a miss', () => {
  const good = `${'k'.repeat(47)}0`
  const ring = createKeyring([tenant('search', [good])], null)
  const guesses = [Array.from({ length: 64 }, (_, at) => `${'k'.repeat(47)}${String.fromCharCode(65 + at)}`)]
  guesses.push(Array.from({ length: 64 }, (_, at) => `${String.fromCharCode(65 + at)}${'q'.repeat(47)}`))

  function measure(samples: number): readonly number[][] {
    const times: number[][] = [[], []]
    for (let at = 0; at < samples * 2; at += 1) {
      const kind = Math.random() < 0.5 ? 0 : 1
      const key = guesses[kind]?.[at % 64] ?? ''
      const startedAt = performance.now()
      for (let repeat = 0; repeat < 4; repeat += 1) ring.find([digestOfKey(key)])
      times[kind]?.push(performance.now() - startedAt)
    }
    return times
  }

  test('does not depend on how much of a key is right: Welch’s t below 4.5 over 20,000 samples of each', () => {
    measure(2_000)
    // Other processes disturb a machine of two cores; a leak would show every time.
    const best = Math.min(...[1, 2, 3].map(() => Math.abs(welch(measure(20_000).map(withoutOutliers)))))
    expect(best).toBeLessThan(4.5)
  })
})

/** Garbage collection and other processes take their time whatever is measured. */
function withoutOutliers(times: readonly number[]): readonly number[] {
  return times.toSorted((a, b) => a - b).slice(0, Math.floor(times.length * 0.9))
}

function welch([one = [], other = []]: readonly (readonly number[])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = (values: readonly number[]) => {
    const middle = mean(values)
    return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1)
  }
  return (mean(one) - mean(other)) / Math.sqrt(variance(one) / one.length + variance(other) / other.length)
}

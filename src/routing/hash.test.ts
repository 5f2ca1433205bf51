// The hash spreads, and the places it gives candidates are even and independent.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blockHashes, hash32, hash64, hashState, rendezvousPlace } from './hash.ts'

describe('hash64', () => {
  test('these digits, on every engine', () => {
    expect(hash64('')).toBe('14c9ad75b7e77082')
    expect(hash64('a')).toBe('eb43ae96ed14b3dd')
    expect(hash64('session-1')).toBe('600dd101e59581d1')
    expect(hash64('naïve 🙂')).toBe('b56362b7c090f17d')
    expect(hash64('\ud800')).toBe('b49a36260717bcbf')
    expect(hash32('a')).toBe(0xeb43ae96)
  })

  test('16 hexadecimal digits for any text', () => {
    const property = fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(hash64(text)).toMatch(/^[0-9a-f]{16}$/)
    })
    fc.assert(property)
  })

  test('a changed bit of the text changes each bit of the hash half the time', () => {
    const flips = Array.from({ length: 64 }, () => 0)
    let trials = 0
    for (let at = 0; at < 300; at += 1) {
      const text = `user-${at}-abcdefgh`
      for (let bit = 0; bit < text.length * 7; bit += 1) {
        const changed = text.charCodeAt(Math.floor(bit / 7)) ^ (1 << (bit % 7))
        const other =
          text.slice(0, Math.floor(bit / 7)) + String.fromCharCode(changed) + text.slice(Math.floor(bit / 7) + 1)
        const difference = BigInt(`0x${hash64(text)}`) ^ BigInt(`0x${hash64(other)}`)
        for (let out = 0; out < 64; out += 1) flips[out] = (flips[out] ?? 0) + Number((difference >> BigInt(out)) & 1n)
        trials += 1
      }
    }
    for (const count of flips) expect(Math.abs(count / trials - 0.5)).toBeLessThan(0.02)
  })

  test.each([
    ['sessions', (at: number) => `session-${at}`],
    ['addresses', (at: number) => `http://10.${at >> 16}.${(at >> 8) & 255}.${at & 255}:8000`],
    ['long runs', (at: number) => 'a'.repeat(at % 1_000) + Math.floor(at / 1_000)],
  ])('either half collides no more than chance: %s', (_, textOf) => {
    const [halves, wholes] = [new Set<string>(), new Set<string>()]
    for (let at = 0; at < 100_000; at += 1) {
      const hash = hash64(textOf(at))
      halves.add(`high ${hash.slice(0, 8)}`).add(`low ${hash.slice(8)}`)
      wholes.add(hash)
    }
    expect(wholes.size).toBe(100_000)
    // 100,000 draws of 32 bits collide 1.2 times on average; both halves together more than 12 times never.
    expect(200_000 - halves.size).toBeLessThan(12)
  })
})

describe('rendezvousPlace', () => {
  test('is strictly between 0 and 1', () => {
    const property = fc.property(fc.string(), fc.string(), (key, id) => {
      const place = rendezvousPlace(hashState(key), id)
      expect(place > 0 && place < 1).toBe(true)
    })
    fc.assert(property)
  })

  test('candidates with nearly the same name stand independently of each other', () => {
    const ids = Array.from({ length: 8 }, (_, at) => `http://10.0.0.${at}:8000`)
    const counts = new Map<string, number>()
    for (let at = 0; at < 56_000; at += 1) {
      const key = hashState(hash64(`session-${at}`))
      const ranked = ids.toSorted((a, b) => rendezvousPlace(key, b) - rendezvousPlace(key, a))
      const pair = `${ranked[0]} then ${ranked[1]}`
      counts.set(pair, (counts.get(pair) ?? 0) + 1)
    }
    // 56 ordered pairs of first and second, 1,000 each: 55 degrees of freedom, above 110 once in a hundred thousand.
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0)
    expect(counts.size).toBe(56)
    expect(chiSquare).toBeLessThan(110)
  })
})

describe('blockHashes', () => {
  const from = hashState('m')
  const bytesOf = (text: string) => new TextEncoder().encode(text)

  test('these digits, on every engine and wherever the bytes lie', () => {
    const digits = ['9421558cec4e48ce', '777c20474f24571d']
    const bytes = bytesOf('the quick brown fox jumps over it')
    expect(blockHashes(bytes, 16, from)).toEqual(digits)
    const moved = new Uint8Array([7, ...bytes]).subarray(1)
    expect(blockHashes(moved, 16, from)).toEqual(digits)
  })

  test('one for each whole block', () => {
    const counts = [0, 15, 16, 17, 32].map((length) => blockHashes(new Uint8Array(length), 16, from).length)
    expect(counts).toEqual([0, 0, 1, 1, 2])
  })

  test('any change of a byte changes the hash of its block and all after it, and none before', () => {
    const property = fc.property(
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      fc.nat(63),
      fc.integer({ min: 1, max: 255 }),
      (bytes, at, by) => {
        const before = blockHashes(bytes, 16, from)
        const changed = bytes.slice()
        changed[at] = (changed[at] ?? 0) ^ by
        const after = blockHashes(changed, 16, from)
        expect(after.map((hash, block) => hash === before[block])).toEqual(
          [0, 1, 2, 3].map((block) => block < Math.floor(at / 16)),
        )
      },
    )
    fc.assert(property)
  })

  test('blocks that look alike don’t meet', () => {
    const hashes = Array.from({ length: 50_000 }, (_, n) => blockHashes(bytesOf(`user ${n}`.padEnd(32)), 32, from)[0])
    expect(new Set(hashes).size).toBe(50_000)
  })
})

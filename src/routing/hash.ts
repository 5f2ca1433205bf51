// A 64-bit hash of strings from 32-bit integer arithmetic, and the place a key gives a candidate under rendezvous
// hashing. Fast and well spread, not cryptographic: it protects nothing against somebody who looks for collisions.

/** State of a hash: two 32-bit halves. */
export interface HashState {
  readonly high: number
  readonly low: number
}

const START: HashState = Object.freeze({ high: 0x243f6a88, low: 0x13198a2e })

/** The state after `text`, so that many strings can be hashed behind one key without hashing the key again. */
export function hashState(text: string, from: HashState = START): HashState {
  let high = from.high
  let low = from.low
  const { length } = text
  for (let at = 0; at < length; at += 2) {
    // Two UTF-16 units at a time. The last one of an odd text stands alone; the length below tells it from a zero unit.
    const second = at + 1 < length ? text.charCodeAt(at + 1) : 0
    const block = text.charCodeAt(at) | (second << 16)
    // Two lanes that don't wait for each other. For a given block each step can be undone: nothing is lost.
    high = Math.imul(high ^ block, 0x9e3779b1)
    high = (high << 15) | (high >>> 17)
    low = Math.imul(low ^ block, 0x85ebca77)
    low = (low << 13) | (low >>> 19)
  }
  return { high: high ^ length, low }
}

/** The 64-bit hash of a text as 16 hexadecimal digits, over its UTF-16 units (lone surrogates count too). */
export function hash64(text: string): string {
  const state = finish(hashState(text))
  return toHex(state.high) + toHex(state.low)
}

/** The upper half of `hash64`. */
export function hash32(text: string): number {
  return finish(hashState(text)).high >>> 0
}

/**
 * One 64-bit hash for each whole block of `bytes`: of the block, of all before it, and of `from`. `blockBytes` is a
 * multiple of four. One pass, whatever the number of blocks.
 */
export function blockHashes(bytes: Uint8Array, blockBytes: number, from: HashState): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hashes: string[] = []
  let { high, low } = from
  for (let end = blockBytes; end <= bytes.length; end += blockBytes) {
    for (let at = end - blockBytes; at < end; at += 4) {
      const block = view.getUint32(at, true)
      high = Math.imul(high ^ block, 0x9e3779b1)
      high = (high << 15) | (high >>> 17)
      low = Math.imul(low ^ block, 0x85ebca77)
      low = (low << 13) | (low >>> 19)
    }
    const state = finish({ high, low })
    hashes.push(toHex(state.high) + toHex(state.low))
  }
  return hashes
}

/**
 * Where a candidate stands for a key: a number strictly between 0 and 1, independent between candidates and keys.
 * `key` is the state after the key's text.
 */
export function rendezvousPlace(key: HashState, candidateId: string): number {
  return placeOf(hashState(candidateId, key))
}

/** The place that a state stands for. */
export function placeOf(state: HashState): number {
  const { high, low } = finish(state)
  // 52 bits and a half: neither end can be reached, so the logarithm of a place is finite and below zero.
  return ((high >>> 0) * 0x10_0000 + (low >>> 12) + 0.5) / 0x10_0000_0000_0000
}

/** What `hashState` reads of a text, two UTF-16 units at a time. */
export function blocksOf(text: string): Int32Array {
  const blocks = new Int32Array(Math.ceil(text.length / 2))
  for (let at = 0; at < blocks.length; at += 1) {
    const second = 2 * at + 1 < text.length ? text.charCodeAt(2 * at + 1) : 0
    blocks[at] = text.charCodeAt(2 * at) | (second << 16)
  }
  return blocks
}

/** The state after blocks `from` to `to`, without the length that ends a text. */
export function stateAfter(blocks: Int32Array, from: number, to: number, state: HashState): HashState {
  let { high, low } = state
  for (let at = from; at < to; at += 1) {
    const block = blocks[at] ?? 0
    high = Math.imul(high ^ block, 0x9e3779b1)
    high = (high << 15) | (high >>> 17)
    low = Math.imul(low ^ block, 0x85ebca77)
    low = (low << 13) | (low >>> 19)
  }
  return { high, low }
}

function finish(state: HashState): HashState {
  let high = (state.high + state.low) | 0
  let low = (state.low + high) | 0
  high = avalanche(high)
  low = avalanche(low)
  high = (high + low) | 0
  return { high, low: (low + high) | 0 }
}

/** The 32-bit finaliser of Austin Appleby's MurmurHash3 (public domain): a bit in flips each bit out half the time. */
function avalanche(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}

function toHex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0')
}

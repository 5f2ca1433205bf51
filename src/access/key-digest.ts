// Keys are kept and compared as SHA-256 digests: a dump of memory holds no key, and a comparison's time tells nothing.

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

const ENCODER = new TextEncoder()

/** SHA-256 of a key's UTF-8 bytes, 64 hexadecimal digits in lower case. */
export function digestOfKey(key: string): string {
  return bytesToHex(sha256(ENCODER.encode(key)))
}

/** Compares two digests in time that depends on their length alone. */
export function equalDigests(one: string, other: string): boolean {
  let difference = one.length ^ other.length
  for (let index = 0; index < one.length; index += 1) difference |= one.charCodeAt(index) ^ other.charCodeAt(index)
  return difference === 0
}

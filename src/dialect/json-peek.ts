// Reads single fields out of JSON bytes that a worker sent, without parsing the rest: streams bring thousands of events.
// A quoted key can't be faked by text, because quotes inside a JSON string are escaped.

import { matchesAt } from './ascii.ts'
import { endOfValue } from './json-scan.ts'

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b

/** Keeps nothing from one text to the next, as none is decoded in parts. */
const UTF8 = new TextDecoder()

/** Deeper than any field a worker nests; only there to bound the scan. */
const MAX_DEPTH = 128

/** Index of the first byte of the value of the last `key`, at any depth; -1 when there is none. */
export function lastValueStart(bytes: Uint8Array, key: string): number {
  for (let close = bytes.length - 1; close > key.length; close--) {
    if (bytes[close] !== QUOTE) continue
    const value = valueAfterKey(bytes, close, key)
    if (value >= 0) return value
  }
  return -1
}

/** As `lastValueStart`, for the first `key`. */
export function firstValueStart(bytes: Uint8Array, key: string): number {
  for (let close = key.length + 1; close < bytes.length; close++) {
    if (bytes[close] !== QUOTE) continue
    const value = valueAfterKey(bytes, close, key)
    if (value >= 0) return value
  }
  return -1
}

/** Whether the last `key` has a string that is not empty. */
export function hasText(bytes: Uint8Array, key: string): boolean {
  const start = lastValueStart(bytes, key)
  return start >= 0 && bytes[start] === QUOTE && start + 1 < bytes.length && bytes[start + 1] !== QUOTE
}

/** A copy of the JSON text of the last `key` whose value is an object. The bytes it came from may be given away. */
export function copyLastObject(bytes: Uint8Array, key: string): Uint8Array | null {
  const start = lastValueStart(bytes, key)
  if (start < 0 || bytes[start] !== OPEN_BRACE) return null
  const end = endOfValue(bytes, start, MAX_DEPTH)
  return end < 0 ? null : bytes.slice(start, end)
}

/** The string that starts at `start`; null when what stands there is no string. */
export function stringAt(bytes: Uint8Array, start: number): string | null {
  if (start < 0 || bytes[start] !== QUOTE) return null
  const value = parseJson(bytes.subarray(start, Math.max(start, endOfValue(bytes, start, MAX_DEPTH))))
  return typeof value === 'string' ? value : null
}

/** Parses what a worker sent; undefined when it is no JSON, which is the worker's affair and the client's to see. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes))
  } catch {
    // Forwarded as it is all the same; the facts it might have held stay unknown.
    return undefined
  }
}

/** The field of a parsed value that may be anything. */
export function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Readonly<Record<string, unknown>>)[key] // an object of unknown shape, read field by field
}

/** A count a worker reports; null unless it is a whole number of at least zero. */
export function countOf(value: unknown, key: string): number | null {
  const count = fieldOf(value, key)
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : null
}

function valueAfterKey(bytes: Uint8Array, close: number, key: string): number {
  const open = close - key.length - 1
  if (bytes[open] !== QUOTE || bytes[open - 1] === BACKSLASH || !matchesAt(bytes, open + 1, key)) return -1
  const colon = skipSpace(bytes, close + 1)
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1) : -1
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++
  return at
}

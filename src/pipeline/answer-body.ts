// What is looked at in an answer that was read whole: its type, whether it is all there, and a response's id.

import type { AnswerHeaders } from '../platform.ts'

/** The media type without parameters, lower case; empty when there is none. */
export function mediaType(headers: AnswerHeaders): string {
  const type = headers.get('content-type') ?? ''
  const parametersAt = type.indexOf(';')
  return (parametersAt === -1 ? type : type.slice(0, parametersAt)).trim().toLowerCase()
}

export function isJson(headers: AnswerHeaders): boolean {
  const type = mediaType(headers)
  return type === 'application/json' || type.endsWith('+json')
}

const OPENERS: ReadonlySet<number> = new Set([0x7b, 0x5b, 0x22]) // { [ "
const CLOSERS: ReadonlySet<number> = new Set([0x7d, 0x5d, 0x22]) // } ] "

/** Whether a JSON answer begins and ends as one must. Cheap, and enough to notice a cut; parsing is the client's. */
export function looksLikeWholeJson(bytes: Uint8Array): boolean {
  const isBlank = (byte: number | undefined) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
  let start = 0
  let end = bytes.length - 1
  while (start < end && isBlank(bytes[start])) start += 1
  while (end > start && isBlank(bytes[end])) end -= 1
  const [first, last] = [bytes[start], bytes[end]]
  if (first === undefined || last === undefined) return false
  // `null`, `true` and numbers are whole documents too; nothing can be told of them from their ends.
  return OPENERS.has(first) ? CLOSERS.has(last) && end > start : true
}

/** How much of an answer's end is searched for `usage`: vLLM writes it after the choices, before a few nulls. */
const USAGE_TAIL_BYTES = 4_096

export function tailOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(Math.max(0, bytes.length - USAGE_TAIL_BYTES))
}

/** The top-level `id` of an answer; null when it has none. */
export function readResponseId(bytes: Uint8Array): string | null {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof body === 'object' && body !== null && 'id' in body && typeof body.id === 'string' ? body.id : null
  } catch {
    // Not JSON after all: then there is no id to remember, and the client gets the bytes as they are.
    return null
  }
}

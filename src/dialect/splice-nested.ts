// Changes below the top level of a JSON body, in its own bytes: one member of an object, the text that a prompt begins with.
// As in splice.ts, what is not named stays as it was, to the byte.

import type { JsonBody } from './json-body.ts'
import { JSON_LIMITS, parseJsonBody } from './json-body.ts'
import { endOfValue, findMember, type JsonMember, scanJsonObject } from './json-scan.ts'
import { spliceMembers, withEdits } from './splice.ts'

/** Sets one member of the object under `key`; where there is no such object, it becomes one. */
export function setNestedMember(body: JsonBody, key: string, nested: string, value: unknown): Uint8Array<ArrayBuffer> {
  const member = findMember(body.bytes, body.members, key)
  const inner = member === null ? null : objectAt(body.bytes, member)
  if (member === null || inner === null) return spliceMembers(body, new Map([[key, { [nested]: value }]]))
  return replaceValue(body.bytes, member, spliceMembers(inner, new Map([[nested, value]])))
}

/** Where a request keeps what the model is told beforehand. */
export type SystemPlace = 'messages' | 'system' | 'instructions'

/** Puts a text there: before what the request says itself, or in its place. */
export function setSystemPrompt(
  body: JsonBody,
  place: SystemPlace,
  prompt: { readonly text: string; readonly mode: 'replace' | 'insert' },
): Uint8Array<ArrayBuffer> {
  if (place === 'messages') return inMessages(body, prompt)
  const member = findMember(body.bytes, body.members, place)
  if (member === null || prompt.mode === 'replace') return spliceMembers(body, new Map([[place, prompt.text]]))
  const before = insertionBefore(body.bytes, member.valueStart, prompt.text)
  if (before === null) return spliceMembers(body, new Map([[place, prompt.text]]))
  return withEdits(body.bytes, [before])
}

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

function inMessages(
  body: JsonBody,
  { text, mode }: { readonly text: string; readonly mode: 'replace' | 'insert' },
): Uint8Array<ArrayBuffer> {
  const { bytes, value } = body
  const { messages } = value
  const member = findMember(bytes, body.members, 'messages')
  // The worker is to say what is wrong with a request that has none.
  if (member === null || !Array.isArray(messages) || bytes[member.valueStart] !== OPEN_BRACKET) return bytes
  const index = messages.findIndex(isInstruction)
  if (index === -1) {
    const added = JSON.stringify({ role: 'system', content: text })
    const at = member.valueStart + 1
    return withEdits(bytes, [{ start: at, end: at, text: messages.length === 0 ? added : `${added},` }])
  }
  const span = elementAt(bytes, member.valueStart, index)
  const message = objectAt(bytes, span)
  const content = message === null ? null : findMember(message.bytes, message.members, 'content')
  if (message === null) return bytes
  const before =
    content === null || mode === 'replace' ? null : insertionBefore(message.bytes, content.valueStart, text)
  const changed =
    before === null ? spliceMembers(message, new Map([['content', text]])) : withEdits(message.bytes, [before])
  return replaceValue(bytes, span, changed)
}

function isInstruction(message: unknown): boolean {
  if (typeof message !== 'object' || message === null || !Object.hasOwn(message, 'role')) return false
  const { role } = message as { readonly role: unknown } // has it, checked above
  return role === 'system' || role === 'developer'
}

/** What puts a text before a value that is text or a list of parts; null where it is neither. */
function insertionBefore(bytes: Uint8Array, valueStart: number, text: string) {
  const at = valueStart + 1
  if (bytes[valueStart] === QUOTE) return { start: at, end: at, text: JSON.stringify(`${text}\n\n`).slice(1, -1) }
  if (bytes[valueStart] !== OPEN_BRACKET) return null
  const part = JSON.stringify({ type: 'text', text })
  const isEmpty = bytes[skipSpace(bytes, at)] === CLOSE_BRACKET
  return { start: at, end: at, text: isEmpty ? part : `${part},` }
}

type Span = Pick<JsonMember, 'valueStart' | 'valueEnd'>

/** Where an element of the array that begins at `open` lies. It is known to be there. */
function elementAt(bytes: Uint8Array, open: number, index: number): Span {
  let at = skipSpace(bytes, open + 1)
  for (let passed = 0; ; passed += 1) {
    const end = endOfValue(bytes, at, JSON_LIMITS.maxDepth)
    if (passed === index || end < 0) return { valueStart: at, valueEnd: Math.max(end, at) }
    at = skipSpace(bytes, end)
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1)
  }
}

/** The object that a value is, with its own bytes; null when it is none. */
function objectAt(bytes: Uint8Array<ArrayBuffer>, { valueStart, valueEnd }: Span): JsonBody | null {
  const own = bytes.slice(valueStart, valueEnd)
  return scanJsonObject(own, 0, JSON_LIMITS).kind === 'object' ? parseJsonBody(own) : null
}

function replaceValue(
  bytes: Uint8Array<ArrayBuffer>,
  { valueStart, valueEnd }: Span,
  value: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes.length - (valueEnd - valueStart) + value.length)
  result.set(bytes.subarray(0, valueStart), 0)
  result.set(value, valueStart)
  result.set(bytes.subarray(valueEnd), valueStart + value.length)
  return result
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1
  return at
}

// The protocol of hooks: what one may answer, and what it is sent in place of a body it can't be shown.

import { findMember, scanJsonObject, type JsonMember } from './json-scan.ts'
import { JSON_LIMITS } from './json-body.ts'

export type HookAnswer =
  | { readonly kind: 'allow' }
  | { readonly kind: 'reject'; readonly reason: string | null }
  /** The bytes of `body` as the hook wrote them, so that numbers and key order are its own. */
  | { readonly kind: 'transform'; readonly body: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'transform_without_body' }
  /** There is a `body`, and it is no object. */
  | { readonly kind: 'transform_of_wrong_type' }
  | { readonly kind: 'unknown_action' }
  | { readonly kind: 'unreadable'; readonly why: string }

/** What a hook may know of a request without its text. Names and order are a contract. */
export interface HookMetadata {
  readonly model: string | null
  /** Path as the catalogue writes it, such as `/v1/responses/:id`. */
  readonly route: string
  readonly tenant: string | null
  /** Null where it is not known before the body's end. */
  readonly stream: boolean | null
  /** Null where the request does not say. */
  readonly body_bytes: number | null
  readonly content_type: string | null
}

/** A body that is as deep as a request's may be lies one level down in the answer. */
const LIMITS = { ...JSON_LIMITS, maxDepth: JSON_LIMITS.maxDepth + 1 } as const

const OPEN_BRACE = 0x7b

/** Reads a hook's answer. Never throws: a hook's mistakes are outcomes. */
export function readHookAnswer(bytes: Uint8Array<ArrayBuffer>): HookAnswer {
  const scan = scanJsonObject(bytes, hasByteOrderMark(bytes) ? 3 : 0, LIMITS)
  if (scan.kind !== 'object' || !isJson(bytes)) return { kind: 'unreadable', why: 'no JSON object' }
  const member = (key: string) => findMember(bytes, scan.members, key)
  const action = parseMember(bytes, member('action'))
  if (typeof action !== 'string') return { kind: 'unreadable', why: 'no action' }
  switch (action) {
    case 'allow':
      return { kind: 'allow' }
    case 'reject':
      return { kind: 'reject', reason: textOrNull(parseMember(bytes, member('reason'))) }
    case 'transform':
      return readTransform(bytes, member('body'))
    default:
      return { kind: 'unknown_action' }
  }
}

/** What is sent when the request's own body is not: its circumstances, never its text. */
export function toMetadataBytes(metadata: HookMetadata): Uint8Array<ArrayBuffer> {
  // The copy is for the type alone: runtimes' declarations disagree on what kind of buffer an encoder fills.
  return new Uint8Array(new TextEncoder().encode(JSON.stringify(metadata)))
}

function readTransform(bytes: Uint8Array<ArrayBuffer>, body: JsonMember | null): HookAnswer {
  if (body === null) return { kind: 'transform_without_body' }
  if (bytes[body.valueStart] === OPEN_BRACE) {
    return { kind: 'transform', body: bytes.slice(body.valueStart, body.valueEnd) }
  }
  return { kind: parseMember(bytes, body) === null ? 'transform_without_body' : 'transform_of_wrong_type' }
}

function parseMember(bytes: Uint8Array, member: JsonMember | null): unknown {
  if (member === null) return undefined
  return JSON.parse(new TextDecoder().decode(bytes.subarray(member.valueStart, member.valueEnd)))
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
    return true
  } catch {
    // Not UTF-8 or not JSON: the same to whoever waits for an answer.
    return false
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

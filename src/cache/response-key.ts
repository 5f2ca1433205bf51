// The key of a cached answer: SHA-256 over everything that shapes the answer, and whose it is.

import { type CanonicalMember, canonicalMembers, joinMembers } from './canonical-json.ts'

/** What of a request its answer depends on. */
export interface KeyedRequest {
  /** Whose answers these are; null for all callers together who share one key, or need none. */
  readonly party: string | null
  /** Path and query, as the worker gets them. */
  readonly target: string
  /** The model it was routed to. */
  readonly model: string
  /** How a stream is told to look; requests that do not stream have their own answers. */
  readonly shape: string
  /** What the worker gets of its headers, as far as an answer may depend on it. */
  readonly headers: Headers
  /** More of them, by the operator's choice; lower case. */
  readonly forwardHeaders: readonly string[]
  /** What is done to headers on the way, as text; null for nothing. */
  readonly headerChanges: string | null
}

/** Changes when what a key stands for changes: entries of another version are never read. */
const VERSION = 1

/**
 * Top-level fields that no answer depends on. `model` and `stream` are in the key in other words: the routed model and
 * the shape. `user` is for the operator's books; workers do not read it. `request_id` only names the answer, and a cached
 * answer keeps the name it was given first.
 */
const NOT_SHAPING: ReadonlySet<string> = new Set(['"model"', '"stream"', '"user"', '"request_id"'])

/** Headers that workers get and whose meaning could reach an answer. Traces, ids and the client's name could not. */
const SHAPING_HEADERS: readonly string[] = [
  'accept',
  'accept-language',
  'content-language',
  'x-model-preference',
  'x-routed-by',
]

/** What says no more than the header's absence does (RFC 9110, sections 12.5.1 and 12.5.4); some clients send it always. */
const ANYTHING: ReadonlyMap<string, string> = new Map([
  ['accept', '*/*'],
  ['accept-language', '*'],
])

/** What semantic routers in front of this one say. */
const SHAPING_PREFIX = 'x-semantic-'

/** The body's members that count, in canonical form. */
export function shapingMembers(body: string): readonly CanonicalMember[] {
  return canonicalMembers(body).filter(({ key }) => !NOT_SHAPING.has(key))
}

/**
 * 64 hexadecimal digits. Equal for two requests only if all that is in `KeyedRequest`, and the members, are equal. `basis`
 * stands for what else keys are apart by, where they are no keys of answers.
 */
export async function responseKey(
  request: KeyedRequest,
  members: readonly CanonicalMember[],
  basis: string | null = null,
): Promise<string> {
  const { party, target, model, shape, headerChanges } = request
  // A list in JSON has no line break, so the first one parts it from the members.
  const head = JSON.stringify([VERSION, basis, party, target, model, shape, headerChanges, ...shapingHeaders(request)])
  return sha256(`${head}\n${joinMembers(members)}`)
}

async function sha256(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function shapingHeaders({ headers, forwardHeaders }: KeyedRequest): (readonly [string, string])[] {
  const names = new Set([...SHAPING_HEADERS, ...forwardHeaders])
  for (const name of headers.keys()) if (name.startsWith(SHAPING_PREFIX)) names.add(name)
  return [...names].sort().flatMap((name) => {
    const value = headers.get(name)
    return value === null || value === ANYTHING.get(name) ? [] : [[name, value] as const]
  })
}

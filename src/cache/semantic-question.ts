// What of a request may be told in other words: the text of its newest message, or its prompt. All the rest has to be equal
// to the letter: earlier turns, system prompt, tools, response format, sampling.

import { type CanonicalMember, canonicalItems, canonicalMembers, joinMembers } from './canonical-json.ts'

export interface SemanticQuestion {
  readonly text: string
  /** The body's members without that text, and what of it has to be equal all the same. */
  readonly rest: readonly CanonicalMember[]
}

/**
 * Embedding models read the beginning of a text, some hundred tokens: longer texts that begin alike would be one to them.
 * In bytes, as a token is fewer characters of most scripts than of Latin.
 */
const MAX_TEXT_BYTES = 1_000

/**
 * What no other words can say: numbers, and runs too long for a word (hashes, addresses, code), which tokenisers give up on.
 * Vectors of texts that differ in these alone are next to each other.
 */
const LITERALS = /[!-~]{40,}|[-−]?\p{N}+(?:[.,:/-]\p{N}+)*/gu

/** Null where there is no such text, or more than text, or more than can be compared. */
export function semanticQuestion(members: readonly CanonicalMember[]): SemanticQuestion | null {
  const at = members.findIndex(({ key }) => key === '"messages"' || key === '"prompt"')
  const member = members[at]
  // Keys that repeat, or both of them: nobody can say what such a request asks.
  if (member === undefined || members.some(({ key }, other) => other !== at && ASKING.has(key))) return null
  const found = member.key === '"prompt"' ? { text: readText(member.value), value: '' } : newestOf(member.value)
  const { text, value } = found
  if (text === null || text.trim() === '' || new TextEncoder().encode(text).length > MAX_TEXT_BYTES) return null
  // Keys of a body have quotes; this one is none of them.
  const literals = { key: 'literals', value: JSON.stringify(text.match(LITERALS) ?? []) }
  return { text, rest: [...members.with(at, { key: member.key, value }), literals] }
}

const ASKING: ReadonlySet<string> = new Set(['"messages"', '"prompt"'])

/** The newest message's text, and the conversation without it. */
function newestOf(messages: string): { readonly text: string | null; readonly value: string } {
  const none = { text: null, value: '' }
  if (!messages.startsWith('[')) return none
  const items = canonicalItems(messages)
  const newest = items.at(-1)
  if (newest === undefined || !newest.startsWith('{')) return none
  const members = canonicalMembers(newest)
  const contents = members.filter(({ key }) => key === '"content"')
  const roles = members.filter(({ key }) => key === '"role"')
  const [content] = contents
  if (content === undefined || contents.length > 1 || roles.length !== 1 || roles[0]?.value !== '"user"') return none
  const others = members.filter((member) => member !== content)
  return {
    text: readText(content.value) ?? readParts(content.value),
    value: `[${[...items.slice(0, -1), joinMembers(others)].join(',')}]`,
  }
}

function readText(json: string): string | null {
  if (!json.startsWith('"')) return null
  const text: unknown = JSON.parse(json)
  return typeof text === 'string' ? text : null
}

/** Of a list of text parts alone, put together as for signals: a picture can't be told in other words. */
function readParts(json: string): string | null {
  const parts: unknown = json.startsWith('[') ? JSON.parse(json) : null
  if (!Array.isArray(parts)) return null
  const texts = parts.map((part: unknown) => (isTextPart(part) ? part.text : null))
  return texts.includes(null) ? null : texts.join(' ')
}

function isTextPart(part: unknown): part is { readonly text: string } {
  if (typeof part !== 'object' || part === null || Object.keys(part).length !== 2) return false
  return 'type' in part && part.type === 'text' && 'text' in part && typeof part.text === 'string'
}

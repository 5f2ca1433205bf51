// Changes top-level members of a JSON body in its own bytes: what is not named stays as it was, to the byte.
// Serialising the parsed body instead would change numbers, escapes and the order of keys.

import type { JsonBody } from './json-body.ts'
import { type JsonMember, memberKey } from './json-scan.ts'

/** A run of the original bytes and the text that takes its place. */
interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/**
 * The body's bytes with `edits` made: the value of every member of that name is replaced (parsers differ on which of
 * two they take), a name the body lacks is put first. The same bytes when there is nothing to do.
 */
export function spliceMembers(body: JsonBody, edits: ReadonlyMap<string, unknown>): Uint8Array<ArrayBuffer> {
  if (edits.size === 0) return body.bytes
  const { bytes, members } = body
  const replaced = replacements(bytes, members, edits)
  const found = new Set(replaced.map(({ key }) => key))
  const added = [...edits].filter(([key]) => !found.has(key))
  const opening = added.length === 0 ? [] : [insertion(body, added)]
  return withEdits(bytes, [...opening, ...replaced])
}

/** What a worker gets for an attempt on a model: the body as it came when it names that model, or when null is asked. */
export function bodyForModel(body: JsonBody): (model: string | null) => Uint8Array<ArrayBuffer> {
  const own = Object.hasOwn(body.value, 'model') ? body.value['model'] : null
  let last: { readonly model: string; readonly bytes: Uint8Array<ArrayBuffer> } | null = null
  return function forModel(model) {
    if (model === null || model === own) return body.bytes
    // Attempts after the first mostly want the same model again, and bodies are big.
    if (last?.model !== model) last = { model, bytes: spliceMembers(body, new Map([['model', model]])) }
    return last.bytes
  }
}

function replacements(
  bytes: Uint8Array,
  members: readonly JsonMember[],
  edits: ReadonlyMap<string, unknown>,
): (Edit & { readonly key: string })[] {
  // The longest key with each character spelt \uXXXX, and two quotes: no longer key can be one of them.
  const longest = Math.max(...[...edits.keys()].map((key) => key.length)) * 6 + 2
  return members.flatMap((member) => {
    if (member.keyEnd - member.keyStart > longest) return []
    const key = memberKey(bytes, member)
    if (!edits.has(key)) return []
    return [{ key, start: member.valueStart, end: member.valueEnd, text: JSON.stringify(edits.get(key)) }]
  })
}

function insertion({ bytes, members }: JsonBody, added: readonly (readonly [string, unknown])[]): Edit {
  // Only white space and a byte order mark can stand before the brace of a body that was parsed.
  const at = bytes.indexOf(0x7b) + 1
  const text = added.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')
  return { start: at, end: at, text: members.length === 0 ? text : `${text},` }
}

/** One copy of `bytes` with the edits made; they come in order and don't overlap. */
export function withEdits(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder()
  const texts = edits.map(({ text }) => encoder.encode(text))
  const grown = edits.reduce((sum, { start, end }, index) => sum + (texts[index]?.length ?? 0) - (end - start), 0)
  const result = new Uint8Array(bytes.length + grown)
  let from = 0
  let to = 0
  for (const [index, { start, end }] of edits.entries()) {
    result.set(bytes.subarray(from, start), to)
    to += start - from
    const text = texts[index]
    if (text !== undefined) {
      result.set(text, to)
      to += text.length
    }
    from = end
  }
  result.set(bytes.subarray(from), to)
  return result
}

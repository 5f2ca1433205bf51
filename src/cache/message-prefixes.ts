// What the token ids of earlier conversations say of one that begins with the same messages. Ids of a template are not
// ids of its messages one after the other, so nothing is put together here: what is given out are leading ids alone, cut
// well before where the known messages end, and only where it was seen that they stay the same whatever follows.
// docs/decisions/0021-token-cache.md has the reasons.

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { type TemplateFields, type TemplateInput, textOf } from './template-input.ts'

/**
 * Ids that are dropped where known messages end: those that open the answer's turn, and those that a tokenizer may have
 * made of both sides of the border. The templates of Llama 3, Qwen 3, Mistral, DeepSeek and gpt-oss open a turn with 2 to 8.
 */
export const BORDER_IDS = 16

/** Fewer leading ids are not worth more than asking: LMCache knows chunks of 256. */
export const MIN_LEADING_IDS = 256

/** Text behind the known messages, in bytes of JSON, that a lookup can do without: some two chunks of LMCache's. */
export const MAX_UNKNOWN_BYTES = 2_048

/** How many messages at the end may be new: an answer, what its tools returned, and the next question. */
const MAX_NEW_MESSAGES = 4

/** Templates with their arguments, and system prompts, that are remembered. */
const MAX_REMEMBERED = 1_000

/** How long what was seen of a template counts. */
const SEEN_MS = 3_600_000

/** How soon system messages are tokenised alone again when that came to nothing. */
const AGAIN_MS = 60_000

/** One prompt among those known. */
export interface PrefixLookup {
  /** Keys of the messages it begins with, the longest first. */
  readonly keys: readonly string[]
  /** The key of all its messages; null when what follows them would change their ids. */
  readonly whole: string | null
  /** Whether leading ids that were found under the key of this place will do without asking for the rest. */
  suffices(index: number, leading: Uint32Array, wanted: number | undefined): boolean
  /** The system messages it opens with, to be tokenised alone; null for none, nothing else, and those just given out. */
  opening(): { readonly key: string; readonly fields: TemplateFields } | null
  /** Ids of all messages without those at the border; null when too few are left. */
  leadingOf(ids: Uint32Array): Uint32Array | null
  /** Notes whether leading ids turned out to be those that the whole prompt begins with. */
  compare(leading: Uint32Array, whole: Uint32Array): boolean
}

export class MessagePrefixes {
  readonly #now: () => number
  /** Whether leading ids stay the same under a template, by everything but its messages. */
  readonly #seen = new Map<string, { readonly isSteady: boolean; readonly untilMs: number }>()
  /** When system messages were given out last, by their key. */
  readonly #givenOut = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Null for a prompt without messages, or of a template under which leading ids change. */
  lookup(prompt: TemplateInput): PrefixLookup | null {
    const { messages: list, add_generation_prompt: _opens, continue_final_message: goesOn, ...others } = prompt.fields
    if (!Array.isArray(list) || list.length === 0) return null
    const messages: readonly unknown[] = list
    const template = bytesToHex(sha256(ENCODER.encode(textOf({ ...prompt, fields: others }))))
    if (this.#isSteady(template) === false) return null
    const texts = messages.map((message) => JSON.stringify(message))
    const keys = keysOf(template, texts)
    const lengths = earlierLengths(messages)
    return {
      keys: lengths.map((length) => keys[length - 1] ?? ''),
      whole: goesOn === true ? null : (keys.at(-1) ?? null),
      suffices: (index, leading, wanted) => {
        if (this.#isSteady(template) !== true) return false
        return leading.length >= (wanted ?? Infinity) || bytesAfter(texts, lengths[index] ?? 0) <= MAX_UNKNOWN_BYTES
      },
      opening: () => {
        const length = systemMessages(messages)
        const key = keys[length - 1]
        if (key === undefined || length === messages.length || this.#isGivenOut(key)) return null
        remember(this.#givenOut, key, this.#now())
        return { key, fields: { ...others, messages: messages.slice(0, length), add_generation_prompt: false } }
      },
      leadingOf: (ids) => (ids.length < MIN_LEADING_IDS + BORDER_IDS ? null : ids.slice(0, ids.length - BORDER_IDS)),
      compare: (leading, whole) => {
        const isSteady = leading.length <= whole.length && leading.every((id, at) => id === whole[at])
        this.#note(template, isSteady)
        return isSteady
      },
    }
  }

  #isSteady(template: string): boolean | null {
    const seen = this.#seen.get(template)
    return seen === undefined || seen.untilMs <= this.#now() ? null : seen.isSteady
  }

  #note(template: string, isSteady: boolean): void {
    remember(this.#seen, template, { isSteady, untilMs: this.#now() + SEEN_MS })
  }

  #isGivenOut(key: string): boolean {
    return this.#now() < (this.#givenOut.get(key) ?? Number.NEGATIVE_INFINITY) + AGAIN_MS
  }
}

function remember<Value>(entries: Map<string, Value>, key: string, value: Value): void {
  entries.delete(key)
  entries.set(key, value)
  for (const oldest of entries.keys()) {
    if (entries.size <= MAX_REMEMBERED) break
    entries.delete(oldest)
  }
}

/** Numbers of messages that an earlier prompt may have had, the largest first. */
function earlierLengths(messages: readonly unknown[]): readonly number[] {
  const lengths: number[] = []
  for (let length = messages.length - 1; length > 0 && lengths.length < MAX_NEW_MESSAGES; length -= 1) {
    lengths.push(length)
  }
  const opening = systemMessages(messages)
  if (opening > 0 && opening < (lengths.at(-1) ?? 0)) lengths.push(opening)
  return lengths
}

function systemMessages(messages: readonly unknown[]): number {
  const first = messages.findIndex((message) => !isSystem(message))
  return first === -1 ? messages.length : first
}

function isSystem(message: unknown): boolean {
  if (typeof message !== 'object' || message === null || !('role' in message)) return false
  return message.role === 'system' || message.role === 'developer'
}

/** A key for each number of messages; each of its messages and all before them. */
function keysOf(template: string, texts: readonly string[]): readonly string[] {
  const hash = sha256.create().update(ENCODER.encode(template))
  return texts.map((text) => {
    // No JSON holds a line break of its own, so no two lists of messages read alike.
    hash.update(ENCODER.encode(`\n${text}`))
    return `p${bytesToHex(hash.clone().digest())}`
  })
}

function bytesAfter(texts: readonly string[], length: number): number {
  return texts.slice(length).reduce((sum, text) => sum + ENCODER.encode(text).length, 0)
}

const ENCODER = new TextEncoder()

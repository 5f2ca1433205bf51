// A prompt as chained hashes of its blocks, whatever the API: two prompts share as many leading hashes as they share
// leading blocks. Of its text nothing is kept. The order is that in which templates write it: tools, system, messages.

import { blockHashes, hash64, hashState } from './hash.ts'

/** What is hashed of one prompt: all of nearly any, 262,144 tokens. */
export const MAX_HASHED_BYTES = 1024 * 1024

/** Bytes that one token id stands for. */
const TOKEN_ID_BYTES = 4

/** The bytes of a request's prompts, before it is known which model gets them. */
export interface WrittenPrompt {
  /** What else caches are apart by: salt, adapter, what a template is told. */
  readonly apart: string
  /** Nearly always one. */
  readonly prompts: readonly PromptBytes[]
  /** Number of tokens where the caller sent token ids; null where they have to be estimated. */
  readonly tokens: number | null
}

interface PromptBytes {
  /** Its beginning, at most `MAX_HASHED_BYTES`. */
  readonly beginning: Uint8Array
  /** Size of all of it, as well as it can be told without writing it. */
  readonly bytes: number
}

/** What is left of a prompt. */
export interface PromptBlocks {
  /** For each prompt the hashes of its whole blocks, 16 hexadecimal digits each; each stands for all before it, too. */
  readonly chains: readonly (readonly string[])[]
  readonly blockBytes: number
  /** Size of all prompts together. */
  readonly bytes: number
  /** See `WrittenPrompt`. */
  readonly tokens: number | null
}

export interface BlockOptions {
  /** The model it goes to: caches are of one model, and adapters have names of their own. */
  readonly model: string | null
  /** A multiple of four. */
  readonly blockBytes: number
}

type Json = Readonly<Record<string, unknown>>

/** Null for a body without a prompt, and for one that goes on from something the worker has stored. */
export function writePrompt(json: Json): WrittenPrompt | null {
  if (STORED_FIELDS.some((name) => isThere(json[name]))) return null
  const apart = JSON.stringify(APART_FIELDS.map((name) => json[name]))
  if (isThere(json['messages']) || isThere(json['input'])) {
    const text = conversationText(json)
    return text === '' ? null : { apart, prompts: [toBytes(text)], tokens: null }
  }
  return writeCompletion(json['prompt'], apart)
}

/** The hashes of a prompt for one model. */
export function hashPrompt(
  { apart, prompts, tokens }: WrittenPrompt,
  { model, blockBytes }: BlockOptions,
): PromptBlocks {
  const from = hashState(JSON.stringify([model, blockBytes, apart]))
  let size = 0
  const chains = prompts.map(({ beginning, bytes }) => {
    size += bytes
    return blockHashes(beginning, blockBytes, from)
  })
  return { chains, blockBytes, bytes: size, tokens }
}

/** Of the Responses API: what comes before is where the worker keeps it. */
const STORED_FIELDS = ['previous_response_id', 'conversation']

/** What makes the same words another prompt, or another cache. */
const APART_FIELDS = [
  'cache_salt',
  'lora_path',
  'chat_template',
  'chat_template_kwargs',
  'reasoning_effort',
  'documents',
  'mm_processor_kwargs',
]

/** A text, token ids, or a batch of either. */
function writeCompletion(prompt: unknown, apart: string): WrittenPrompt | null {
  if (typeof prompt === 'string') return prompt === '' ? null : { apart, prompts: [toBytes(prompt)], tokens: null }
  if (!Array.isArray(prompt) || prompt.length === 0) return null
  const batch: readonly unknown[] = typeof prompt[0] === 'number' ? [prompt] : prompt
  if (batch.every((item) => typeof item === 'string')) return { apart, prompts: batch.map(toBytes), tokens: null }
  if (!batch.every(isTokenIds)) return null
  const tokens = batch.reduce((sum, ids) => sum + ids.length, 0)
  // Ids are not text of the same bytes.
  return { apart: `${apart}ids`, prompts: batch.map(idsToBytes), tokens }
}

function isTokenIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'number')
}

function idsToBytes(ids: readonly number[]): PromptBytes {
  const hashed = Uint32Array.from(ids.slice(0, MAX_HASHED_BYTES / TOKEN_ID_BYTES))
  return { beginning: new Uint8Array(hashed.buffer), bytes: ids.length * TOKEN_ID_BYTES }
}

function toBytes(text: string): PromptBytes {
  const beginning = new TextEncoder().encode(text.slice(0, MAX_HASHED_BYTES))
  if (text.length <= MAX_HASHED_BYTES && beginning.length <= MAX_HASHED_BYTES) {
    return { beginning, bytes: beginning.length }
  }
  // A character takes up to three bytes a unit; the rest is taken to be like the beginning.
  const bytes = Math.round((beginning.length / Math.min(text.length, MAX_HASHED_BYTES)) * text.length)
  return { beginning: beginning.subarray(0, MAX_HASHED_BYTES), bytes }
}

function conversationText(json: Json): string {
  const { tools, system, instructions, messages, input } = json
  let text = ''
  // Whichever API has it, the first word of a conversation is the system's.
  for (const words of [system, instructions]) if (isThere(words)) text += turnText('system', contentText(words, 0))
  const turns = messages ?? input
  if (typeof turns === 'string') text += turnText('user', turns)
  else if (Array.isArray(turns)) for (const turn of turns) text += messageText(turn)
  // Tools alone are no prompt.
  if (text === '') return ''
  return Array.isArray(tools) && tools.length > 0 ? turnText('tools', JSON.stringify(tools)) + text : text
}

/** Marks no text is likely to hold, so that nothing a caller writes passes for a role. */
function turnText(role: string, text: string): string {
  return `\u0002${role}\u0003${text}`
}

function messageText(message: unknown): string {
  if (!isObject(message)) return contentText(message, 0)
  const { role, tool_calls: calls } = message
  const called = Array.isArray(calls) ? calls.map((call) => partText(call, 1)).join('') : ''
  return turnText(typeof role === 'string' ? role : '', partText(message, 0) + called)
}

/** Message, content list, part, nested content of a tool's result: nothing real goes deeper. */
const MAX_DEPTH = 5

function contentText(content: unknown, depth: number): string {
  if (typeof content === 'string') return content
  if (depth > MAX_DEPTH) return ''
  if (Array.isArray(content)) return content.map((part) => partText(part, depth + 1)).join('')
  return partText(content, depth + 1)
}

function partText(part: unknown, depth: number): string {
  if (typeof part === 'string') return part
  if (!isObject(part)) return ''
  if (MEDIA_FIELDS.some((name) => isThere(part[name]))) return mediaText(part)
  const own = TEXT_FIELDS.map((name) => part[name]).find(isThere)
  if (own !== undefined) return contentText(own, depth)
  // Of a call what the template shows: neither its id nor hints to caches, which change from turn to turn.
  const { function: called = part } = part
  if (!isObject(called)) return ''
  const { name, arguments: given, input } = called
  if (typeof name === 'string') return JSON.stringify([name, given ?? input])
  return typeof part['role'] === 'string' ? '' : JSON.stringify(part)
}

/** Fields of a message, an item or a part that hold its words. */
const TEXT_FIELDS = ['text', 'content', 'output', 'thinking']

/** Fields of a part that hold a picture, a sound or a file, or say where it is. */
const MEDIA_FIELDS = [
  'image_url',
  'image_embeds',
  'input_audio',
  'audio_url',
  'video_url',
  'source',
  'file',
  'file_id',
  'file_data',
  'file_url',
]

/** As long as some 512 tokens take, so that what an image costs counts: its hash, over and over. */
function mediaText({ cache_control: _mark, ...media }: Json): string {
  return hash64(JSON.stringify(media)).repeat(128)
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

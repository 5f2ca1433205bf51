// A request as signals see it: the few shapes that carry messages, read from its body. What has another shape is skipped,
// never an error: the worker is to say what is wrong with it.

import { RouterError } from '../errors/router-error.ts'
import { promptText } from '../routing/prompt-beginning.ts'
import type { MessageView, RequestView } from '../routing/signals/signal.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'

type Json = Readonly<Record<string, unknown>>

/** How much of a prompt without messages is looked at. */
const MAX_PROMPT_LENGTH = 8 * 1024 * 1024

/** Read as it is asked for: most rules want the text and nothing else. */
export function toRequestView(
  exchange: Pick<Exchange, 'tenant'>,
  { json, headers }: Pick<InferenceRequest, 'json' | 'headers'>,
): RequestView {
  const body = json ?? {}
  const messages = once(() => messagesOf(body))
  const text = once(() => askedText(messages(), body))
  const textBytes = once(() => bytesOf(messages(), text(), body))
  const { tenant } = exchange
  return {
    get text() {
      return text()
    },
    get messages() {
      return messages()
    },
    toolDefinitions: listAt(body, 'tools').length,
    get textBytes() {
      return textBytes()
    },
    get metadata() {
      return metadataOf(body)
    },
    tenant: tenant === null ? null : { name: tenant.name, metadata: tenant.metadata },
    header: (name) => headers.get(name),
  }
}

function once<Value>(read: () => Value): () => Value {
  let known: { readonly value: Value } | null = null
  return () => (known ??= { value: read() }).value
}

function messagesOf(body: Json): readonly MessageView[] {
  const before = ['system', 'instructions'].flatMap((field) => {
    const { text } = contentOf(body[field])
    return text === '' ? [] : [{ ...NO_PARTS, role: 'system', text }]
  })
  const listed = Array.isArray(body['messages']) ? body['messages'] : listAt(body, 'input').filter(isObject)
  const asked = body['messages'] === undefined && typeof body['input'] === 'string' ? body['input'] : null
  const input = asked === null ? [] : [{ ...NO_PARTS, role: 'user', text: asked }]
  return [...before, ...input, ...listed.filter(isObject).map(toMessage)]
}

const NO_PARTS = { toolCalls: 0, toolResults: 0, images: 0 }

function toMessage(message: Json): MessageView {
  // The Responses API lists calls and results beside messages.
  if (message['type'] === 'function_call') return { ...NO_PARTS, role: 'assistant', text: '', toolCalls: 1 }
  if (message['type'] === 'function_call_output') {
    return { ...NO_PARTS, role: 'tool', text: contentOf(message['output']).text, toolResults: 1 }
  }
  const content = contentOf(message['content'])
  const role = typeof message['role'] === 'string' ? message['role'] : 'user'
  const toolCalls = content.toolCalls + listAt(message, 'tool_calls').length
  if (role === 'tool') return { ...content, role, toolCalls, toolResults: 1 }
  // With Anthropic the user brings what tools have answered.
  const isResult = content.toolResults > 0 && content.text === ''
  return { ...content, role: isResult ? 'tool' : role, toolCalls }
}

function contentOf(content: unknown): Omit<MessageView, 'role'> {
  if (typeof content === 'string') return { ...NO_PARTS, text: content }
  if (!Array.isArray(content)) return { ...NO_PARTS, text: '' }
  const parts = content.filter(isObject)
  const texts = parts.flatMap(({ text }) => (typeof text === 'string' ? [text] : []))
  const count = (isMeant: (type: string) => boolean) =>
    parts.filter(({ type }) => typeof type === 'string' && isMeant(type)).length
  return {
    text: texts.join(' '),
    toolCalls: count((type) => type === 'tool_use'),
    toolResults: count((type) => type === 'tool_result'),
    images: count((type) => type === 'image_url' || type === 'image' || type === 'input_image'),
  }
}

function askedText(messages: readonly MessageView[], body: Json): string {
  const newest = messages.findLast(({ role, text }) => role === 'user' && text !== '')
  if (newest !== undefined) return newest.text
  if (messages.length === 0) return promptText(body, MAX_PROMPT_LENGTH)?.trim() ?? ''
  return messages.map(({ text }) => text).join(' ')
}

function bytesOf(messages: readonly MessageView[], text: string, body: Json): number {
  const encoder = new TextEncoder()
  const length = (of: string) => encoder.encode(of).length
  const texts = messages.length === 0 ? length(text) : messages.reduce((sum, message) => sum + length(message.text), 0)
  return texts + (listAt(body, 'tools').length === 0 ? 0 : length(JSON.stringify(body['tools'])))
}

const METADATA_LIMITS = { entries: 32, keyLength: 128, valueLength: 1_024 }

/** Throws `invalid_request` for metadata that rules can't be asked about; as OpenAI does, values are text. */
function metadataOf({ metadata = null }: Json): Readonly<Record<string, string>> {
  if (metadata === null) return {}
  const complain = (message: string) => new RouterError('invalid_request', message, { param: 'metadata' })
  if (!isObject(metadata)) throw complain('`metadata` must be a map of text.')
  const { entries, keyLength, valueLength } = METADATA_LIMITS
  const pairs = Object.entries(metadata)
  if (pairs.length > entries) throw complain(`\`metadata\` has more than ${entries} entries.`)
  return Object.fromEntries(
    pairs.map(([key, value]) => {
      if (typeof value !== 'string') throw complain('`metadata` has a value that is no text; put quotes around it.')
      if (key.length > keyLength) throw complain(`\`metadata\` has a key of more than ${keyLength} characters.`)
      if (value.length > valueLength) throw complain(`\`metadata\` has a value of more than ${valueLength} characters.`)
      return [key, value]
    }),
  )
}

function listAt(body: Json, field: string): readonly unknown[] {
  const value = Object.hasOwn(body, field) ? body[field] : undefined
  return Array.isArray(value) ? value : []
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// What of a request's prompt is put to a tokenizer, by the route it came on: the fields that its template sees, the ids
// where the caller sent ids, or why nothing is.

import { templateFieldsOf, type TemplateFields } from '../cache/template-input.ts'

type Json = Readonly<Record<string, unknown>>

export type TokenPrompt =
  | { readonly kind: 'ids'; readonly ids: readonly number[] }
  | { readonly kind: 'fields'; readonly fields: TemplateFields }
  /** In a word, for the record. */
  | { readonly kind: 'none'; readonly outcome: 'no_prompt' | 'batch' | 'stored' | 'not_text' | 'truncated' }

/** `route` as the catalogue writes it. */
export function toTokenPrompt(route: string | null, json: Json | null): TokenPrompt {
  if (json === null) return none('no_prompt')
  // What the worker cuts off the beginning is not in its cache, and tokenizer routes don't cut.
  if (isThere(json['truncate_prompt_tokens'])) return none('truncated')
  switch (route) {
    case '/v1/chat/completions':
      return isThere(json['messages']) ? fields(json) : none('no_prompt')
    case '/v1/completions':
      return fromCompletion(json)
    case '/v1/messages':
      return fromMessages(json)
    case '/v1/responses':
      return fromResponses(json)
    default:
      return none('no_prompt')
  }
}

function fromCompletion(json: Json): TokenPrompt {
  const { prompt } = json
  const only: unknown = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt
  if (typeof only === 'string') return only === '' ? none('no_prompt') : fields({ ...json, prompt: only })
  if (!Array.isArray(only) || only.length === 0) return none('no_prompt')
  return only.every((id) => Number.isSafeInteger(id) && id >= 0) ? { kind: 'ids', ids: only } : none('batch')
}

/** As vLLM turns Anthropic messages into chat, as long as they are plain text; what is more is not guessed at. */
function fromMessages({ system, messages, tools }: Json): TokenPrompt {
  if (isThere(tools) || !Array.isArray(messages)) return none('not_text')
  const first = isThere(system) ? [{ role: 'system', content: textOf(system) }] : []
  const chat = [...first, ...messages.map(toPlainMessage)]
  if (chat.some((message) => message === null || message.content === null)) return none('not_text')
  return { kind: 'fields', fields: { messages: chat } }
}

/** The same of the Responses API. */
function fromResponses({ instructions, input, tools, ...json }: Json): TokenPrompt {
  if (isThere(json['previous_response_id']) || isThere(json['conversation'])) return none('stored')
  if (isThere(tools) || isThere(json['prompt'])) return none('not_text')
  const first = isThere(instructions) ? [{ role: 'system', content: textOf(instructions) }] : []
  const turns = typeof input === 'string' ? [{ role: 'user', content: input }] : input
  if (!Array.isArray(turns) || turns.length === 0) return none('no_prompt')
  const chat = [...first, ...turns.map(toPlainMessage)]
  if (chat.some((message) => message === null || message.content === null)) return none('not_text')
  return { kind: 'fields', fields: { messages: chat } }
}

function toPlainMessage(message: unknown): { readonly role: string; readonly content: string | null } | null {
  if (typeof message !== 'object' || message === null) return null
  const { role, content }: { readonly role?: unknown; readonly content?: unknown } = message
  return typeof role === 'string' ? { role, content: textOf(content) } : null
}

/** A text, or the one text that a list of parts holds; null for anything else. */
function textOf(content: unknown): string | null {
  if (typeof content === 'string') return content
  const [part, ...more]: readonly unknown[] = Array.isArray(content) ? content : []
  if (more.length > 0 || typeof part !== 'object' || part === null) return null
  const { text }: { readonly text?: unknown } = part
  return typeof text === 'string' ? text : null
}

function fields(json: Json): TokenPrompt {
  return { kind: 'fields', fields: templateFieldsOf(json) }
}

function none(outcome: Extract<TokenPrompt, { readonly kind: 'none' }>['outcome']): TokenPrompt {
  return { kind: 'none', outcome }
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null
}

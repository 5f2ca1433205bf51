// Turns messages into prompt tokens, as a model's chat template does. A role is one special token and so is the end of
// a message, which makes a conversation's next turn a token-for-token extension of this one.

import { encodeText, SPECIAL_TOKENS } from './tokenizer.ts'

/** A message as loosely as workers take it. */
export interface ChatMessage {
  readonly role: string
  readonly content?: unknown
  readonly tool_calls?: unknown
}

export interface TemplateOptions {
  readonly tools?: unknown
  /** Opens the assistant's turn; true unless told. */
  readonly addGenerationPrompt?: boolean
  /** Starts with the begin token; true unless told. */
  readonly addBegin?: boolean
}

/** Prompt tokens of a conversation. */
export function applyChatTemplate(messages: readonly ChatMessage[], options: TemplateOptions = {}): number[] {
  const tokens: number[] = options.addBegin === false ? [] : [SPECIAL_TOKENS.begin]
  if (Array.isArray(options.tools) && options.tools.length > 0) {
    append(tokens, [SPECIAL_TOKENS.tools], encodeText(JSON.stringify(options.tools)), [SPECIAL_TOKENS.end])
  }
  for (const message of messages) {
    append(tokens, [roleToken(message.role)], contentTokens(message.content))
    if (Array.isArray(message.tool_calls) && message.tool_calls.length > 0) {
      append(tokens, [SPECIAL_TOKENS.tools], encodeText(JSON.stringify(message.tool_calls)))
    }
    tokens.push(SPECIAL_TOKENS.end)
  }
  if (options.addGenerationPrompt !== false) tokens.push(SPECIAL_TOKENS.assistant)
  return tokens
}

/** The plain text of a message's content: the string itself, or its text parts joined. */
export function contentText(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part: unknown) => partText(part) ?? '').join('')
}

function append(tokens: number[], ...runs: (readonly number[])[]): void {
  // Not a spread push: a prompt of a hundred thousand tokens would overflow the stack.
  for (const run of runs) for (const token of run) tokens.push(token)
}

function roleToken(role: string): number {
  switch (role) {
    case 'system':
    case 'developer':
    case 'assistant':
    case 'tool':
      return SPECIAL_TOKENS[role]
    default:
      return SPECIAL_TOKENS.user
  }
}

function contentTokens(content: unknown): number[] {
  if (!Array.isArray(content)) return encodeText(contentText(content))
  const tokens: number[] = []
  for (const part of content) {
    const text = partText(part)
    // An image or a sound counts as its own JSON: equal media give equal tokens, and that is all a cache sees.
    if (text === null) append(tokens, [SPECIAL_TOKENS.media], encodeText(JSON.stringify(part)))
    else append(tokens, encodeText(text))
  }
  return tokens
}

function partText(part: unknown): string | null {
  if (typeof part === 'string') return part
  if (typeof part !== 'object' || part === null || !('text' in part)) return null
  return typeof part.text === 'string' ? part.text : null
}

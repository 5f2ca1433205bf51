// The four routes whose streams have a dialect, as data for tests: what to send, and what an error looks like in it.

import type { EventSourceMessage } from 'eventsource-parser'

export interface StreamRoute {
  readonly name: 'chat' | 'completions' | 'responses' | 'messages'
  readonly path: string
  /** A recorded stream under test/fixtures/sse that ends as it must. */
  readonly fixture: string
  /** The request body; `tokens` bounds the answer. */
  body(model: string, options?: { readonly tokens?: number; readonly isStream?: boolean }): Record<string, unknown>
  /** Whether the clients of this dialect raise on the event. */
  isError(event: EventSourceMessage): boolean
}

const messages = [{ role: 'user', content: 'hello' }]

function isOpenAiError({ data }: EventSourceMessage): boolean {
  return data.startsWith('{"error":{"message":')
}

export const STREAM_ROUTES: readonly StreamRoute[] = [
  {
    name: 'chat',
    path: '/v1/chat/completions',
    fixture: 'chat.sse',
    body: (model, { tokens = 8, isStream = true } = {}) => ({ model, messages, max_tokens: tokens, stream: isStream }),
    isError: isOpenAiError,
  },
  {
    name: 'completions',
    path: '/v1/completions',
    fixture: 'completions.sse',
    body: (model, { tokens = 8, isStream = true } = {}) => ({
      model,
      prompt: 'hello',
      max_tokens: tokens,
      stream: isStream,
    }),
    isError: isOpenAiError,
  },
  {
    name: 'responses',
    path: '/v1/responses',
    fixture: 'responses.sse',
    body: (model, { tokens = 8, isStream = true } = {}) => ({
      model,
      input: 'hello',
      max_output_tokens: tokens,
      stream: isStream,
    }),
    isError: ({ event, data }) => event === 'error' && data.startsWith('{"type":"error"'),
  },
  {
    name: 'messages',
    path: '/v1/messages',
    fixture: 'messages.sse',
    body: (model, { tokens = 8, isStream = true } = {}) => ({ model, messages, max_tokens: tokens, stream: isStream }),
    isError: ({ event, data }) => event === 'error' && data.startsWith('{"type":"error","error":{'),
  },
]

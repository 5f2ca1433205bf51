// Every path the router serves, as data. What is not listed here does not exist: a worker's other paths are reachable
// only through `passthrough_paths`. Access, body handling and error shape hang on the entry, never on a path prefix.

import type { StreamKind } from '../dialect/stream-tap.ts'
import type { TokenUse } from '../pipeline/token-charge.ts'

export interface InferenceRoute {
  readonly method: 'POST'
  readonly path: string
  /** Shape of the errors this caller understands. */
  readonly dialect: 'openai' | 'anthropic'
  readonly body: 'json' | 'multipart'
  /** What a streamed answer looks like; routes that never stream have `other`. */
  readonly streamKind: StreamKind
  /** Whether answers could come from a response cache. */
  readonly isCacheable: boolean
  /** What of it costs tokens. */
  readonly tokenUse: TokenUse
  /** Whether the worker keeps the answer under an id that later requests refer to. */
  readonly storesResponse: boolean
}

const PLAIN = {
  method: 'POST',
  dialect: 'openai',
  body: 'json',
  streamKind: 'other',
  isCacheable: false,
  tokenUse: 'none',
  storesResponse: false,
} as const satisfies Omit<InferenceRoute, 'path'>

const GENERATES = { ...PLAIN, tokenUse: 'prompt_and_answer' } as const
const READS = { ...PLAIN, tokenUse: 'prompt' } as const

export const INFERENCE_ROUTES: readonly InferenceRoute[] = [
  { ...GENERATES, path: '/v1/chat/completions', streamKind: 'chat', isCacheable: true },
  { ...GENERATES, path: '/v1/completions', streamKind: 'completions', isCacheable: true },
  { ...GENERATES, path: '/v1/responses', streamKind: 'responses', storesResponse: true },
  { ...GENERATES, path: '/v1/messages', dialect: 'anthropic', streamKind: 'messages' },
  { ...PLAIN, path: '/v1/messages/count_tokens', dialect: 'anthropic' },
  { ...READS, path: '/v1/embeddings' },
  { ...READS, path: '/v1/rerank' },
  { ...READS, path: '/v2/rerank' },
  { ...READS, path: '/rerank' },
  { ...READS, path: '/v1/score' },
  { ...READS, path: '/score' },
  { ...READS, path: '/classify' },
  { ...READS, path: '/pooling' },
  { ...PLAIN, path: '/tokenize' },
  { ...PLAIN, path: '/detokenize' },
  { ...PLAIN, path: '/v1/audio/transcriptions', body: 'multipart' },
  { ...PLAIN, path: '/v1/audio/translations', body: 'multipart' },
]

/** Requests about a stored response; they go to the worker that created it. */
export interface StoredResponseRoute {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** What follows the id in the worker's path. */
  readonly suffix: string
}

export const STORED_RESPONSE_ROUTES: readonly StoredResponseRoute[] = [
  { method: 'GET', path: '/v1/responses/:id', suffix: '' },
  { method: 'DELETE', path: '/v1/responses/:id', suffix: '' },
  { method: 'POST', path: '/v1/responses/:id/cancel', suffix: '/cancel' },
]

/** Whether a URL asks whether the process lives; the answer is the same under every configuration, and must cost nothing. */
export function isLivenessProbe(url: string): boolean {
  return /^https?:\/\/[^/]*\/(?:health|liveness|version)(?:\?|$)/.test(url)
}

/** Answered by the router itself. */
export const OWN_ROUTES: readonly { readonly method: 'GET'; readonly path: string }[] = [
  { method: 'GET', path: '/health' },
  { method: 'GET', path: '/liveness' },
  { method: 'GET', path: '/readiness' },
  { method: 'GET', path: '/version' },
  { method: 'GET', path: '/v1/models' },
  // Ids hold slashes, so the rest of the path is the id.
  { method: 'GET', path: '/v1/models/*' },
]

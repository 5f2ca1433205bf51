// The vector of a request's text, asked for once per server however many parts of the pipeline want it.

import type { EmbeddingServerConfig } from '../config/config.ts'
import type { EmbedderPlatform, Vectors } from '../upstream/embeddings.ts'
import { type Embedders, serverKey } from '../upstream/embedders.ts'
import { failure, type ServiceFailure } from '../upstream/json-service.ts'
import type { Span } from '../tracing/request-trace.ts'
import type { Exchange } from './exchange.ts'
import { beginStep, type SteppedExchange } from './step.ts'

export type EmbeddingOutcome =
  | { readonly kind: 'vector'; readonly vector: Float32Array; readonly isCached: boolean }
  | ServiceFailure

export interface EmbeddingQuestion {
  readonly server: EmbeddingServerConfig
  readonly text: string
  /** How long this asker waits; the question itself goes on for as long as the first asker would have. */
  readonly budgetMs: number
  /** Fires when the caller is gone. */
  readonly signal: AbortSignal
  /** What the vector is wanted for. */
  readonly below?: Span | null
}

export interface EmbeddingParts {
  readonly platform: EmbedderPlatform
  readonly embedders: Embedders
}

/** Never rejects. Within one request, askers of one server and text wait for the same answer. */
export async function embedRequestText(
  { platform, embedders }: EmbeddingParts,
  exchange: Pick<Exchange, 'embeddings' | 'context'> & SteppedExchange,
  { server, text, budgetMs, signal, below }: EmbeddingQuestion,
): Promise<EmbeddingOutcome> {
  const key = `${serverKey(server)} ${text}`
  const step = beginStep(exchange, 'embedding', { now: platform.now, below })
  const { trace } = step
  const asked = exchange.embeddings.get(key) ?? embedders.of(server).embed([text], { signal, budgetMs, trace })
  if (!exchange.embeddings.has(key)) {
    exchange.embeddings.set(key, asked)
    // An answer that comes too late for this request is there for the next of the same text.
    exchange.context.waitUntil(asked)
  }
  let callOff = () => {}
  const late = new Promise<ServiceFailure>((resolve) => {
    callOff = platform.after(budgetMs, () => resolve(failure('timeout', `no whole answer in ${budgetMs} ms`)))
  })
  const outcome = toOutcome(await Promise.race([asked, late]))
  callOff()
  const word = outcome.kind === 'failure' ? outcome.reason : outcome.isCached ? 'cached' : 'ok'
  step.span?.set({ 'embedding.success': outcome.kind === 'vector' })
  step.note(word)
  return outcome
}

function toOutcome(answer: Vectors | ServiceFailure): EmbeddingOutcome {
  if (answer.kind === 'failure') return answer
  const [vector] = answer.vectors
  if (vector === undefined) return failure('bad_answer', 'it gave no vector')
  return { kind: 'vector', vector, isCached: answer.isCached }
}

// Vectors of texts from an embeddings server: anything that has /v1/embeddings, or a binding that runs models. Cached,
// in batches, behind a breaker; whatever goes wrong is data, since no request fails for want of a vector.

import type { EmbeddingServerConfig } from '../config/config.ts'
import type { ModelBinding, Platform } from '../platform.ts'
import type { TraceHeaders } from '../tracing/trace-headers.ts'
import { BoundedCache, keyOfText } from './bounded-cache.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import { readEmbeddings, readModelVectors } from './embedding-answer.ts'
import { askService, endpointOf, failure, type ServiceFailure, type ServiceQuestion } from './json-service.ts'

/** Unit vectors in the order of the texts, all of one length. */
export interface Vectors {
  readonly kind: 'vectors'
  readonly vectors: readonly Float32Array[]
  /** Whether all of them were known already. */
  readonly isCached: boolean
}

export interface EmbedOptions {
  /** Fires when nobody waits any more. */
  readonly signal: AbortSignal
  /** For all of it. */
  readonly budgetMs: number
  readonly trace?: TraceHeaders
}

export interface Embedder {
  /** Never rejects. */
  embed(texts: readonly string[], options: EmbedOptions): Promise<Vectors | ServiceFailure>
}

export type EmbedderPlatform = Pick<Platform, 'now' | 'after' | 'send' | 'classifySendError' | 'modelBinding'>

/** Texts of one question: common servers refuse more than 32. */
const BATCH_SIZE = 32

/** What one server's vectors may take: about 1,800 of 1,024 numbers. */
const CACHE_BYTES = 8 * 1024 * 1024

export function createEmbedder(server: EmbeddingServerConfig, platform: EmbedderPlatform): Embedder {
  return new ServerEmbedder(server, platform)
}

class ServerEmbedder implements Embedder {
  readonly #server: EmbeddingServerConfig
  readonly #platform: EmbedderPlatform
  readonly #breaker: Breaker
  readonly #cache = new BoundedCache<Float32Array>({ maxBytes: CACHE_BYTES, bytesOf: ({ byteLength }) => byteLength })
  /** Length of the vectors it last gave; null before the first. */
  #dimensions: number | null = null

  constructor(server: EmbeddingServerConfig, platform: EmbedderPlatform) {
    this.#server = server
    this.#platform = platform
    this.#breaker = createBreaker({ now: platform.now })
  }

  async embed(texts: readonly string[], { signal, budgetMs, trace }: EmbedOptions): Promise<Vectors | ServiceFailure> {
    const untilMs = this.#platform.now() + budgetMs
    const keys = await Promise.all(texts.map(keyOfText))
    const isCached = keys.every((key) => this.#cache.get(key) !== null)
    const found = new Map<string, Float32Array>()
    const missing = new Map<string, string>()
    for (const [at, key] of keys.entries()) {
      const vector = this.#cache.get(key)
      if (vector === null) missing.set(key, texts[at] ?? '')
      else found.set(key, vector)
    }
    const batches = batchesOf([...missing])
    for (const batch of batches) {
      const timeoutMs = untilMs - this.#platform.now()
      if (timeoutMs <= 0) return failure('timeout', `no whole answer in ${budgetMs} ms`)
      const answer = await this.#ask(
        batch.map(([, text]) => text),
        { signal, timeoutMs, trace },
      )
      if (answer.kind === 'failure') return answer
      for (const [at, [key]] of batch.entries()) {
        const vector = answer.answer[at]
        if (vector !== undefined) found.set(key, vector)
      }
      this.#keep(batch, answer.answer)
    }
    const vectors = keys.flatMap((key) => found.get(key) ?? [])
    const isOneSize = vectors.every(({ length }) => length === vectors[0]?.length)
    if (isOneSize) return { kind: 'vectors', vectors, isCached }
    // The server has another model than it had: what the cache gave to this answer is of no use with the rest.
    return failure('bad_answer', 'its vectors have not all the same length')
  }

  #keep(batch: readonly (readonly [string, string])[], vectors: readonly Float32Array[]): void {
    const dimensions = vectors[0]?.length ?? 0
    // Another length is another model, and vectors of two models can't be compared.
    if (this.#dimensions !== dimensions) this.#cache.clear()
    this.#dimensions = dimensions
    for (const [at, [key]] of batch.entries()) {
      const vector = vectors[at]
      if (vector !== undefined) this.#cache.set(key, vector)
    }
  }

  async #ask(
    texts: readonly string[],
    { signal, timeoutMs, trace }: Pick<ServiceQuestion, 'signal' | 'timeoutMs' | 'trace'>,
  ) {
    const { url, binding: name, model, apiKey } = this.#server
    const question = { apiKey, trace, timeoutMs, signal }
    if (name === null) {
      const asked = { ...question, url: endpointOf(url ?? '', '/v1/embeddings'), body: { model, input: texts } }
      return askService(this.#platform, this.#breaker, asked, (answer) => readEmbeddings(answer, texts.length))
    }
    const binding = this.#platform.modelBinding?.(name) ?? null
    if (binding === null) return failure('unreachable', `no binding is called ${name}`)
    const asked = { ...question, url: model, body: { text: texts } }
    return askService(this.#modelPlatform(binding), this.#breaker, asked, (answer) =>
      readModelVectors(answer, texts.length),
    )
  }

  /** A binding in the place of the network, so that deadline, breaker and the reading of answers are the same. */
  #modelPlatform(binding: ModelBinding): EmbedderPlatform {
    return {
      ...this.#platform,
      send: async (model, { body, signal }) => {
        const input: unknown = JSON.parse(new TextDecoder().decode(body as Uint8Array)) // askService sends bytes
        const answer = await binding.run(model, input, { returnRawResponse: true, signal })
        return answer instanceof Response ? answer : Response.json(answer)
      },
    }
  }
}

function batchesOf<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / BATCH_SIZE)
  return Array.from({ length: count }, (_, at) => items.slice(at * BATCH_SIZE, (at + 1) * BATCH_SIZE))
}

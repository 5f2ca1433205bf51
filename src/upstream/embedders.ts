// The embedders of a process or isolate, one for each server, model and key: whoever asks the same server shares its
// breaker and the vectors it gave. They outlive configurations.

import { identityOf } from '../secret.ts'
import type { EmbeddingServerConfig } from '../config/config.ts'
import { createEmbedder, type Embedder, type EmbedderPlatform } from './embeddings.ts'

/** Configurations come and go; servers of old ones must not add up. */
const MAX_EMBEDDERS = 16

export class Embedders {
  readonly #platform: EmbedderPlatform
  /** In the order of their last use. */
  readonly #byServer = new Map<string, Embedder>()

  constructor(platform: EmbedderPlatform) {
    this.#platform = platform
  }

  of(server: EmbeddingServerConfig): Embedder {
    const key = serverKey(server)
    const embedder = this.#byServer.get(key) ?? createEmbedder(server, this.#platform)
    this.#byServer.delete(key)
    this.#byServer.set(key, embedder)
    for (const oldest of this.#byServer.keys()) {
      if (this.#byServer.size <= MAX_EMBEDDERS) break
      this.#byServer.delete(oldest)
    }
    return embedder
  }
}

/** The same for servers whose vectors are the same. */
export function serverKey({ url, binding, model, apiKey }: EmbeddingServerConfig): string {
  return identityOf([url, binding, model, apiKey])
}

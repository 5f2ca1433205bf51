// Vectors of a configuration's texts, kept beyond this process or isolate: by server, model and text. A store that can't be
// had is nothing but a miss.

import type { EmbeddingServerConfig } from '../config/config.ts'
import { type CallBounds, callWithin } from '../store/bounded-call.ts'
import type { VectorEntry, VectorStore } from '../store/vector-store.ts'
import { toUnitVector } from './embedding-answer.ts'
import { fromBase64, toBase64 } from './vector-text.ts'

export interface KeptVectors {
  /** Those that are kept, by text. Never rejects. */
  find(texts: readonly string[]): Promise<ReadonlyMap<string, Float32Array>>
  /** Never rejects. */
  keep(vectors: ReadonlyMap<string, Float32Array>): Promise<void>
}

export interface KeptVectorsOptions {
  readonly store: VectorStore
  readonly reads: CallBounds
  readonly writes: CallBounds
}

/** A server may come to have another model under the same name, which nobody is told of: within a day it shows. */
const KEPT_MS = 86_400_000

const NEVER = new AbortController().signal

export function keptVectorsOf(server: EmbeddingServerConfig, options: KeptVectorsOptions): KeptVectors {
  const { store, reads, writes } = options
  return {
    async find(texts) {
      const keys = await Promise.all(texts.map((text) => keyOf(server, text)))
      const outcome = await callWithin(reads, NEVER, (signal) => store.read(keys, signal))
      if (outcome.kind !== 'answer') return new Map()
      const found = texts.map((text, at) => [text, vectorOf(outcome.value[at] ?? null)] as const)
      return new Map(found.flatMap(([text, vector]) => (vector === null ? [] : [[text, vector]])))
    },
    async keep(vectors) {
      const entries = Array.from(vectors, async ([text, vector]): Promise<VectorEntry> => {
        return [await keyOf(server, text), toBase64(vector)]
      })
      const written = await Promise.all(entries)
      await callWithin(writes, NEVER, (signal) => store.write(written, KEPT_MS, signal))
    },
  }
}

/** Whose key asks makes no difference to what comes. */
async function keyOf({ url, binding, model }: EmbeddingServerConfig, text: string): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify([url, binding, model, text]))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function vectorOf(text: string | null): Float32Array | null {
  return text === null ? null : toUnitVector(fromBase64(text))
}

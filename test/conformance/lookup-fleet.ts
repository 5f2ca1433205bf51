// What the suites about lookups before decisions share: a router with caches of answers, clusters and signals, all of which ask
// one server, and a collector of its spans.

import { afterAll, expect } from 'vitest'
import { postJson } from '../support/ask.ts'
import { type EmbeddingsServer, startEmbeddingsServer } from '../support/embeddings-server.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'

/** A router with both caches, clusters and signals that ask one server. */
export function lookupFleet(runtime: RuntimeName, { isTraced }: { readonly isTraced: boolean }) {
  let receiver: OtlpReceiver | null = null
  let embeddings: EmbeddingsServer | null = null
  let count = 0
  const started = <Part>(part: Part | null): Part => {
    if (part === null) throw new Error('it has not started')
    return part
  }
  const fleet = liveFleet(runtime, {
    workers: { adder: { models: ['m'] }, clerk: { models: ['m'] } },
    async config(urls) {
      embeddings = await startEmbeddingsServer({ labels: { math: 'equation derivative', other: 'weather wind' } })
      receiver = await startOtlpReceiver()
      const vectors = { embeddings_url: embeddings.url, embeddings_api_key: 'sk-vectors', embeddings_model: 'hashed' }
      return {
        workers: [
          { id: 'adder', url: urls.adder, models: ['m'] },
          { id: 'clerk', url: urls.clerk, models: ['m'] },
        ],
        default_model: 'm',
        auto_models: ['auto'],
        signal_timeout_ms: 20_000,
        signal_servers: {
          embedding: { url: embeddings.url, model: 'hashed', timeout_ms: 10_000 },
          domain: { url: embeddings.url, model: 'subjects', timeout_ms: 10_000, labels: ['math', 'other'] },
        },
        signals: {
          embeddings: [{ name: 'maths', candidates: ['derivative of the polynomial'], threshold: 0.1 }],
          domains: [{ name: 'math' }],
        },
        decisions: [
          {
            name: 'maths',
            priority: 1,
            rules: {
              operator: 'OR',
              conditions: [
                { type: 'embedding', name: 'maths' },
                { type: 'domain', name: 'math' },
              ],
            },
            modelRefs: [{ model: 'm' }],
          },
        ],
        cache: { ttl_secs: 600 },
        semantic_cache: { ...vectors, embedding_timeout_ms: 10_000, threshold: 0.9 },
        semantic_cluster: {
          ...vectors,
          threshold: 0.3,
          embedding_timeout_ms: 10_000,
          clusters: [
            {
              name: 'maths',
              examples: ['Solve the equation', 'The derivative of a polynomial'],
              workers: [urls.adder],
            },
          ],
        },
        metrics: { public: true },
        ...(isTraced ? { trace_config: { otlp_traces_endpoint: receiver.url } } : {}),
      }
    },
  })
  afterAll(async () => {
    await embeddings?.close()
    await receiver?.close()
  })
  return {
    fleet,
    collector: () => started(receiver),
    server: () => started(embeddings),
    /** The id of the request, once it is answered. */
    async chat(text: string, more: object, headers: Readonly<Record<string, string>> = {}): Promise<string> {
      const id = `asked-${(count += 1)}`
      const body = { model: 'm', messages: [{ role: 'user', content: text }], max_tokens: 2, ...more }
      const answer = await postJson(`${fleet.url}/v1/chat/completions`, body, { ...headers, 'x-request-id': id })
      expect(answer.status, answer.text).toBe(200)
      return id
    },
  }
}

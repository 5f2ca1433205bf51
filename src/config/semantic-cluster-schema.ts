// `semantic_cluster`: which workers take what kind of request, told by examples; and the SemanticClusterConfig it becomes.
// Checks against the pool are in semantic-cluster-checks.ts.

import * as z from 'zod'
import { digestOfKey } from '../access/key-digest.ts'
import type { SemanticClusterConfig } from './config.ts'
import { canonicalJson } from './digest.ts'
import { embeddingServerShape, toEmbeddingServer, withServerOf } from './embedding-server-schema.ts'
import { workerNameOf, type PoolEntry } from './pool.ts'
import type { ConfigFile } from './schema.ts'
import { list, text } from './scalars.ts'

const THRESHOLD_FORM = 'must be a number from 0 to 1, such as 0.75'

const clusterSchema = z.strictObject(
  {
    /** Stands in headers and records. */
    name: z.string({ error: 'must be text; put quotes around numbers' }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
      error: 'must be 1 to 64 letters, digits or . _ -, starting with a letter or digit',
    }),
    /** Texts of requests that belong here. */
    examples: list(
      text().max(8_192, { error: 'must be at most 8192 characters: an example is one question, not a document' }),
      '["Write a unit test for this function"]',
    )
      .max(1_000, { error: 'lists more than 1000 examples; a few dozen tell a kind of request apart' })
      .default([]),
    /** URLs or ids of workers. */
    workers: list(text(), '["http://10.0.0.7:8000"]').default([]),
    /** Workers with all of these labels belong here too. */
    labels: z
      .record(z.string(), z.string({ error: 'must be text; put quotes around numbers' }), {
        error: 'must be a map such as {tier: code}',
      })
      .refine((labels) => Object.keys(labels).length > 0, { error: 'names no label; remove the line' })
      .optional(),
  },
  {
    error: (issue) =>
      issue.code === 'invalid_type' ? 'must be a map such as {name: code, examples: [...], workers: [...]}' : undefined,
  },
)

export const semanticClusterSchema = z.strictObject({
  ...embeddingServerShape,
  /** Cosine from which a cluster is near enough. */
  threshold: z
    .number({ error: THRESHOLD_FORM })
    .min(0, { error: THRESHOLD_FORM })
    .max(1, { error: THRESHOLD_FORM })
    .default(0.75),
  clusters: list(clusterSchema, '[{name: code, examples: [...], workers: [...]}]').default([]),
})

/** Null where no cluster could ever be chosen. */
export function toSemanticCluster(
  { semantic_cluster: section, semantic_cache: cache }: Pick<ConfigFile, 'semantic_cluster' | 'semantic_cache'>,
  pool: readonly PoolEntry[],
): SemanticClusterConfig | null {
  const written = section?.clusters.filter(({ examples }) => examples.length > 0) ?? []
  if (section === undefined || written.length === 0) return null
  const server = toEmbeddingServer(withServerOf(section, cache))
  const clusters = written.map(({ name, examples, workers, labels }) => ({
    name,
    examples: [...new Set(examples)],
    workers: [...new Set(workers.flatMap((worker) => idsOf(worker, pool)))],
    labels: labels ?? null,
  }))
  const examples = clusters.map((cluster) => [cluster.name, cluster.examples])
  const basis = digestOfKey(canonicalJson([server.model, examples])).slice(0, 16)
  return { server, threshold: section.threshold, timeoutMs: section.embedding_timeout_ms, clusters, basis }
}

/** Ids of the workers that an entry of `workers` names: by id, or by URL whole and exact. */
export function idsOf(name: string, pool: readonly PoolEntry[]): readonly string[] {
  const url = workerNameOf(name)
  return pool.flatMap(({ worker }) => (worker.id === name || worker.url === url ? [worker.id] : []))
}

// The workers of a file as one pool: `mode.worker_urls` and `workers` merged by URL, each with its key resolved.
// Takes a file that may be partly invalid, so that checks across workers run on whatever is there.

import { toSecret } from '../secret.ts'
import type { Partly } from './check-section.ts'
import type { WorkerConfig } from './config.ts'
import type { Path } from './finding.ts'
import type { ConfigFile } from './schema.ts'
import { parseWorkerUrl } from './worker-url.ts'

/** A worker and the place that describes it best. */
export interface PoolEntry {
  readonly path: Path
  readonly worker: WorkerConfig
  /** Whether `workers` has a key of its own for it, which `worker_api_keys` then doesn't touch. */
  readonly hasOwnKey: boolean
}

type PartlyWorker = Partly<ConfigFile['workers'][number]>

/** Everything requests can be sent to, `workers` first, in the order written. */
export function poolOf(file: Partly<ConfigFile>): PoolEntry[] {
  const described = (file.workers ?? []).flatMap((worker, index) => {
    return worker?.url === undefined ? [] : [entryOf(file, { ...worker, url: worker.url }, ['workers', index])]
  })
  // The richer description of a URL wins, so a bare URL only counts when `workers` has none of it.
  const seen = new Set(described.map(({ worker }) => worker.url))
  const bare = (file.mode?.worker_urls ?? []).flatMap((url, index) => {
    if (url === undefined || seen.has(url)) return []
    seen.add(url)
    return [entryOf(file, { url }, ['mode', 'worker_urls', index])]
  })
  return [...described, ...bare]
}

function entryOf(file: Partly<ConfigFile>, worker: PartlyWorker & { readonly url: string }, path: Path): PoolEntry {
  const id = worker.id ?? worker.url
  const ownKey = worker.api_key ?? null
  return {
    path,
    hasOwnKey: ownKey !== null,
    worker: {
      id,
      isNamed: worker.id !== undefined,
      url: worker.url,
      models: modelsOf(worker.models ?? null),
      weight: worker.weight ?? 1,
      labels: Object.fromEntries(Object.entries(worker.labels ?? {}).filter(isPresent)),
      apiKey: toSecret(ownKey ?? keyFor(file, id, worker.url) ?? file.api_key),
      binding: worker.binding ?? null,
      dataParallelSize: worker.data_parallel_size ?? file.intra_node_data_parallel_size ?? 1,
    },
  }
}

function modelsOf(models: readonly (string | undefined)[] | null): string[] | null {
  return models === null ? null : [...new Set(models.filter((model) => model !== undefined))]
}

function isPresent(entry: [string, string | undefined]): entry is [string, string] {
  return entry[1] !== undefined
}

function keyFor(file: Partly<ConfigFile>, id: string, url: string): string | undefined {
  const keys = Object.entries(file.worker_api_keys ?? {})
  const byId = keys.find(([name]) => name === id)
  return (byId ?? keys.find(([name]) => workerNameOf(name) === url))?.[1]
}

/** A key of `worker_api_keys` as a worker is known: URLs in their normal form, ids as they are. */
export function workerNameOf(name: string): string {
  const result = parseWorkerUrl(name)
  return result.ok ? result.url : name
}

// Checks of `semantic_cluster` that need more than one field: its server, names that repeat, clusters that nobody could be
// sent to.

import type { Partly } from './check-section.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { checkEmbeddingServer, hasServer } from './embedding-server-schema.ts'
import { errorAt, formatPath, type Path, type Problem, warningAt } from './finding.ts'
import type { ConfigFile } from './schema.ts'
import { idsOf } from './semantic-cluster-schema.ts'

type Cluster = Partly<NonNullable<ConfigFile['semantic_cluster']>['clusters'][number]>

export function checkSemanticCluster(input: CrossCheckInput): Problem[] {
  const { semantic_cluster: section, semantic_cache: cache = {} } = input.file
  if (section === undefined) return []
  const path = ['semantic_cluster']
  const clusters = section.clusters ?? []
  if (clusters.length === 0) {
    return [warningAt([...path, 'clusters'], 'lists no cluster, so the section has no effect')]
  }
  const names = clusters.map((cluster) => cluster?.name)
  return [
    ...(!hasServer(section) && hasServer(cache) ? [] : checkEmbeddingServer(section, path, input)),
    ...clusters.flatMap((cluster, index) => {
      if (cluster === undefined) return []
      const at = [...path, 'clusters', index]
      return [...repeatedName(names, index, at), ...withoutExamples(cluster, at), ...members(cluster, at, input)]
    }),
  ]
}

function repeatedName(names: readonly (string | undefined)[], index: number, path: Path): Problem[] {
  const name = names[index]
  const first = names.indexOf(name)
  if (name === undefined || first === index) return []
  const where = formatPath(['semantic_cluster', 'clusters', first])
  return [errorAt([...path, 'name'], `"${name}" already names ${where}; records tell clusters by their names`)]
}

function withoutExamples({ examples }: Cluster, path: Path): Problem[] {
  if (examples === undefined || examples.length > 0) return []
  return [warningAt(path, 'has no examples, so nothing is near it; it is never chosen')]
}

function members({ workers = [], labels }: Cluster, path: Path, { pool, isPoolComplete }: CrossCheckInput): Problem[] {
  if (!isPoolComplete || workers.includes(undefined)) return []
  const strangers = workers.flatMap((worker, index) => {
    if (worker === undefined || idsOf(worker, pool).length > 0) return []
    return [warningAt([...path, 'workers', index], 'names no worker of the pool; write its URL in full, or its id')]
  })
  const wanted = Object.entries(labels ?? {})
  const hasLabelled =
    wanted.length > 0 && pool.some(({ worker }) => wanted.every(([name, value]) => worker.labels[name] === value))
  if (hasLabelled || strangers.length < workers.length) return strangers
  return [
    ...strangers,
    warningAt(path, 'has no worker of the pool; what is near it goes to the next cluster, or anywhere'),
  ]
}

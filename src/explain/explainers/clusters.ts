// Which cluster took the request, how near it was to the others, and why it was none where there are clusters.

import type { Explainer } from '../subject.ts'
import { listed, named } from '../words.ts'

export const clusters: Explainer = ({ record }) => {
  const { cluster, clusters: fact, pinned } = record
  if (fact === undefined) return cluster === undefined ? [] : [`It was chosen within the cluster ${named(cluster)}.`]
  const { ranked, threshold } = fact
  const near = ranked.map(({ name, similarity }) => `${named(name)} ${similarity}`)
  const how = `Its text was compared with the examples of clusters: ${listed(near)}; ${threshold} is near enough.`
  if (cluster !== undefined) return [how, within(cluster, ranked)]
  if (pinned !== undefined) return [how]
  const isNear = ranked.some(({ similarity }) => similarity >= threshold)
  return [
    how,
    isNear
      ? 'No cluster that is near enough had a worker for it, so any could take it.'
      : 'None is, so any worker could take it.',
  ]
}

function within(cluster: string, ranked: readonly { readonly name: string }[]): string {
  const nearer = ranked.slice(
    0,
    ranked.findIndex(({ name }) => name === cluster),
  )
  const passed = nearer.length === 0 ? '' : `; ${listed(nearer.map(({ name }) => named(name)))} had nobody for it`
  return `It was chosen within the cluster ${named(cluster)}${passed}.`
}

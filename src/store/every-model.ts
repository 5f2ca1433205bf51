// Turns wanted of every model, by a holder that does not know the models yet: its first report leases for all of them.

import type { WorkerState } from './fleet-store.ts'

/** Stands for every model among the keys of turns; no model is called that. */
export const EVERY_MODEL = '*'

/** The same with the models themselves; as it is where the models are not known. */
export function withModels(
  wanted: ReadonlyMap<string, number>,
  workers: readonly WorkerState[],
): ReadonlyMap<string, number> {
  const each = wanted.get(EVERY_MODEL)
  const models = workers.flatMap((worker) => worker.models ?? [])
  if (each === undefined || models.length === 0) return wanted
  const all = new Map(['', ...models].map((key) => [key, each]))
  for (const [key, count] of wanted) if (key !== EVERY_MODEL) all.set(key, count)
  return all
}

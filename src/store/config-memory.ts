// Configuration documents of a process that was given one and has no place to keep others: they last as long as it does.

import { ConfigHistory } from './config-state.ts'
import type { ConfigDocument, ConfigStore, ConfigVersion } from './config-store.ts'

export interface MemoryConfigOptions {
  /** The configuration the process was started with, and its hash. */
  readonly text: string
  readonly hash: string
  now(): number
}

export function createMemoryConfigStore({ text, hash, now }: MemoryConfigOptions): ConfigStore {
  const first: ConfigVersion = { hash, sequence: 1, origin: 'bundled', by: 'start', atMs: now() }
  const documents = new Map<string, ConfigDocument>([[hash, { text, origin: 'bundled' }]])
  let history = new ConfigHistory([first])
  const newest = () => history.newest() ?? first
  return {
    current: async () => newest(),
    latest: async () => ({ text, origin: 'bundled' }),
    read: async (wanted) => documents.get(wanted) ?? null,
    async publish({ text: next, hash: nextHash, origin, by, expectedSequence }) {
      const changed = history.after(expectedSequence, { hash: nextHash, origin, by, atMs: now() })
      if (changed === null) return { ok: false, conflict: 'sequence' }
      history = changed
      documents.set(nextHash, { text: next, origin })
      for (const kept of documents.keys()) if (!history.has(kept)) documents.delete(kept)
      return { ok: true, pointer: newest() }
    },
    versions: async () => history.versions,
  }
}

// Where a router's configurations come from: documents, and the loader that knows its environment and its policies.

import type { Config } from '../config/config.ts'
import type { DeliveredBeside } from '../config/delivered-checks.ts'
import type { LoadResult } from '../config/load.ts'
import { createMemoryConfigStore } from '../store/config-memory.ts'
import type { ConfigPointer, ConfigStore } from '../store/config-store.ts'

export interface ConfigSource {
  readonly store: ConfigStore
  /** What the router starts with; null where that is agreed on with others and has to be asked for first. */
  readonly start: ConfigPointer | null
  /** `besides`: the running configuration, for a document that came through the admin API. */
  load(text: string, besides: DeliveredBeside | null): Promise<LoadResult>
}

/** For a router that was handed a checked configuration and nothing to load another with. */
export function unchangingSource({ hash }: Config, now: () => number): ConfigSource {
  const message = 'This router was put together without a loader for configurations.'
  return {
    store: createMemoryConfigStore({ text: '', hash, now }),
    start: { hash, sequence: 1, origin: 'bundled' },
    load: async () => ({ ok: false, findings: [{ severity: 'error', path: '', line: null, column: null, message }] }),
  }
}

// The history of configurations as plain data: what is current, what came before, and which change is the next one.
// No I/O and no clock of its own; files and the Durable Object wrap it.

import { type ConfigOrigin, type ConfigVersion, KEPT_VERSIONS } from './config-store.ts'

export interface NextVersion {
  readonly hash: string
  readonly origin: ConfigOrigin
  readonly by: string
  readonly atMs: number
}

/** Never changes: a change is a history of its own, to be kept once it has been carried out. */
export class ConfigHistory {
  /** Newest first. */
  readonly versions: readonly ConfigVersion[]

  constructor(versions: readonly ConfigVersion[]) {
    this.versions = versions.slice(0, KEPT_VERSIONS)
  }

  /** Null while nothing was ever published. */
  newest(): ConfigVersion | null {
    return this.versions[0] ?? null
  }

  sequence(): number {
    return this.newest()?.sequence ?? 0
  }

  /**
   * The history after a change made from `expectedSequence`; null when another change came first. A document that means
   * what the current one means is no version of its own.
   */
  after(expectedSequence: number, next: NextVersion): ConfigHistory | null {
    if (expectedSequence !== this.sequence()) return null
    if (next.hash === this.newest()?.hash) return this
    return new ConfigHistory([{ ...next, sequence: this.sequence() + 1 }, ...this.versions])
  }

  /** Whether some version is the document of this hash. */
  has(hash: string): boolean {
    return this.versions.some((version) => version.hash === hash)
  }
}

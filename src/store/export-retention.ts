// Deletes log files that are older than is wanted, or too many, and view documents that only they had named.

import type { DecisionLogConfig } from '../config/config.ts'
import type { ExportPaths, RotatedName } from './export-paths.ts'
import type { FileEntry, LogFiles } from './log-files.ts'
import type { SegmentIndex } from './segment-index.ts'

export interface ExportRetentionOptions {
  readonly files: LogFiles
  readonly paths: ExportPaths
  /** Settings as they are now. */
  config(): Pick<DecisionLogConfig, 'retentionMs' | 'retentionBytes'>
  now(): number
}

const DAY_MS = 86_400_000

type Rotated = RotatedName & Pick<FileEntry, 'bytes'>

export class ExportRetention {
  readonly #options: ExportRetentionOptions

  constructor(options: ExportRetentionOptions) {
    this.#options = options
  }

  get isWanted(): boolean {
    const { retentionMs, retentionBytes } = this.#options.config()
    return retentionMs !== null || retentionBytes !== null
  }

  /** Whole files are deleted, so one that goes on growing must not hold more than a day. */
  isTooOldToGrow({ count, firstMs }: SegmentIndex): boolean {
    const { retentionMs } = this.#options.config()
    if (retentionMs === null || count === 0) return false
    return this.#options.now() - firstMs > Math.min(DAY_MS, retentionMs)
  }

  async apply(): Promise<void> {
    if (!this.isWanted) return
    const { files, paths, now } = this.#options
    const { retentionMs, retentionBytes } = this.#options.config()
    const rotated = toRotated(await files.list(paths.directory), paths)
    // A file has no record that is younger than the moment it was put aside.
    const oldestMs = retentionMs === null ? Number.NEGATIVE_INFINITY : now() - retentionMs
    let bytes = 0
    const outdated = rotated.filter((file) => {
      bytes += file.bytes
      return file.atMs < oldestMs || (retentionBytes !== null && bytes > retentionBytes)
    })
    for (const file of outdated) await this.#remove(file)
    const [newest] = outdated
    if (newest !== undefined) await this.#removeViews(newest.atMs)
  }

  /** The index goes first: without its file it would be litter, without it the file is still whole. */
  async #remove({ name }: Rotated): Promise<void> {
    const { files, paths } = this.#options
    await files.remove(paths.index(name))
    await files.remove(paths.inDirectory(name))
  }

  /** Documents are written anew for each file that names them: one that is older than what is left has no reader. */
  async #removeViews(beginsAtMs: number): Promise<void> {
    const { files, paths } = this.#options
    for (const { name, modifiedAtMs } of await files.list(paths.views)) {
      const hash = /^([0-9a-f]{16})\.json$/.exec(name)?.[1]
      if (hash !== undefined && modifiedAtMs < beginsAtMs) await files.remove(paths.view(hash))
    }
  }
}

/** Newest first. */
function toRotated(entries: readonly FileEntry[], paths: ExportPaths): readonly Rotated[] {
  return entries
    .flatMap(({ name, bytes }): Rotated[] => {
      const parsed = paths.parseRotated(name)
      return parsed === null ? [] : [{ ...parsed, bytes }]
    })
    .sort((one, other) => other.atMs - one.atMs || other.sequence - one.sequence)
}

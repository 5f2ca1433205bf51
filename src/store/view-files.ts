// View documents beside an exported log, one file each.

import { isIntact, viewDocumentSchema, type ViewDocument } from '../record/view-document.ts'
import type { ExportPaths } from './export-paths.ts'
import type { LogFiles } from './log-files.ts'

export interface ViewFilesOptions {
  readonly files: LogFiles
  readonly paths: ExportPaths
}

/** Longest document that is read: one of some ten thousand workers. */
const MAX_BYTES = 16 * 1024 * 1024

/** The documents of so many fleets are known to be there; any others are written again. */
const MAX_KNOWN = 1_000

export class ViewFiles {
  readonly #options: ViewFilesOptions
  readonly #known = new Set<string>()

  constructor(options: ViewFilesOptions) {
    this.#options = options
  }

  async put(views: readonly ViewDocument[]): Promise<void> {
    const { files, paths } = this.#options
    for (const view of views) {
      if (this.#known.has(view.view_hash)) continue
      await files.replace(paths.view(view.view_hash), new TextEncoder().encode(`${JSON.stringify(view)}\n`))
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.add(view.view_hash)
    }
  }

  /** Documents are written again for each log file that needs them: by their age, those of old files are found. */
  forget(): void {
    this.#known.clear()
  }

  /** Null when there is none, or when somebody has changed it. */
  async find(hash: string): Promise<ViewDocument | null> {
    if (!/^[0-9a-f]{16}$/.test(hash)) return null
    const { files, paths } = this.#options
    const content = await files.read(paths.view(hash), 0, MAX_BYTES)
    return content === null ? null : parseView(new TextDecoder().decode(content), hash)
  }
}

/** Null for text that is not the document of this hash. */
export function parseView(text: string, hash: string): ViewDocument | null {
  try {
    const parsed = viewDocumentSchema.safeParse(JSON.parse(text))
    return parsed.success && parsed.data.view_hash === hash && isIntact(parsed.data) ? parsed.data : null
  } catch {
    // Cut short, or no JSON at all.
    return null
  }
}

// View documents for as long as a record in memory names them.

import type { ViewDocument } from '../record/view-document.ts'

/** Documents that no record names any more are kept up to this number: the next record may name the last one. */
const SPARE = 4

export class ViewShelf {
  readonly #documents = new Map<string, ViewDocument>()
  readonly #users = new Map<string, number>()

  put(view: ViewDocument): void {
    if (this.#documents.has(view.view_hash)) return
    this.#documents.set(view.view_hash, view)
    if (this.#documents.size > this.#users.size + SPARE) this.#clear()
  }

  find(hash: string): ViewDocument | null {
    return this.#documents.get(hash) ?? null
  }

  /** A record names this document from now on. */
  use(hash: string | undefined): void {
    if (hash !== undefined) this.#users.set(hash, (this.#users.get(hash) ?? 0) + 1)
  }

  /** A record that named it is gone. */
  drop(hash: string | undefined): void {
    if (hash === undefined) return
    const left = (this.#users.get(hash) ?? 0) - 1
    if (left > 0) this.#users.set(hash, left)
    else this.#users.delete(hash)
  }

  #clear(): void {
    const newest = [...this.#documents.keys()].at(-1)
    for (const hash of this.#documents.keys()) {
      if (!this.#users.has(hash) && hash !== newest) this.#documents.delete(hash)
    }
  }
}

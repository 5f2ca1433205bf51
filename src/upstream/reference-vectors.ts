// Vectors of texts that stay the same: examples of clusters, candidates of signals. Computed once in a process or isolate,
// one attempt at a time, and tried again later when the server can't be had.

import type { Platform } from '../platform.ts'
import type { Embedder } from './embeddings.ts'
import type { ServiceFailure } from './json-service.ts'

export type ReferenceState =
  /** Nobody has asked yet, or the first attempt is under way. */
  'pending' | 'ready' | 'failing'

export interface ReferenceStatus {
  readonly state: ReferenceState
  /** Length of the vectors; null while there are none. */
  readonly dimensions: number | null
  /** Texts that the server refuses, which are left out. */
  readonly refused: number
  /** Why the last attempt failed, or the vectors were dropped; null while all is well. */
  readonly why: string | null
}

export interface ReferenceOptions {
  readonly texts: readonly string[]
  readonly embedder: Embedder
  readonly platform: Pick<Platform, 'now' | 'after' | 'wakesAcrossRequests'>
  /** Told when the state is another than before; `why` is for the log. */
  onChange(status: ReferenceStatus): void
}

export interface EnsureOptions {
  readonly waitUntil: (task: Promise<unknown>) => void
  /** How long this request may wait for vectors that are not there yet. */
  readonly budgetMs: number
}

/** Vectors by text, all of one length. */
export type ReferenceVectors = ReadonlyMap<string, Float32Array>

/** For all texts of one attempt: it goes on beside requests, none of which waits that long. */
const ATTEMPT_MS = 20_000

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 30_000

export class ReferenceShelf {
  readonly #options: ReferenceOptions
  #vectors: ReferenceVectors | null = null
  #status: ReferenceStatus = { state: 'pending', dimensions: null, refused: 0, why: null }
  #attempt: { readonly untilMs: number; readonly ended: Promise<void> } | null = null
  #failures = 0
  #nextAtMs = Number.NEGATIVE_INFINITY

  constructor(options: ReferenceOptions) {
    this.#options = options
  }

  status(): ReferenceStatus {
    return this.#status
  }

  /**
   * The vectors, or null while there are none. Begins an attempt when one is due; whoever began it waits for it within
   * its budget, others only where one request may wake another.
   */
  async ensure({ waitUntil, budgetMs }: EnsureOptions): Promise<ReferenceVectors | null> {
    if (this.#vectors !== null) return this.#vectors
    const { platform } = this.#options
    const nowMs = platform.now()
    // One whose request died with its runtime never ends.
    const running = this.#attempt !== null && nowMs < this.#attempt.untilMs ? this.#attempt : null
    if (running !== null) {
      if (platform.wakesAcrossRequests) await this.#wait(running.ended, budgetMs)
      return this.#vectors
    }
    if (nowMs < this.#nextAtMs) return null
    const ended = this.#try()
    this.#attempt = { untilMs: nowMs + 2 * ATTEMPT_MS, ended }
    waitUntil(ended)
    await this.#wait(ended, budgetMs)
    return this.#vectors
  }

  /** Begins where no request has to: a process that starts, or takes up a configuration, need not wait for one. */
  warm(): void {
    const { wakesAcrossRequests } = this.#options.platform
    // Elsewhere what is under way ends with the request that began it.
    if (wakesAcrossRequests) void this.ensure({ waitUntil() {}, budgetMs: 0 })
  }

  /** Drops the vectors: the server gives others of another length by now. They are computed anew. */
  drop(given: number): void {
    const { dimensions } = this.#status
    if (this.#vectors === null) return
    this.#vectors = null
    this.#failed(`the vectors of requests have ${given} numbers, those of the examples ${dimensions ?? 0}`)
  }

  /** Texts that the server refuses are left out, so that one too long does not cost all the others. */
  async #try(): Promise<void> {
    const { texts, embedder } = this.#options
    const options = { signal: new AbortController().signal, budgetMs: ATTEMPT_MS }
    const all = await embedder.embed(texts, options)
    if (all.kind === 'vectors') return this.#done(new Map(texts.map((text, at) => [text, all.vectors[at]])))
    if (all.reason !== 'refused') return this.#failed(describe(all))
    const found = new Map<string, Float32Array | undefined>()
    for (const text of texts) {
      const one = await embedder.embed([text], options)
      if (one.kind === 'vectors') found.set(text, one.vectors[0])
      else if (one.reason !== 'refused') return this.#failed(describe(one))
    }
    if (found.size === 0) return this.#failed(describe(all))
    this.#done(found)
  }

  #done(found: ReadonlyMap<string, Float32Array | undefined>): void {
    const vectors = new Map([...found].flatMap(([text, vector]) => (vector === undefined ? [] : [[text, vector]])))
    const dimensions = [...vectors.values()][0]?.length ?? 0
    const isOneSize = [...vectors.values()].every(({ length }) => length === dimensions)
    if (!isOneSize) return this.#failed('its vectors have not all the same length')
    this.#attempt = null
    this.#failures = 0
    this.#vectors = vectors
    const refused = new Set(this.#options.texts).size - vectors.size
    this.#become({ state: 'ready', dimensions, refused, why: null })
  }

  #failed(why: string): void {
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures)
    this.#attempt = null
    this.#failures += 1
    this.#nextAtMs = this.#options.platform.now() + waitMs
    this.#become({ state: 'failing', dimensions: null, refused: 0, why })
  }

  #become(next: ReferenceStatus): void {
    const { state, why } = this.#status
    this.#status = next
    if (state !== next.state || why !== next.why) this.#options.onChange(next)
  }

  async #wait(ended: Promise<void>, budgetMs: number): Promise<void> {
    let callOff = () => {}
    const late = new Promise<void>((resolve) => (callOff = this.#options.platform.after(budgetMs, resolve)))
    await Promise.race([ended, late])
    callOff()
  }
}

function describe({ reason, why }: ServiceFailure): string {
  return `${reason}: ${why}`
}

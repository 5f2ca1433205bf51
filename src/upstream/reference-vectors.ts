// Vectors of texts that stay the same: examples of clusters, candidates of signals. Looked up where earlier processes or
// isolates kept them, else computed, one attempt at a time, and tried again later when the server can't be had.

import type { Platform } from '../platform.ts'
import type { Embedder } from './embeddings.ts'
import type { ServiceFailure } from './json-service.ts'
import type { KeptVectors } from './kept-vectors.ts'

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
  /** Where others kept theirs; null where nobody can. */
  readonly kept: KeptVectors | null
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

const NONE: ReferenceVectors = new Map()

export class ReferenceShelf {
  readonly #options: ReferenceOptions
  #vectors: ReferenceVectors | null = null
  #status: ReferenceStatus = { state: 'pending', dimensions: null, refused: 0, why: null }
  #attempt: { readonly untilMs: number; readonly ended: Promise<void> } | null = null
  /** What is kept may be all of it: nobody has found that it is not. */
  #mayBeKept = true
  /** Length that requests' vectors had when those of the examples were dropped. */
  #wanted: number | null = null
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
      // Where nobody else's answer would wake it, a request looks for itself: an isolate begins with several at once.
      if (platform.wakesAcrossRequests) await this.#wait(running.ended, budgetMs)
      else if (this.#mayBeKept) await this.#wait(this.#restore(), budgetMs)
      return this.#vectors
    }
    if (nowMs < this.#nextAtMs) return null
    const ended = this.#try(waitUntil)
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
    this.#wanted = given
    this.#failed(`the vectors of requests have ${given} numbers, those of the examples ${dimensions ?? 0}`)
  }

  async #try(waitUntil: EnsureOptions['waitUntil']): Promise<void> {
    const { texts, kept } = this.#options
    const known = kept === null ? NONE : await this.#restore()
    if (this.#vectors !== null) return
    const missing = texts.filter((text) => !known.has(text))
    let asked = await this.#ask(missing)
    // What is kept is of another model than the server has by now.
    const isOther = asked.kind === 'vectors' && known.size > 0 && !isOneSize([known, asked.vectors])
    if (isOther) asked = await this.#ask(texts)
    if (this.#vectors !== null) return
    if (asked.kind === 'failure') return this.#failed(describe(asked))
    const all = isOther ? asked.vectors : new Map([...known, ...asked.vectors])
    if (all.size === 0) return this.#failed(asked.refusal ?? 'it gave no vector')
    if (!isOneSize([all])) return this.#failed('its vectors have not all the same length')
    this.#done(all)
    if (kept !== null && asked.vectors.size > 0) waitUntil(kept.keep(asked.vectors))
  }

  /** What is kept; with all of it there is nothing left to do. */
  async #restore(): Promise<ReferenceVectors> {
    const { texts, kept } = this.#options
    const found = (await kept?.find(texts)) ?? NONE
    const length = this.#wanted ?? [...found.values()][0]?.length
    const known = new Map([...found].filter(([, vector]) => vector.length === length))
    this.#mayBeKept = texts.every((text) => known.has(text))
    if (this.#mayBeKept && this.#vectors === null) this.#done(known)
    return known
  }

  /** Texts that the server refuses are left out, so that one too long does not cost all the others. */
  async #ask(texts: readonly string[]): Promise<Asked> {
    const { embedder } = this.#options
    const options = { signal: new AbortController().signal, budgetMs: ATTEMPT_MS }
    const all = await embedder.embed(texts, options)
    if (all.kind === 'vectors') return { kind: 'vectors', vectors: byText(texts, all.vectors), refusal: null }
    if (all.reason !== 'refused') return all
    const found = new Map<string, Float32Array>()
    for (const text of texts) {
      const one = await embedder.embed([text], options)
      const vector = one.kind === 'vectors' ? one.vectors[0] : undefined
      if (vector !== undefined) found.set(text, vector)
      else if (one.kind === 'failure' && one.reason !== 'refused') return one
    }
    return { kind: 'vectors', vectors: found, refusal: describe(all) }
  }

  #done(vectors: ReferenceVectors): void {
    this.#attempt = null
    this.#failures = 0
    this.#wanted = null
    this.#vectors = vectors
    const dimensions = [...vectors.values()][0]?.length ?? 0
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

  async #wait(ended: Promise<unknown>, budgetMs: number): Promise<void> {
    let callOff = () => {}
    const late = new Promise<void>((resolve) => (callOff = this.#options.platform.after(budgetMs, resolve)))
    await Promise.race([ended, late])
    callOff()
  }
}

/** Vectors of the texts that were taken; `refusal` says why others were not. */
type Asked =
  | { readonly kind: 'vectors'; readonly vectors: ReferenceVectors; readonly refusal: string | null }
  | ServiceFailure

function byText(texts: readonly string[], vectors: readonly Float32Array[]): ReferenceVectors {
  return new Map(texts.flatMap((text, at) => (vectors[at] === undefined ? [] : [[text, vectors[at]]])))
}

function isOneSize(maps: readonly ReferenceVectors[]): boolean {
  const lengths = maps.flatMap((vectors) => Array.from(vectors.values(), ({ length }) => length))
  return new Set(lengths).size <= 1
}

function describe({ reason, why }: ServiceFailure): string {
  return `${reason}: ${why}`
}

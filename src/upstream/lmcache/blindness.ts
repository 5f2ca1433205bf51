// Whether LMCache's control plane can see at all. One whose chunk size, hash seed or version differs from the workers'
// answers every lookup with "nobody", without an error; it is found by what it says of prompts that a worker has just
// computed, and by what workers say they had cached of what it promised. Pure: the clock is handed in.

/** Lookups of what must be known, none of them known, until it counts as blind; its key count grew meanwhile. */
export const MISSES_TO_BLIND = 20

/** The same where the count stands still or is not served, which may mean that workers tell it nothing. */
export const MISSES_WITHOUT_GROWTH = 60

/** Promises in a row that did not hold until it counts as blind. */
export const BROKEN_PROMISES_TO_BLIND = 50

/** LMCache's chunk, in tokens: what is smaller is no promise. */
const CHUNK_TOKENS = 256

/** Between two probes, while it is known to see and while it is in doubt. */
const CALM_MS = 30_000
const DOUBT_MS = 1_000

/** Between two requests that ask a blind one, so that there is something to judge by. */
const TRIAL_MS = 10_000

/**
 * `unproven` until it has known anything, `sighted`, or `blind`: nothing it says is asked for but to see whether that is
 * over.
 */
export type SightState = 'unproven' | 'sighted' | 'blind'

/** What showed that it is blind: lookups that knew nothing while keys came in, or did not, or promises that did not hold. */
export type BlindBecause = 'knows_nothing_new' | 'hears_nothing' | 'promises_too_much'

/** What usually is the matter, for operators. */
export const LIKELY_CAUSES: Readonly<Record<BlindBecause, string>> = {
  knows_nothing_new:
    'Keys come in, yet lookups of prompts that workers have just computed find nothing. Check that chunk_size is 256 and pre_caching_hash_algorithm is builtin at every worker (the legacy controller knows no others), that PYTHONHASHSEED is set and the same everywhere, that LMCache, vLLM and Python have the same versions, and that vLLM is installed in the image of the controller.',
  hears_nothing:
    'Lookups of prompts that workers have just computed find nothing, and the number of keys stands still or is not told. Check that workers have enable_controller and the address of this controller, then chunk_size 256, PYTHONHASHSEED, versions, and vLLM in the image of the controller.',
  promises_too_much:
    'Workers had less than half cached of what lookups said they had. Check that models which share a tokenizer have a controller each, that instance ids lead to the right workers, and that workers send heartbeats, so that restarts are noticed.',
}

export interface Sight {
  readonly state: SightState
  /** Null unless it is blind. */
  readonly because: BlindBecause | null
  readonly sinceMs: number | null
  /** Probes in a row that found nothing, and promises in a row that did not hold. */
  readonly missesInRow: number
  readonly brokenInRow: number
}

export interface Promised {
  /** Leading tokens that a lookup said the chosen worker had. */
  readonly predictedTokens: number
  /** What the worker then said it had. */
  readonly actualTokens: number
}

export class BlindnessJudge {
  #state: SightState = 'unproven'
  #because: BlindBecause | null = null
  #sinceMs: number | null = null
  #missesInRow = 0
  #brokenInRow = 0
  /** Keys over all instances at the first of these misses; null when not known. */
  #keysAtFirstMiss: number | null = null
  #provenAtMs = Number.NEGATIVE_INFINITY
  #probedAtMs = Number.NEGATIVE_INFINITY
  #triedAtMs = Number.NEGATIVE_INFINITY

  sight(): Sight {
    return {
      state: this.#state,
      because: this.#because,
      sinceMs: this.#sinceMs,
      missesInRow: this.#missesInRow,
      brokenInRow: this.#brokenInRow,
    }
  }

  /** Whether a request may ask it, which one every ten seconds may while it is blind. */
  takeLookup(nowMs: number): boolean {
    if (this.#state !== 'blind') return true
    if (nowMs - this.#triedAtMs < TRIAL_MS) return false
    this.#triedAtMs = nowMs
    return true
  }

  /** Whether it is time for a probe, which then counts as begun. */
  takeProbe(nowMs: number): boolean {
    const isCalm = this.#state === 'sighted' && this.#missesInRow === 0
    const lastMs = isCalm ? Math.max(this.#probedAtMs, this.#provenAtMs) : this.#probedAtMs
    if (nowMs - lastMs < (isCalm ? CALM_MS : DOUBT_MS)) return false
    this.#probedAtMs = nowMs
    return true
  }

  /** It knew a prompt, when a request asked or when a probe did. */
  noteKnown(nowMs: number): void {
    this.#missesInRow = 0
    this.#keysAtFirstMiss = null
    this.#provenAtMs = nowMs
    if (this.#state !== 'blind' || this.#because !== 'promises_too_much') this.#turn('sighted', null, nowMs)
  }

  /** It knew nothing of a prompt that a worker had computed. `keys`: how many it says it knows; null when not known. */
  noteUnknown(keys: number | null, nowMs: number): void {
    this.#missesInRow += 1
    this.#keysAtFirstMiss ??= keys
    // One that has lost all it knew grows from there.
    if (keys !== null && this.#keysAtFirstMiss !== null) this.#keysAtFirstMiss = Math.min(this.#keysAtFirstMiss, keys)
    const grows = keys !== null && keys > (this.#keysAtFirstMiss ?? keys)
    if (this.#missesInRow < (grows ? MISSES_TO_BLIND : MISSES_WITHOUT_GROWTH)) return
    if (this.#state !== 'blind') this.#turn('blind', grows ? 'knows_nothing_new' : 'hears_nothing', nowMs)
  }

  /**
   * A worker said what it had cached. It counts only where a chunk or more was promised; less than half of that is a broken
   * promise. More than promised is none: a lookup names one holder of several, and nothing of the GPU's own cache.
   */
  notePromise({ predictedTokens, actualTokens }: Promised, nowMs: number): void {
    if (predictedTokens < CHUNK_TOKENS) return
    if (actualTokens >= predictedTokens / 2) {
      this.#brokenInRow = 0
      this.#turn('sighted', null, nowMs)
      return
    }
    this.#brokenInRow += 1
    if (this.#brokenInRow < BROKEN_PROMISES_TO_BLIND || this.#state === 'blind') return
    this.#turn('blind', 'promises_too_much', nowMs)
  }

  #turn(state: SightState, because: BlindBecause | null, nowMs: number): void {
    if (state === this.#state) return
    this.#state = state
    this.#because = because
    this.#sinceMs = nowMs
    this.#missesInRow = 0
    this.#brokenInRow = 0
    this.#keysAtFirstMiss = null
  }
}

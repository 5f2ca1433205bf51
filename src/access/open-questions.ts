// Which keys are being asked about at this moment, so that a crowd with one key does not become a crowd at a service.

/** Questions about one key at a time: one that is dropped by the runtime must not leave the rest without an answer. */
const MAX_AT_A_TIME = 2

export class OpenQuestions {
  /** When each question about a key was asked. */
  readonly #askedAtMs = new Map<string, readonly number[]>()
  readonly #lifetimeMs: number
  readonly #maxKeys: number

  /** A question is over after `lifetimeMs`, whether or not its end was told. */
  constructor(lifetimeMs: number, maxKeys: number) {
    this.#lifetimeMs = lifetimeMs
    this.#maxKeys = maxKeys
  }

  /** Whether so many ask about this key that whoever comes now does better to wait for what they hear. */
  isFull(digest: string, nowMs: number): boolean {
    return this.#open(digest, nowMs).length >= MAX_AT_A_TIME
  }

  begin(digest: string, nowMs: number): void {
    const open = this.#open(digest, nowMs)
    this.#askedAtMs.delete(digest)
    this.#askedAtMs.set(digest, [...open, nowMs])
    const [oldest] = this.#askedAtMs.keys()
    if (this.#askedAtMs.size > this.#maxKeys && oldest !== undefined) this.#askedAtMs.delete(oldest)
  }

  /** Ends one that began at `beganAtMs`. */
  end(digest: string, beganAtMs: number): void {
    const open = this.#askedAtMs.get(digest) ?? []
    const at = open.indexOf(beganAtMs)
    const left = at === -1 ? open : open.toSpliced(at, 1)
    if (left.length === 0) this.#askedAtMs.delete(digest)
    else this.#askedAtMs.set(digest, left)
  }

  #open(digest: string, nowMs: number): readonly number[] {
    return (this.#askedAtMs.get(digest) ?? []).filter((atMs) => nowMs - atMs <= this.#lifetimeMs)
  }
}

// Tokens that requests of this process or isolate still wait to have prefilled, by candidate. Exact in what is added and
// given back, however a request ends; what of the first in line is done already is reckoned from the time it has had.

export interface Prefill {
  /** It has begun to answer, or is over; `nowMs` where that is known. Only the first call counts. */
  end(nowMs?: number): void
}

export interface WaitingPrompt {
  readonly tokens: number
  readonly beganMs: number
  /** What a token is taken to cost. */
  readonly msPerToken: number
  /** When it is taken to be prefilled if nobody says so before; Infinity where its first byte will tell. */
  readonly untilMs: number
}

/** Engines prefill in the order of arrival. */
interface Line {
  readonly prompts: Set<WaitingPrompt>
  /** When the first of them came to be the first. */
  sinceMs: number
}

export class PrefillBacklog {
  readonly #lines = new Map<string, Line>()

  /** A request goes to a candidate. */
  begin(candidateId: string, prompt: WaitingPrompt): Prefill {
    let line = this.#lines.get(candidateId)
    if (line === undefined) {
      line = { prompts: new Set(), sinceMs: prompt.beganMs }
      this.#lines.set(candidateId, line)
    }
    const own = { ...prompt }
    line.prompts.add(own)
    return { end: (nowMs) => this.#leave(candidateId, own, nowMs ?? null) }
  }

  tokensOn(candidateId: string, nowMs: number): number {
    const line = this.#lines.get(candidateId)
    if (line === undefined) return 0
    let tokens = 0
    for (const prompt of line.prompts) {
      if (prompt.untilMs <= nowMs) this.#leave(candidateId, prompt, prompt.untilMs)
      else tokens += prompt.tokens
    }
    const [first] = line.prompts
    if (first === undefined) return 0
    const doneTokens = Math.max(0, nowMs - line.sinceMs) / first.msPerToken
    return tokens - Math.round(Math.min(first.tokens, doneTokens))
  }

  /** By candidate; those without any are not listed. */
  all(nowMs: number): Record<string, number> {
    const tokens: Record<string, number> = {}
    for (const id of this.#lines.keys()) {
      const own = this.tokensOn(id, nowMs)
      if (own > 0) tokens[id] = own
    }
    return tokens
  }

  #leave(candidateId: string, prompt: WaitingPrompt, nowMs: number | null): void {
    const line = this.#lines.get(candidateId)
    if (line === undefined) return
    const [first] = line.prompts
    if (!line.prompts.delete(prompt)) return
    if (line.prompts.size === 0) this.#lines.delete(candidateId)
    else if (first === prompt) line.sinceMs = nowMs ?? line.sinceMs
  }
}

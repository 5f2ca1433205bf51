// The step model of an engine: sequences compute together, in steps that share a budget of tokens. Each step gives every
// decoding sequence one token and spends the rest on prefills, first come first served, as vLLM's chunked prefill does.
// So a long prompt slows down the answers beside it, and prefills wait for each other.

import type { Clock } from './clock.ts'
import type { Sequence } from './sequence.ts'

/** What steps are made of, and what becomes of them: the engine's side. */
export interface StepWork {
  /** Sequences with a slot, in the order in which they got it. */
  readonly running: ReadonlySet<Sequence>
  /** Gives the next waiting sequence a slot; null when none waits or it has to wait on. */
  admitNext(): Sequence | null
  /** What a step takes when nothing is prefilled. */
  decodeMs(): number
  /** More of the prompt is computed. */
  computed(sequence: Sequence): void
  /** The next token of its answer; the end, when there is none to come. */
  token(sequence: Sequence): void
}

export interface StepOptions {
  /** Most tokens of a step. */
  readonly stepTokens: number
  readonly prefillMsPerToken: number
}

interface Prefill {
  readonly sequence: Sequence
  readonly tokens: number
}

export class StepLoop {
  readonly #options: StepOptions
  readonly #clock: Clock
  readonly #work: StepWork
  #decodes: Sequence[] = []
  #prefills: Prefill[] = []
  #endsAt = 0
  #isStepping = false
  #cancel: (() => void) | null = null

  constructor(options: StepOptions, clock: Clock, work: StepWork) {
    this.#options = options
    this.#clock = clock
    this.#work = work
  }

  /** Something may have come to do. */
  wake(): void {
    if (this.#cancel === null && !this.#isStepping) this.#begin(this.#clock.now())
  }

  /** Drops the step under way; its work is done again after the next `wake`. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  /** Begins a step that follows on what ended at `at`, and ends those that should have ended by now. */
  #begin(at: number): void {
    for (let start = at; ; start = this.#endsAt) {
      const prefillTokens = this.#plan()
      if (this.#decodes.length === 0 && this.#prefills.length === 0) return
      this.#endsAt = start + this.#work.decodeMs() + prefillTokens * this.#options.prefillMsPerToken
      if (this.#endsAt > this.#clock.now()) break
      this.#finishStep()
    }
    this.#cancel = this.#clock.after(this.#endsAt - this.#clock.now(), () => this.#end())
  }

  /** Fills the next step and says how many tokens it prefills. */
  #plan(): number {
    this.#decodes = []
    this.#prefills = []
    for (const sequence of this.#work.running) if (isDecoding(sequence)) this.#decodes.push(sequence)
    const budget = Math.max(0, this.#options.stepTokens - this.#decodes.length)
    let left = budget
    const take = (sequence: Sequence): void => {
      const tokens = Math.min(left, sequence.request.prompt.length - sequence.prefilled)
      this.#prefills.push({ sequence, tokens })
      left -= tokens
    }
    for (const sequence of this.#work.running) {
      if (left > 0 && isPrefilling(sequence)) take(sequence)
    }
    // Its cached tokens are counted when there is room in a step, not before: what is computed meanwhile is found.
    while (left > 0) {
      const sequence = this.#work.admitNext()
      if (sequence === null) break
      if (isPrefilling(sequence)) take(sequence)
    }
    return budget - left
  }

  #end(): void {
    this.#cancel = null
    this.#finishStep()
    // From when the step was due, not from now: a late timer must not slow the model down.
    this.#begin(this.#endsAt)
  }

  #finishStep(): void {
    this.#isStepping = true
    // The plan was made before: what has ended or been paused since is passed over.
    for (const sequence of this.#decodes) if (isDecoding(sequence)) this.#work.token(sequence)
    for (const { sequence, tokens } of this.#prefills) {
      if (!isPrefilling(sequence)) continue
      sequence.prefilled += tokens
      this.#work.computed(sequence)
      if (sequence.prefilled === sequence.request.prompt.length) this.#work.token(sequence)
    }
    this.#isStepping = false
  }
}

function isDecoding({ phase, isPaused, emitted }: Sequence): boolean {
  return phase === 'running' && !isPaused && emitted > 0
}

function isPrefilling({ phase, isPaused, emitted }: Sequence): boolean {
  return phase === 'running' && !isPaused && emitted === 0
}

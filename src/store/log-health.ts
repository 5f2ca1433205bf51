// How a decision log is doing: one word to its operator when writing begins to fail, when records begin to be lost, and
// when all is well again.

export interface DecisionLogChange {
  readonly state: 'failing' | 'losing' | 'recovered'
  /** What failed last. */
  readonly reason: string
  /** Records that are kept meanwhile, and those that were lost so far. */
  readonly waiting: number
  readonly lost: number
}

export interface LogHealthOptions {
  waiting(): number
  onChange(change: DecisionLogChange): void
}

export class LogHealth {
  readonly #options: LogHealthOptions
  #failing: string | null = null
  /** Why records began to be lost; null while none are. */
  #losing: string | null = null
  #lost = 0

  constructor(options: LogHealthOptions) {
    this.#options = options
  }

  /** Why nothing can be written at the moment; null when all is well. */
  get failing(): string | null {
    return this.#failing
  }

  get lost(): number {
    return this.#lost
  }

  failed(reason: string): void {
    const isNew = this.#failing === null
    this.#failing = reason
    if (isNew) this.#tell('failing', reason)
  }

  /** Losing is over only once nothing waits: under too much load writes succeed all the time. */
  succeeded(): void {
    const reason = this.#failing ?? this.#losing
    this.#failing = null
    if (this.#losing !== null && this.#options.waiting() > 0) return
    this.#losing = null
    if (reason !== null) this.#tell('recovered', reason)
  }

  /** `otherwise` is the reason when nothing has failed: what takes records is too slow. */
  lose(records: number, otherwise: string): void {
    this.#lost += records
    if (this.#losing !== null) return
    this.#losing = this.#failing ?? otherwise
    this.#tell('losing', this.#losing)
  }

  #tell(state: DecisionLogChange['state'], reason: string): void {
    this.#options.onChange({ state, reason, waiting: this.#options.waiting(), lost: this.#lost })
  }
}

// A line on a terminal that says how far a long command has come, and goes away when it is done.

const WIDTH = 30

/** Shorter work needs no word. */
const QUIET_MS = 700

const INTERVAL_MS = 100

export interface ProgressOptions {
  /** False where nobody watches. */
  readonly isShown: boolean
  /** Null when the end is not known. */
  readonly totalBytes: number | null
  now(): number
  write(text: string): void
}

export class Progress {
  readonly #options: ProgressOptions
  readonly #beganAtMs: number
  #shownAtMs: number | null = null

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#beganAtMs = options.now()
  }

  update(bytes: number, records: number): void {
    const { isShown, now, write } = this.#options
    if (!isShown) return
    const nowMs = now()
    if (nowMs - this.#beganAtMs < QUIET_MS) return
    if (this.#shownAtMs !== null && nowMs - this.#shownAtMs < INTERVAL_MS) return
    this.#shownAtMs = nowMs
    const perSecond = Math.round((1_000 * records) / (nowMs - this.#beganAtMs))
    write(`\r\u001B[K${this.#bar(bytes)}${records} records, ${perSecond}/s`)
  }

  clear(): void {
    if (this.#shownAtMs !== null) this.#options.write('\r\u001B[K')
    this.#shownAtMs = null
  }

  #bar(bytes: number): string {
    const { totalBytes } = this.#options
    if (totalBytes === null || totalBytes === 0) return ''
    const done = Math.min(1, bytes / totalBytes)
    const full = Math.round(done * WIDTH)
    return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${String(Math.floor(100 * done)).padStart(3)} %  `
  }
}

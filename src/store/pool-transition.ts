// From one pool to the next without a gap: workers that come are known before requests are sent to them, and workers that
// leave stay known for as long as requests that began with them go on looking for one.

/** What of a configuration makes a pool. */
export interface Pooled {
  readonly workers: readonly { readonly id: string; readonly url: string; readonly models: readonly string[] | null }[]
}

/** How long requests may go on under the configuration before: until every router has taken up the new one, and a while. */
export const LEAVING_MS = 10_000

/** How long a change waits for workers that come to say what they serve. */
export const PREPARE_MS = 3_000

interface Leaving<Worker> {
  readonly worker: Worker
  readonly untilMs: number
}

export class PoolTransition<Settings extends Pooled> {
  #running: Settings
  #coming: Settings['workers'] = []
  #leaving: readonly Leaving<Settings['workers'][number]>[] = []

  constructor(running: Settings) {
    this.#running = running
  }

  /** The pool as it is to be known now. */
  pool(nowMs: number): Settings {
    const left = this.#leaving.filter(({ untilMs }) => untilMs > nowMs).map(({ worker }) => worker)
    const workers = new Map([...left, ...this.#coming, ...this.#running.workers].map((worker) => [worker.id, worker]))
    return { ...this.#running, workers: [...workers.values()] }
  }

  /**
   * The pools to go through before `next` can take over. One that left and comes back passes through a pool without it,
   * so that nothing that was held against it lives on.
   */
  towards(next: Settings, nowMs: number): readonly Settings[] {
    const isHere = (id: string) => this.#running.workers.some((worker) => worker.id === id)
    const coming = next.workers.filter(({ id }) => !isHere(id))
    this.#coming = []
    this.#leaving = this.#leaving.filter(({ worker }) => !coming.some(({ id }) => id === worker.id))
    const without = this.pool(nowMs)
    this.#coming = coming
    return [without, this.pool(nowMs)]
  }

  /** Whether it takes an answer of a worker that comes to know what it serves. */
  mustAsk(): boolean {
    return this.#coming.some(({ models }) => models === null)
  }

  /** `next` has taken over. */
  arrive(next: Settings, nowMs: number): void {
    const isHere = (id: string) => next.workers.some((worker) => worker.id === id)
    const gone = this.#running.workers.filter(({ id }) => !isHere(id))
    const untilMs = nowMs + LEAVING_MS
    this.#leaving = [...this.#leaving, ...gone.map((worker) => ({ worker, untilMs }))]
    this.#running = next
    this.#coming = []
  }

  /** What was coming does not come. */
  abandon(): void {
    this.#coming = []
  }
}

// What one isolate counts, on its way to whoever adds up the counts of all. One request at a time sees to it: it waits until
// more has come, and tells of all there is by then. The others leave what they counted and are done; should the one that
// waits be ended by the platform, the next takes its place.

import type { Platform } from '../../platform.ts'
import type { CountBatch, CountReply, Counts, FleetCounts, FleetEvent, Levels } from '../../store/fleet-counts.ts'

/** Between two reports of an isolate; the platform ends what outlives an answer by 30 seconds. */
export const REPORT_PAUSE_MS = 4_500
/** How much later than it meant to a request may report; after that it is taken for gone. */
const SLACK_MS = 2_000
/** Calls in a row: one for what an earlier call failed to deliver, one for what has come since, and levels. */
const MAX_CALLS = 3

export interface CountReporterOptions {
  readonly counts: FleetCounts
  readonly platform: Pick<Platform, 'now' | 'after' | 'randomId'>
  /** What was counted since this was last asked; null when nothing was. */
  take(): Counts | null
  /** How things are. Never rejects. */
  levels(): Promise<Levels>
  /** Whether metrics are sent to a collector. */
  isPushed(): boolean
}

export class CountReporter {
  readonly #options: CountReporterOptions
  readonly #sender: string
  #seq = 0
  /** What nobody has acknowledged yet. */
  #unsent: CountBatch | null = null
  #events: FleetEvent[] = []
  /** When a request is to report for all; null when none is about to. */
  #dueAtMs: number | null = null

  constructor(options: CountReporterOptions) {
    this.#options = options
    this.#sender = options.platform.randomId()
  }

  /** Something that every isolate hears of. */
  noteEvent(event: FleetEvent): void {
    this.#events.push(event)
  }

  /** Something was counted on the time of a request. */
  seeTo(beside: (task: Promise<unknown>) => void): void {
    const { now, after } = this.#options.platform
    if (this.#dueAtMs !== null && now() <= this.#dueAtMs + SLACK_MS) return
    this.#dueAtMs = now() + REPORT_PAUSE_MS
    const pause = new Promise<void>((resolve) => void after(REPORT_PAUSE_MS, resolve))
    beside(
      pause.then(() => {
        this.#dueAtMs = null
        return this.#report(false)
      }),
    )
  }

  /** All that the fleet has counted, what is counted here included; null where nobody can say. */
  async all(): Promise<Counts | null> {
    return (await this.#report(true))?.all ?? null
  }

  /** The last reply; null when a call failed. Never rejects. */
  async #report(wantsAll: boolean): Promise<CountReply | null> {
    const { counts, isPushed } = this.#options
    let levels: Levels | null = null
    let reply: CountReply | null = null
    for (let call = 0; call < MAX_CALLS; call += 1) {
      const batch = (this.#unsent ??= this.#nextBatch())
      const isDone = batch === null && levels === null && (reply !== null || !wantsAll)
      if (isDone) break
      try {
        reply = await counts.report({ sender: this.#sender, batch, levels, wantsAll, isPushed: isPushed() })
      } catch {
        // It is told again with the next report, under the same number.
        return null
      }
      if (this.#unsent === batch) this.#unsent = null
      levels = reply.wantsLevels ? await this.#options.levels() : null
    }
    return reply
  }

  #nextBatch(): CountBatch | null {
    const counts = this.#options.take()
    if (counts === null && this.#events.length === 0) return null
    const events = this.#events
    this.#events = []
    return { seq: (this.#seq += 1), counts: counts ?? {}, events }
  }
}

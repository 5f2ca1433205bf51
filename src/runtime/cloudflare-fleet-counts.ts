// The part of an object `Fleet` that adds up what isolates count: kept on disk before anybody is told of it, so that what was
// once told never goes back, and sent to a collector by alarm where the configuration names one.

import type { Config } from '../config/config.ts'
import type { MetricName } from '../observe/metrics/definitions.ts'
import { keyOf, toFamilies } from '../observe/metrics/metric-store.ts'
import { ExporterHealth } from '../observe/otlp/exporter-health.ts'
import { postMetrics } from '../observe/otlp/post-metrics.ts'
import type { ExporterChange } from '../pipeline/events.ts'
import type { Platform } from '../platform.ts'
import { CountBook, type Counts, type CountReply, type CountReport, type Levels } from '../store/fleet-counts.ts'

/** How long counts may be in memory alone: what is lost with an object that is ended without a word. */
const KEEP_WITHIN_MS = 5_000

/** How soon the first message goes out. */
const FIRST_PUSH_MS = 1_000

/** How old levels may be that are sent with the counts, while requests come. */
const LEVELS_MS = 10_000

const COUNTS_PREFIX = 'counts/'
const ORIGIN_KEY = 'counts-origin'

/** Who tells of the counts, and since when they are counted. */
interface Origin {
  readonly instance: string
  readonly sinceMs: number
}

export interface FleetCountsOptions {
  readonly storage: DurableObjectStorage
  readonly platform: Pick<Platform, 'after' | 'send'>
  /** What the fleet runs. */
  config(): Promise<Pick<Config, 'metricsPush'>>
  /** The collector takes no messages, or does again. */
  onExporterChange(change: ExporterChange): void
}

export class FleetCountsKeeper {
  readonly #options: FleetCountsOptions
  readonly #book = new CountBook()
  /** Metrics that have grown since they were last written. */
  readonly #grown = new Set<string>()
  #levels: Levels = {}
  #levelsAtMs = 0
  #origin: Promise<Origin> | null = null
  /** Whether there may be something that the collector has not heard of. An earlier life may have left some. */
  #hasNews = true
  /** Whether isolates say that there is a collector; until one has spoken there may be. */
  #isPushed = true
  #pushedAtMs = 0
  /** Between two messages to the collector, as last read. */
  #intervalMs = FIRST_PUSH_MS
  #alarmAtMs = 0
  readonly #health: ExporterHealth
  /** Messages that the collector did not take, in this life. */
  #failures = 0

  constructor(options: FleetCountsOptions) {
    this.#options = options
    this.#health = new ExporterHealth('metrics', options.onExporterChange)
  }

  async report(report: CountReport): Promise<CountReply> {
    await this.#resumed()
    const { batch, levels, wantsAll, isPushed } = report
    const grown = this.#book.note(report, Date.now())
    for (const metric of grown) this.#grown.add(metric)
    this.#hasNews ||= grown.length > 0
    this.#isPushed = isPushed
    if (levels !== null) {
      this.#levels = levels
      this.#levelsAtMs = Date.now()
    }
    // Nobody gets the answer before all of it is on disk.
    if (wantsAll) this.#keep()
    if (batch !== null) await this.#arm(Date.now() + Math.min(KEEP_WITHIN_MS, isPushed ? this.#intervalMs : Infinity))
    const wantsLevels = isPushed && Date.now() - this.#levelsAtMs > LEVELS_MS
    return { wantsLevels, all: wantsAll ? this.#book.table.toCounts() : null }
  }

  async alarm(): Promise<void> {
    this.#alarmAtMs = 0
    const { instance, sinceMs } = await this.#resumed()
    this.#keep()
    if (!this.#isPushed || !this.#hasNews) return
    const { metricsPush: push } = await this.#options.config()
    if (push === null) return
    this.#intervalMs = push.intervalMs
    const dueAtMs = this.#pushedAtMs + push.intervalMs
    if (Date.now() < dueAtMs) return this.#arm(dueAtMs)
    this.#pushedAtMs = Date.now()
    this.#hasNews = false
    const families = toFamilies(this.#book.table.toCounts(), this.#levels)
    // All that was ever counted is in each message, so one that is lost is made good by the next.
    const isTaken = await postMetrics(push, { families, instance, sinceMs, atMs: Date.now() }, this.#options.platform)
    this.#countPush(isTaken)
    if (isTaken) return
    this.#hasNews = true
    await this.#arm(Date.now() + push.intervalMs)
  }

  #countPush(isTaken: boolean): void {
    const metric: MetricName = 'vllm_router_metric_pushes_total'
    this.#book.table.add({ [metric]: { [keyOf([isTaken ? 'taken' : 'failed'])]: [1] } })
    this.#grown.add(metric)
    this.#failures += isTaken ? 0 : 1
    this.#health.note(isTaken, this.#failures)
  }

  #resumed(): Promise<Origin> {
    this.#origin ??= this.#resume().catch((error: unknown) => {
      this.#origin = null
      throw error
    })
    return this.#origin
  }

  async #resume(): Promise<Origin> {
    const { storage } = this.#options
    const kept = await storage.list<Counts[string]>({ prefix: COUNTS_PREFIX })
    const known = await storage.get<Origin>(ORIGIN_KEY)
    const origin = known ?? { instance: crypto.randomUUID(), sinceMs: Date.now() }
    if (known === undefined) await storage.put(ORIGIN_KEY, origin)
    this.#book.table.add(Object.fromEntries(Array.from(kept, ([key, rows]) => [key.slice(COUNTS_PREFIX.length), rows])))
    return origin
  }

  /** One value a metric: rows written are paid for, however long they are. */
  #keep(): void {
    for (const metric of this.#grown) {
      void this.#options.storage.put(COUNTS_PREFIX + metric, this.#book.table.toRows(metric))
    }
    this.#grown.clear()
  }

  /** An alarm that is due sooner stays. */
  async #arm(atMs: number): Promise<void> {
    if (this.#alarmAtMs > Date.now() - KEEP_WITHIN_MS && this.#alarmAtMs <= atMs) return
    this.#alarmAtMs = atMs
    await this.#options.storage.setAlarm(atMs)
  }
}

// Sends the metrics of one process to a collector, once an interval. All that was ever counted is in each message, so one that
// is lost is made good by the next.

import { equalSettings } from '../../secret.ts'
import type { MetricsPushConfig } from '../../config/config.ts'
import type { Platform } from '../../platform.ts'
import { postMetrics } from '../otlp/post-metrics.ts'
import type { Family } from './metric-store.ts'

export interface MetricPusherOptions {
  readonly platform: Pick<Platform, 'now' | 'after' | 'send' | 'randomId'>
  /** The metrics as they are now. Never rejects. */
  families(): Promise<readonly Family[]>
  /** Told whether the collector took a message. */
  onPushed(isTaken: boolean): void
}

export class MetricPusher {
  readonly #options: MetricPusherOptions
  readonly #instance: string
  readonly #sinceMs: number
  #config: MetricsPushConfig | null = null
  #callOff = () => {}

  constructor(options: MetricPusherOptions) {
    this.#options = options
    this.#instance = options.platform.randomId()
    this.#sinceMs = options.platform.now()
  }

  /** From now on; null for nowhere. */
  use(config: MetricsPushConfig | null): void {
    if (equalSettings(config, this.#config)) return
    this.#config = config
    this.#callOff()
    this.#wait()
  }

  /** The last message. Never rejects. */
  async close(): Promise<void> {
    const config = this.#config
    this.use(null)
    if (config !== null) await this.#push(config)
  }

  #wait(): void {
    const config = this.#config
    if (config === null) return
    this.#callOff = this.#options.platform.after(config.intervalMs, () => void this.#pushAndWait(config))
  }

  /** The next is due when this one is through: a collector that hangs must not gather messages. */
  async #pushAndWait(config: MetricsPushConfig): Promise<void> {
    await this.#push(config)
    if (this.#config === config) this.#wait()
  }

  async #push(config: MetricsPushConfig): Promise<void> {
    const { platform, families, onPushed } = this.#options
    const message = {
      families: await families(),
      instance: this.#instance,
      sinceMs: this.#sinceMs,
      atMs: platform.now(),
    }
    onPushed(await postMetrics(config, message, platform))
  }
}

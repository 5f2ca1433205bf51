// Keeps a router on the configuration that all of them agreed on, where they are many (isolates on Workers): the fleet's
// snapshot says which one is current, and the document is fetched when that is another one than what runs.

import type { Config } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import type { FleetLink } from '../store/fleet-link.ts'
import type { ConfigPointer } from '../store/config-store.ts'
import type { ConfigControl } from './config-control.ts'
import { storeFailed } from './config-errors.ts'
import type { ConfigSource } from './config-source.ts'
import type { ControlEvents } from './control-events.ts'

/** How soon a document that could not be had is asked for again, by requests that can go on without it. */
const RETRY_MS = 1_000

export interface FollowerOptions {
  readonly source: ConfigSource
  readonly control: ConfigControl
  readonly link: FleetLink
  readonly events: ControlEvents
  now(): number
  /** What a request is likely to want a turn of, leased along with the fleet's state. */
  ticketKey(): string | null
}

type WaitUntil = (task: Promise<unknown>) => void

export class ConfigFollower {
  readonly #options: FollowerOptions
  #triedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  /**
   * Makes sure that what runs was current two seconds ago, and at the first request that it is what was agreed on at
   * all. Null when it is (the usual case: nothing was asked). Rejects only while nothing has ever been agreed on.
   */
  ensureCurrent(waitUntil: WaitUntil): Promise<void> | null {
    const { link, control, ticketKey, now } = this.#options
    // A copy that is refreshed beside a request brings the configuration along: the next request may be long in coming.
    const beside = (task: Promise<unknown>) => waitUntil(task.then(() => this.#catchUpQuietly()))
    const freshened = link.ensureFresh(beside, ticketKey())
    if (freshened !== null) return freshened.then(() => this.catchUp())
    if (control.pointer() === null) return this.catchUp()
    // Known to be behind, a request waits for what it may have to be refused under; while that can't be had, none does.
    return this.#isBehind() && now() - this.#triedAtMs >= RETRY_MS ? this.catchUp() : null
  }

  /** Takes up what the last snapshot says is current. Keeps what runs when that can't be had. */
  async catchUp(): Promise<void> {
    const { control, events, now } = this.#options
    if (control.pointer() !== null && !this.#isBehind()) return
    this.#triedAtMs = now()
    try {
      const pointer = await this.#agreedOn()
      control.adopt(pointer, await this.#load(pointer))
    } catch (cause) {
      events.configStoreFailed(cause)
      // Without a word on what is current, what was deployed may hold keys that have been revoked since.
      if (control.pointer() === null) throw cause instanceof RouterError ? cause : storeFailed(cause)
    }
  }

  async #catchUpQuietly(): Promise<void> {
    try {
      await this.catchUp()
    } catch {
      // The log has it, and the next request asks again.
    }
  }

  #isBehind(): boolean {
    const { link, control } = this.#options
    return (link.snapshot()?.config?.sequence ?? 0) > (control.pointer()?.sequence ?? 0)
  }

  async #agreedOn(): Promise<ConfigPointer> {
    const { link, source, control } = this.#options
    const snapshot = link.snapshot()
    if (snapshot === null) return source.store.current()
    // Nothing was ever changed: what was deployed is current.
    return snapshot.config ?? { hash: control.running().hash, sequence: 0, origin: 'bundled' }
  }

  async #load(pointer: ConfigPointer): Promise<Config> {
    const { source, control } = this.#options
    if (pointer.hash === control.running().hash) return control.running()
    const document = pointer.origin === 'bundled' ? await source.store.latest() : await source.store.read(pointer.hash)
    if (document === null) throw new Error(`the document of configuration ${pointer.hash} can not be found`)
    const result = await source.load(document.text, null)
    if (!result.ok) {
      const [first] = result.findings
      throw new Error(`configuration ${pointer.hash} does not load here: ${first?.path ?? ''} ${first?.message ?? ''}`)
    }
    return result.config
  }
}

// The part of the root object `Fleet` that agrees on configurations: which is current, what came before, and the texts
// until KV has them.

import type { Config } from '../config/config.ts'
import { ConfigHistory } from '../store/config-state.ts'
import type { ConfigPointer, ConfigVersion, Publication, PublishResult } from '../store/config-store.ts'
import { reasonText } from '../observe/log/cause-text.ts'
import { toEntry } from '../observe/log/entry.ts'
import type { LogEventName } from '../log-events.ts'
import { consoleLog } from './cloudflare-console.ts'
import { type BundledConfig, documentKey, POINTER_KEY } from './cloudflare-config-store.ts'
import type { RouterEnv } from './cloudflare-env.ts'

/** The configuration of a document; null for the one that was deployed. Rejects when it can't be used. */
export type LoadConfig = (env: RouterEnv, text: string | null) => Promise<Config>

const HISTORY_KEY = 'config/history'
const PENDING_KEY = 'config/pending'
const textKey = (hash: string): string => `config/text/${hash}`

/** How soon what KV refused is tried again. */
const RETRY_MS = 5_000

/** What KV has to be told yet. */
interface Pending {
  readonly puts: readonly string[]
  readonly removals: readonly string[]
}

const NOTHING: Pending = { puts: [], removals: [] }

export class FleetConfiguration {
  readonly #storage: DurableObjectStorage
  readonly #env: () => RouterEnv
  readonly #load: LoadConfig
  #history: ConfigHistory | null = null
  #pending: Pending = NOTHING
  #settledAtMs = 0
  #settling: Promise<void> = Promise.resolve()
  /** The configuration of this hash; null of the one that was deployed. */
  #loaded: { readonly hash: string | null; readonly config: Config } | null = null

  constructor(storage: DurableObjectStorage, env: () => RouterEnv, load: LoadConfig) {
    this.#storage = storage
    this.#env = env
    this.#load = load
  }

  async pointer(): Promise<ConfigPointer | null> {
    const newest = (await this.#resumed()).newest()
    return newest === null ? null : { hash: newest.hash, sequence: newest.sequence, origin: newest.origin }
  }

  async versions(): Promise<readonly ConfigVersion[]> {
    return (await this.#resumed()).versions
  }

  async text(hash: string): Promise<string | null> {
    return (await this.#storage.get<string>(textKey(hash))) ?? null
  }

  /** What the fleet runs. A document that this very version of the router can't use leaves what was used before. */
  async config(): Promise<Config> {
    const pointer = await this.pointer()
    const hash = pointer === null || pointer.origin === 'bundled' ? null : pointer.hash
    if (this.#loaded?.hash === hash) return this.#loaded.config
    return this.configOf(hash, hash === null ? null : await this.text(hash))
  }

  /** The configuration of a document, or without one of what was deployed. */
  async configOf(hash: string | null, text: string | null): Promise<Config> {
    if (this.#loaded?.hash === hash) return this.#loaded.config
    try {
      if (hash !== null && text === null) throw new Error(`the text of configuration ${hash} is gone`)
      this.#loaded = { hash, config: await this.#load(this.#env(), text) }
    } catch (error) {
      if (this.#loaded === null) throw error
      this.#tell('config_not_loaded', { hash, why: reasonText(error) })
    }
    return this.#loaded.config
  }

  /** The configuration that would run; rejects when it can't be used. */
  preview(text: string): Promise<Config> {
    return this.#load(this.#env(), text)
  }

  /** Between the comparison and the writing nothing is waited for, so of two publications one sees the other's. */
  async publish(publication: Publication, bundled: BundledConfig): Promise<PublishResult> {
    const { text, hash, origin, by, expectedSequence } = publication
    const before = withBundled(await this.#resumed(), bundled)
    const after = before.after(expectedSequence, { hash, origin, by, atMs: Date.now() })
    const newest = after?.newest() ?? null
    if (after === null || newest === null) return { ok: false, conflict: 'sequence' }
    const isFirst = this.#history?.newest() === null
    this.#history = after
    const puts = [...this.#pending.puts, ...(isFirst ? [bundled.hash] : []), hash]
    const removals = before.versions.filter((version) => !after.has(version.hash)).map((version) => version.hash)
    this.#pending = { puts: [...new Set(puts)], removals: [...this.#pending.removals, ...removals] }
    await this.#storage.put({
      [HISTORY_KEY]: after.versions,
      [PENDING_KEY]: this.#pending,
      ...(isFirst ? { [textKey(bundled.hash)]: bundled.text } : {}),
      [textKey(hash)]: text,
    })
    await this.#settle()
    const { sequence } = newest
    return { ok: true, pointer: { hash, sequence, origin: newest.origin } }
  }

  /** Tells KV what it could not be told before, now and then. */
  async catchUpWithKv(): Promise<void> {
    await this.#resumed()
    const { puts, removals } = this.#pending
    if (puts.length + removals.length > 0 && Date.now() - this.#settledAtMs >= RETRY_MS) await this.#settle()
  }

  /** One at a time: of two copies of the pointer the newer one must be the last. */
  #settle(): Promise<void> {
    this.#settling = this.#settling.then(() => this.#copyToKv())
    return this.#settling
  }

  /** Copies what is new to KV, and drops the texts that it has from here, but for the current one. Never rejects. */
  async #copyToKv(): Promise<void> {
    const documents = this.#env().CONFIG
    if (documents === undefined) return
    this.#settledAtMs = Date.now()
    const { puts, removals } = this.#pending
    if (puts.length + removals.length === 0) return
    try {
      for (const hash of puts) {
        const text = await this.text(hash)
        if (text !== null) await documents.put(documentKey(hash), text)
      }
      await documents.put(POINTER_KEY, JSON.stringify(await this.pointer()))
      for (const hash of removals) if (this.#history?.has(hash) !== true) await documents.delete(documentKey(hash))
      await this.#forget({ puts, removals })
    } catch (cause) {
      // This object has every text that KV lacks, and tries again.
      this.#tell('config_not_copied', { why: reasonText(cause) })
    }
  }

  #tell(event: LogEventName, fields: Readonly<Record<string, unknown>>): void {
    consoleLog(this.#env())(toEntry(Date.now(), 'error', event, fields))
  }

  /** What came meanwhile stays to be told. */
  async #forget(told: Pending): Promise<void> {
    const isLeft = (list: readonly string[]) => (hash: string) => !list.includes(hash)
    const puts = this.#pending.puts.filter(isLeft(told.puts))
    this.#pending = { puts, removals: this.#pending.removals.filter(isLeft(told.removals)) }
    await this.#storage.put(PENDING_KEY, this.#pending)
    const needed = [...puts, this.#history?.newest()?.hash ?? ''].map(textKey)
    const kept = await this.#storage.list({ prefix: textKey('') })
    for (const key of kept.keys()) if (!needed.includes(key)) await this.#storage.delete(key)
  }

  async #resumed(): Promise<ConfigHistory> {
    if (this.#history !== null) return this.#history
    const kept = (await this.#storage.get<readonly ConfigVersion[]>(HISTORY_KEY)) ?? []
    this.#pending = (await this.#storage.get<Pending>(PENDING_KEY)) ?? NOTHING
    return (this.#history ??= new ConfigHistory(kept))
  }
}

/** What was deployed is what everything began with. */
function withBundled(history: ConfigHistory, { hash }: BundledConfig): ConfigHistory {
  if (history.newest() !== null) return history
  return new ConfigHistory([{ hash, sequence: 0, origin: 'bundled', by: 'deployment', atMs: Date.now() }])
}

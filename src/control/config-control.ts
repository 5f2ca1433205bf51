// Changes of the configuration: each is checked whole, published against the one it was made from, and then taken up.
// Whatever fails leaves the running configuration as it is.

import type { Config } from '../config/config.ts'
import type { DeliveredBeside } from '../config/delivered-checks.ts'
import type { Finding, Path } from '../config/finding.ts'
import { interpolate } from '../config/interpolate.ts'
import type { LoadResult } from '../config/load.ts'
import { workerNameOf } from '../config/pool.ts'
import { quoted, RouterError } from '../errors/router-error.ts'
import type { ConfigOrigin, ConfigPointer, ConfigVersion, Publication, PublishResult } from '../store/config-store.ts'
import { type ConfigDiff, diffConfigs } from './config-diff.ts'
import type { ConfigSource } from './config-source.ts'
import type { ControlEvents } from './control-events.ts'
import { withoutEntries, withWorker } from './edit-workers.ts'
import { configRefused, storeFailed } from './config-errors.ts'

/** A change that was carried out. */
export interface ConfigChange {
  readonly pointer: ConfigPointer
  readonly diff: ConfigDiff
  /** Warnings and notes. */
  readonly findings: readonly Finding[]
}

export interface ConfigControlOptions {
  readonly source: ConfigSource
  /** The configuration that the router begins with. */
  readonly config: Config
  readonly events: ControlEvents
  /** Has every request from now on run under this configuration. */
  use(config: Config): void
  /** Gets ready for a configuration that is about to take over, where that takes something. Never rejects. */
  prepare?(config: Config): Promise<void>
  /** What was prepared does not come. */
  abandon?(): void
  /** Has the copy of the fleet's state know the workers of a configuration that was published. Never rejects. */
  refresh(): Promise<void>
}

type Loaded = Extract<LoadResult, { readonly ok: true }>

/** What a change is made of. */
interface Draft {
  readonly text: string
  readonly origin: ConfigOrigin
  readonly by: string
  /** Null for documents that may ask for any variable and reach any host. */
  readonly besides: DeliveredBeside | null
}

export class ConfigControl {
  readonly #options: ConfigControlOptions
  #running: Config
  #pointer: ConfigPointer | null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: ConfigControlOptions) {
    this.#options = options
    this.#running = options.config
    this.#pointer = options.source.start
  }

  running(): Config {
    return this.#running
  }

  /** What runs, as a place among the versions; null until that has been asked for. */
  pointer(): ConfigPointer | null {
    return this.#pointer
  }

  /** Runs a configuration that has been agreed on. One that is older than what runs is left alone. */
  adopt(pointer: ConfigPointer, config: Config): void {
    if (this.#pointer !== null && pointer.sequence < this.#pointer.sequence) return
    const { events, use } = this.#options
    const before = this.#running
    this.#pointer = pointer
    this.#running = config
    if (config === before) return
    use(config)
    events.configChanged({ pointer, before: before.hash, after: config.hash, diff: this.#diff(before, config) })
  }

  /** Loads the file, or what was deployed, as it is now. */
  async reload(by: string): Promise<ConfigChange> {
    const base = this.#base()
    const { text, origin } = await this.#ask(() => this.#options.source.store.latest())
    return this.#change({ text, origin, by, besides: null }, base)
  }

  /** A whole configuration. `wanted` is what it was made from, where its author says so. */
  async put(text: string, by: string, wanted: string | null): Promise<ConfigChange> {
    const base = this.#base()
    if (wanted !== null && wanted !== this.#running.hash) {
      throw new RouterError('config_mismatch', 'Another configuration is running than the one named in If-Match.')
    }
    return this.#change({ text, origin: 'api', by, besides: this.#running }, base)
  }

  /** The configuration that `put` would take, loaded and used for nothing. Throws what `put` would throw for it. */
  async check(text: string): Promise<Config> {
    const { config } = await this.#load(text, this.#running)
    return config
  }

  /** An earlier configuration, by default the one before. It has run, so it is asked no more than whether it loads. */
  async rollback(hash: string | null, by: string): Promise<ConfigChange> {
    const base = this.#base()
    const target = hash ?? (await this.#previousHash(base))
    const document = await this.#ask(() => this.#options.source.store.read(target))
    if (document === null) {
      throw new RouterError('config_version_not_found', `There is no kept configuration ${quoted(target)}.`)
    }
    return this.#change({ text: document.text, origin: 'api', by, besides: null }, base)
  }

  /** One more worker, written as in `workers` of a configuration. */
  async addWorker(entry: Readonly<Record<string, unknown>>, by: string): Promise<ConfigChange> {
    const base = this.#base()
    this.#checkAbsent(entry)
    // What stands in the document may ask for what it always did; what is added may not.
    const { problems } = interpolate(entry, { env: () => '', names: this.#running.configEnv })
    if (problems.length > 0) throw configRefused(problems.map(toFinding))
    const text = withWorker(await this.#currentText(base), entry)
    return this.#change({ text, origin: 'api', by, besides: { ...this.#running, configEnv: null } }, base)
  }

  async removeWorker(workerId: string, by: string): Promise<ConfigChange> {
    const base = this.#base()
    const text = await this.#currentText(base)
    const { places } = await this.#load(text, null)
    const worker = this.#running.workers.find(({ id }) => id === workerId)
    if (worker === undefined) throw new RouterError('worker_not_found', `There is no worker ${quoted(workerId)}.`)
    const sharesUrl = this.#running.workers.some(({ id, url }) => id !== workerId && url === worker.url)
    const described = places.workers.get(workerId)
    const bare = sharesUrl ? [] : places.bareUrls.filter(({ url }) => url === worker.url).map(({ path }) => path)
    const entries = uniquePaths([...(described === undefined ? [] : [described]), ...bare])
    const isOrphaned = (name: string) => name === workerId || (!sharesUrl && workerNameOf(name) === worker.url)
    const edited = withoutEntries(text, entries, isOrphaned)
    return this.#change({ text: edited, origin: 'api', by, besides: { ...this.#running, configEnv: null } }, base)
  }

  /** Newest first. */
  versions(): Promise<readonly ConfigVersion[]> {
    return this.#ask(() => this.#options.source.store.versions())
  }

  async #change({ text, origin, by, besides }: Draft, base: ConfigPointer): Promise<ConfigChange> {
    const { config, findings } = await this.#loadOrTell(text, { origin, by, besides })
    return this.#inTurn(async () => {
      const before = this.#running
      // Nobody has to get ready for what comes too late.
      if (this.#pointer?.sequence !== base.sequence) throw conflict('sequence')
      await this.#options.prepare?.(config)
      const { pointer } = await this.#publish({ text, hash: config.hash, origin, by, expectedSequence: base.sequence })
      await this.#options.refresh()
      this.adopt(pointer, config.hash === before.hash ? before : config)
      return { pointer, diff: this.#diff(before, config), findings }
    })
  }

  async #loadOrTell(text: string, { origin, by, besides }: Omit<Draft, 'text'>): Promise<Loaded> {
    const result = await this.#options.source.load(text, besides)
    if (result.ok) return result
    this.#options.events.configRefused({ by, origin, findings: result.findings })
    throw configRefused(result.findings)
  }

  #diff(before: Config, after: Config): ConfigDiff {
    const { config, source } = this.#options
    return diffConfigs(before, after, { config, hasFile: source.start !== null })
  }

  /** One change after the other where they have to be prepared, since what is ready for one is not for another. */
  #inTurn(change: () => Promise<ConfigChange>): Promise<ConfigChange> {
    if (this.#options.prepare === undefined) return change()
    const changed = this.#turn.then(change)
    this.#turn = changed.catch(() => {})
    return changed
  }

  async #publish(publication: Publication): Promise<Extract<PublishResult, { readonly ok: true }>> {
    try {
      const result = await this.#ask(() => this.#options.source.store.publish(publication))
      if (result.ok) return result
      throw conflict(result.conflict)
    } catch (error) {
      this.#options.abandon?.()
      throw error
    }
  }

  async #load(text: string, besides: DeliveredBeside | null): Promise<Loaded> {
    const result = await this.#options.source.load(text, besides)
    if (!result.ok) throw configRefused(result.findings)
    return result
  }

  #base(): ConfigPointer {
    if (this.#pointer === null) throw storeFailed(new Error('what runs has not been asked for yet'))
    return this.#pointer
  }

  async #currentText({ hash }: ConfigPointer): Promise<string> {
    const document = await this.#ask(() => this.#options.source.store.read(hash))
    if (document === null) throw storeFailed(new Error(`the document of ${hash} is gone`))
    return document.text
  }

  async #previousHash({ hash }: ConfigPointer): Promise<string> {
    const previous = (await this.versions()).find((version) => version.hash !== hash)
    if (previous === undefined) {
      throw new RouterError('config_version_not_found', 'There is no earlier configuration to go back to.')
    }
    return previous.hash
  }

  #checkAbsent({ id, url }: Readonly<Record<string, unknown>>): void {
    const normalUrl = typeof url === 'string' ? workerNameOf(url) : null
    const taken = this.#running.workers.find((worker) => {
      if (typeof id === 'string' && worker.id === id) return true
      // Two workers may share a URL when each has an id of its own.
      return worker.url === normalUrl && !(typeof id === 'string' && worker.isNamed)
    })
    if (taken === undefined) return
    throw new RouterError('worker_exists', `The worker ${quoted(taken.id)} has this id or URL already.`)
  }

  async #ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    try {
      return await question()
    } catch (cause) {
      if (cause instanceof RouterError) throw cause
      this.#options.events.configStoreFailed(cause)
      throw storeFailed(cause)
    }
  }
}

function conflict(kind: 'sequence' | 'edited'): RouterError {
  const why = {
    sequence: 'Another change of the configuration came first; look at what runs now and try again.',
    edited: 'The configuration file has been edited since it was loaded; POST /admin/reload first.',
  }
  return new RouterError('config_conflict', why[kind])
}

function toFinding({ path, message }: { readonly path: Path; readonly message: string }): Finding {
  return { severity: 'error', path: path.join('.'), line: null, column: null, message }
}

function uniquePaths(paths: readonly Path[]): readonly Path[] {
  return [...new Map(paths.map((path) => [path.join('/'), path])).values()]
}

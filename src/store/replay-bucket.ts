// ReplayStore in a bucket of objects, such as R2: an object for each record. Its key says when it was and when it expires,
// newest first, so that a page reads no more objects than it shows.
// Keys: `<prefix><decision>/<time, counted down>.<id>.<expiry>.json`.

import { type ReplayRecord } from '../capture/replay-record.ts'
import { wantsAll } from './decision-filters.ts'
import type { Position } from './decision-log.ts'
import { compareInList, isAfter } from './decision-position.ts'
import { ReplayPageBuilder } from './replay-page.ts'
import type { ReplayKeeping, ReplayPage, ReplayQuery, ReplayStore } from './replay-store.ts'
import { parseReplay, toStoredReplay } from './stored-replay.ts'

/** What is used of a bucket. */
export interface ReplayBucket {
  put(key: string, text: string): Promise<unknown>
  get(key: string): Promise<{ text(): Promise<string> } | null>
  delete(keys: string[]): Promise<void>
  list(options: { prefix: string; cursor?: string; limit?: number }): Promise<BucketPage>
}

interface BucketPage {
  readonly objects: readonly { readonly key: string }[]
  readonly truncated: boolean
  readonly cursor?: string
}

export interface BucketReplayOptions {
  readonly bucket: ReplayBucket
  /** Empty, or with a `/` at its end. */
  readonly prefix: string
  now(): number
}

interface Entry extends Position {
  readonly key: string
  readonly expiresAtMs: number
}

/** As many as the bucket deletes in one call, or lists. */
const AT_ONCE = 1_000
/** Objects that are read at the same time: a Worker has six connections. */
const READ_AT_ONCE = 6
/** Objects that a page is made of at most: one request of a Worker makes a thousand calls. */
const MAX_READ = 500
/** The last millisecond that a key can name; times are counted down from it, so that newer ones sort first. */
const LATEST_MS = 9_999_999_999_999

export class BucketReplayStore implements ReplayStore {
  readonly backend = 'r2'
  readonly #options: BucketReplayOptions

  constructor(options: BucketReplayOptions) {
    this.#options = options
  }

  async put(namespace: string, records: readonly ReplayRecord[], keeping: ReplayKeeping): Promise<void> {
    const folder = this.#folderOf(namespace)
    await Promise.all(
      records.map((record) => {
        const { id, timeMs, expiresAtMs, text } = toStoredReplay(record, keeping)
        const place = `${String(LATEST_MS - timeMs).padStart(13, '0')}.${id}.${expiresAtMs ?? ''}.json`
        return this.#options.bucket.put(folder + place, text)
      }),
    )
    await this.#forget(await this.#entries(folder), keeping.maxRecords)
  }

  async list(query: ReplayQuery): Promise<ReplayPage> {
    const entries = this.#current(await this.#entries(this.#options.prefix))
    const { sinceMs, untilMs } = query.filters
    const isWhole = wantsAll(query.filters) && sinceMs === undefined && untilMs === undefined
    const limit = Math.min(query.limit, MAX_READ)
    // Without a filter, what the page leaves out need not be read; one more tells whether there is another page.
    const wanted = isWhole
      ? entries.filter((entry) => isAfter(entry, query.after)).slice(query.offset, query.offset + limit + 1)
      : entries
    const builder = new ReplayPageBuilder({ ...query, limit, ...(isWhole ? { offset: 0 } : {}) })
    for (let from = 0; from < wanted.length && !(isWhole && builder.isFull); from += READ_AT_ONCE) {
      const texts = await Promise.all(wanted.slice(from, from + READ_AT_ONCE).map(({ key }) => this.#read(key)))
      for (const text of texts) if (text !== null) builder.offer(parseReplay(text), text.length)
    }
    const page = builder.page()
    return isWhole ? { ...page, total: entries.length } : page
  }

  async find(id: string): Promise<ReplayRecord | null> {
    const entries = this.#current(await this.#entries(this.#options.prefix))
    const entry = entries.find((one) => one.id === id)
    const text = entry === undefined ? null : await this.#read(entry.key)
    return text === null ? null : parseReplay(text)
  }

  async close(): Promise<void> {}

  /** Those that have not expired, in the order of the list, each id once. */
  #current(entries: readonly Entry[]): readonly Entry[] {
    const nowMs = this.#options.now()
    const byId = new Map(entries.filter(({ expiresAtMs }) => expiresAtMs > nowMs).map((entry) => [entry.id, entry]))
    return [...byId.values()].sort(compareInList)
  }

  /** Deletes what has expired, and the oldest beyond so many. Two routers may delete the same: it is gone then. */
  async #forget(entries: readonly Entry[], maxRecords: number): Promise<void> {
    const kept = new Set(this.#current(entries).slice(0, maxRecords))
    const gone = entries.filter((entry) => !kept.has(entry)).map(({ key }) => key)
    for (let from = 0; from < gone.length; from += AT_ONCE) {
      await this.#options.bucket.delete(gone.slice(from, from + AT_ONCE))
    }
  }

  async #entries(prefix: string): Promise<readonly Entry[]> {
    const entries: Entry[] = []
    let cursor: string | undefined
    do {
      const page = await this.#options.bucket.list({
        prefix,
        limit: AT_ONCE,
        ...(cursor === undefined ? {} : { cursor }),
      })
      entries.push(...page.objects.flatMap(({ key }) => toEntry(key) ?? []))
      cursor = page.truncated ? page.cursor : undefined
    } while (cursor !== undefined)
    return entries
  }

  async #read(key: string): Promise<string | null> {
    return (await (await this.#options.bucket.get(key))?.text()) ?? null
  }

  #folderOf(namespace: string): string {
    return `${this.#options.prefix}${encodeURIComponent(namespace)}/`
  }
}

/** Null for what is no record. */
function toEntry(key: string): Entry | null {
  const [, countdown, id = '', expiry = ''] = /\/(\d{13})\.([^./]+)\.(\d*)\.json$/.exec(key) ?? []
  if (countdown === undefined) return null
  return { key, id, timeMs: LATEST_MS - Number(countdown), expiresAtMs: expiry === '' ? Infinity : Number(expiry) }
}

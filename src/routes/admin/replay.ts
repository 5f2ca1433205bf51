// POST /admin/replay: decisions that are still known, made again under another configuration, a page at a time.

import type { Context } from 'hono'
import * as z from 'zod'
import type { AdminParts } from '../../control/admin-parts.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import type { StoredRecord } from '../../record/stored-record.ts'
import { fromViewDocument, type SlowCandidate } from '../../record/view-document.ts'
import { LineCounts } from '../../replay/line-counts.ts'
import { DEFAULT_PREFIX_CACHE } from '../../replay/prefix-cache.ts'
import { Replay } from '../../replay/replay.ts'
import { toOutput } from '../../replay/report.ts'
import { GROUP_KEYS } from '../../replay/tally.ts'
import type { DecisionPage, DecisionQuery, Position } from '../../store/decision-log.ts'
import { toCursor } from '../../store/decision-position.ts'
import { MAX_CONFIG_BYTES, readAdminJson } from './admin-body.ts'
import { FILTERS, toFilters, toPosition } from './decision-query.ts'
import { reading } from './decisions.ts'
import { readParameters } from './query-parameters.ts'

/** Records of one call. */
const MAX_RECORDS = 50_000

/** The same where caches are filled: in the order of time, so that all of them have to be at hand before the first. */
const MAX_ORDERED = 5_000

/** Records that are read at a time. */
const PAGE_RECORDS = 1_000

/** No call begins another page after this: Workers have so much processor time a request, and callers so much patience. */
const BUDGET_MS = 5_000

/** The configuration may have every character of it escaped, and filters come on top. */
const MAX_BODY_BYTES = 2 * MAX_CONFIG_BYTES

const filter = z.union([z.string(), z.int().transform(String)]).exactOptional()

const bodySchema = z.strictObject({
  config: z.union([z.string().max(MAX_CONFIG_BYTES), z.record(z.string(), z.unknown())], {
    error: 'it must be a configuration, as YAML text or as an object',
  }),
  by: z
    .enum(GROUP_KEYS, { error: `it must be one of ${GROUP_KEYS.join(', ')}` })
    .nullable()
    .default(null),
  limit: z
    .int({ error: `it must be a whole number from 1 to ${MAX_RECORDS}` })
    .min(1, { error: `it must be a whole number from 1 to ${MAX_RECORDS}` })
    .max(MAX_RECORDS, { error: `it must be a whole number from 1 to ${MAX_RECORDS}` })
    .default(MAX_RECORDS),
  cursor: z.string().exactOptional(),
  ...(Object.fromEntries(FILTERS.map((name) => [name, filter])) as Record<(typeof FILTERS)[number], typeof filter>), // one for each
})

/** The report as `replay --json` prints it, of up to `limit` records; `next_cursor` where there are more. */
export async function replayDecisions(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  readParameters(context.req.url, [])
  const { config: given, by, limit, cursor, ...filters } = await readAdminJson(context, bodySchema, MAX_BODY_BYTES)
  const { platform, config: running } = admin.parts()
  const after = toPosition(cursor === undefined ? {} : { cursor })
  const chosen = toFilters(filters, platform.now())
  const config = await admin.control.check(typeof given === 'string' ? given : JSON.stringify(given))
  const asksCaches = config.policy.needs.prefix !== undefined
  const most = asksCaches ? Math.min(limit, MAX_ORDERED) : limit
  const query = { filters: chosen, after, limit: most }
  const replay = new Replay({
    configs: [{ name: 'request', config }],
    against: null,
    alsoKnown: [running],
    by,
    // Records come newest first: others are decided as they come.
    prefixCache: asksCaches ? DEFAULT_PREFIX_CACHE : null,
  })
  const { lines, end } = await new StoredReplay(admin, context, { replay, isOrdered: asksCaches }).run(query)
  const output = toOutput(replay.reports(), lines.toLines())
  return context.json({ ...output, next_cursor: end === null ? null : toCursor(end) })
}

interface ReplayOrder {
  readonly replay: Replay
  /** Whether the oldest has to come first. */
  readonly isOrdered: boolean
}

class StoredReplay {
  readonly #admin: AdminParts
  readonly #context: Context<AppEnv>
  readonly #order: ReplayOrder
  /** Newest first, where the oldest has to come first. */
  readonly #waiting: StoredRecord[] = []
  readonly #lines = new LineCounts()
  readonly #views = new Map<string, readonly SlowCandidate[] | null>()

  constructor(admin: AdminParts, context: Context<AppEnv>, order: ReplayOrder) {
    this.#admin = admin
    this.#context = context
    this.#order = order
  }

  /** Goes on until there are no more, or enough, or it has taken long enough. */
  async run({ filters, after, limit }: DecisionQuery): Promise<{ lines: LineCounts; end: Position | null }> {
    const { platform } = this.#admin.parts()
    const untilMs = platform.now() + BUDGET_MS
    let end = after
    for (let left = limit; left > 0;) {
      const page = await reading(
        this.#context,
        this.#admin.decisions.query({ filters, after: end, limit: Math.min(left, PAGE_RECORDS) }),
      )
      await this.#take(page)
      left -= page.records.length
      end = page.end
      if (end === null || platform.now() >= untilMs) break
    }
    for (const record of this.#waiting.toReversed()) await this.#add(record)
    return { lines: this.#lines, end }
  }

  async #take({ records }: DecisionPage): Promise<void> {
    for (const record of records) {
      // What is still under way has been decided, but nobody knows how it ends.
      if (record.lifecycle_state === 'in_progress') continue
      this.#lines.record()
      if (this.#order.isOrdered) this.#waiting.push(record)
      else await this.#add(record)
    }
  }

  async #add(record: StoredRecord): Promise<void> {
    const { view_hash: hash } = record
    this.#order.replay.add(record, hash === undefined ? null : await this.#viewOf(hash))
  }

  async #viewOf(hash: string): Promise<readonly SlowCandidate[] | null> {
    const known = this.#views.get(hash)
    if (known !== undefined) return known
    const document = await reading(this.#context, this.#admin.decisions.findView(hash))
    const candidates = document === null ? null : fromViewDocument(document)
    this.#views.set(hash, candidates)
    return candidates
  }
}

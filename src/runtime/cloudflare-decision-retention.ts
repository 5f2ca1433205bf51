// What a `DecisionLog` object forgets: segments that are too old or too many, and what of its own tables grew too large.

import type { ShardSettings } from '../store/decision-shard.ts'
import type { DecisionTables, SegmentRow } from './cloudflare-decision-tables.ts'

/** How often old segments are looked for. */
export const RETENTION_MS = 3_600_000

/** Records that are found by id. Of older ones the segments stay, for exports; an object holds 10 GB. */
const MAX_INDEXED = 8_000_000

/** Segments that are deleted at a time: as many keys as the bucket takes in one call. */
const MAX_SEGMENTS = 1_000

/** Isolates name a document once an hour while they use it. */
const VIEW_SLACK_MS = 2 * 3_600_000

/** Returns whether there is more to forget. */
export async function forgetOld(
  tables: DecisionTables,
  bucket: R2Bucket | null,
  settings: ShardSettings,
  nowMs: number,
): Promise<boolean> {
  // Without a bucket nobody can say that they are gone: they stay until it is bound again.
  const outdated = bucket === null ? [] : outdatedSegments(tables, settings, nowMs)
  if (outdated.length > 0 && bucket !== null) {
    // The bucket first: what is forgotten here can't be found there any more.
    await bucket.delete(outdated.map(({ key }) => key))
    for (const { first_seq: first, last_seq: last } of outdated) {
      tables.sql.exec('DELETE FROM batches WHERE first_seq >= ? AND last_seq <= ?', first, last)
      tables.sql.exec('DELETE FROM segment_index WHERE first_seq = ?', first)
      tables.sql.exec('DELETE FROM segments WHERE first_seq = ?', first)
    }
  }
  const hasMore = forgetIndex(tables)
  if (settings.retentionMs !== null) await forgetByTime(tables, bucket, settings, nowMs - settings.retentionMs)
  return hasMore || outdated.length === MAX_SEGMENTS
}

function outdatedSegments(
  { sql }: DecisionTables,
  { retentionMs, retentionBytes }: ShardSettings,
  nowMs: number,
): readonly SegmentRow[] {
  const oldestMs = retentionMs === null ? Number.NEGATIVE_INFINITY : nowMs - retentionMs
  const { held } = sql
    .exec<{ held: number | null }>('SELECT SUM(bytes) AS held FROM segments WHERE is_stored = 1')
    .one()
  let over = retentionBytes === null ? 0 : (held ?? 0) - retentionBytes
  const outdated: SegmentRow[] = []
  if (retentionMs === null && over <= 0) return outdated
  for (const segment of sql.exec<SegmentRow>('SELECT * FROM segments WHERE is_stored = 1 ORDER BY first_seq')) {
    const isOutdated = over > 0 || segment.last_ms < oldestMs
    // Segments are in the order in which records came, so those that follow are younger, or nearly.
    if (!isOutdated || outdated.length === MAX_SEGMENTS) break
    outdated.push(segment)
    over -= segment.bytes
  }
  return outdated
}

/** What is known of the oldest segments; these stay. */
function forgetIndex({ sql, progress }: DecisionTables): boolean {
  const { rowsWritten } = sql.exec(
    `DELETE FROM segment_index WHERE first_seq IN (SELECT first_seq FROM segment_index WHERE first_seq <= ?
      ORDER BY first_seq LIMIT ?)`,
    progress.taken - MAX_INDEXED,
    MAX_SEGMENTS,
  )
  return rowsWritten >= MAX_SEGMENTS
}

/** Records that are in no segment, and documents that nobody has named since. */
async function forgetByTime(
  tables: DecisionTables,
  bucket: R2Bucket | null,
  { prefix }: ShardSettings,
  beforeMs: number,
): Promise<void> {
  const { sql } = tables
  sql.exec('DELETE FROM batches WHERE last_ms < ? AND last_seq <= ?', beforeMs, tables.progress.settled)
  const unused = sql
    .exec<{ hash: string }>('SELECT hash FROM views WHERE used_ms < ? LIMIT ?', beforeMs - VIEW_SLACK_MS, MAX_SEGMENTS)
    .toArray()
  if (unused.length === 0) return
  await bucket?.delete(unused.map(({ hash }) => viewKey(prefix, hash)))
  for (const { hash } of unused) sql.exec('DELETE FROM views WHERE hash = ?', hash)
}

export const viewKey = (prefix: string, hash: string): string => `${prefix}views/${hash}.json`

// `explain` from an exported log.

import { explain } from '../explain/explain.ts'
import { readRecord } from '../record/read-record.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import { toViewDocument } from '../record/view-document.ts'
import { LineSplitter } from '../replay/line-splitter.ts'
import type { Explained } from './explain.ts'
import type { Flags } from './flags.ts'
import type { Host } from './host.ts'
import { openReplayFiles, type ReplayFiles } from './replay-files.ts'

export async function explainFromLog(host: Host, flags: Flags, path: string, id: string): Promise<Explained> {
  const files = await openReplayFiles(host, path, flags.value('views'))
  const record = await find(files, id)
  if (record === null) return { ok: false, message: `no decision and no request with the id ${id} is in ${path}` }
  const candidates = record.view_hash === undefined ? null : await files.findView(record.view_hash)
  const view = candidates === null ? null : toViewDocument({ candidates })
  return { ok: true, explanation: explain({ record, view, dryRun: null }, flags.value('worker')) }
}

/** The record of this decision id, else the newest of this request id. */
async function find(files: ReplayFiles, id: string): Promise<StoredRecord | null> {
  let newest: StoredRecord | null = null
  for await (const line of linesOf(files)) {
    // Cheaper than parsing: ids stand in a line as they are.
    if (!line.includes(id)) continue
    const read = readRecord(line)
    if (read.kind !== 'record') continue
    const { record } = read
    if (record.decision_id === id) return record
    const isNewer = newest === null || Date.parse(record.timestamp) >= Date.parse(newest.timestamp)
    if (record.request_id === id && isNewer) newest = record
  }
  return newest
}

async function* linesOf({ parts }: ReplayFiles): AsyncIterable<string> {
  let splitter = new LineSplitter()
  let name: string | null = null
  for await (const part of parts()) {
    if (name !== null && part.name !== name) {
      yield splitter.end() ?? ''
      splitter = new LineSplitter()
    }
    name = part.name
    yield* splitter.push(part.bytes)
  }
  yield splitter.end() ?? ''
}

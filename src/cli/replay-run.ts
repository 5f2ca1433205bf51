// The loop of `replay`: every line of a log through every configuration, with a word on how far it has come.

import { readRecord } from '../record/read-record.ts'
import type { SlowCandidate } from '../record/view-document.ts'
import { LineCounts } from '../replay/line-counts.ts'
import { LineSplitter } from '../replay/line-splitter.ts'
import type { Replay } from '../replay/replay.ts'
import { toOutput } from '../replay/report.ts'
import type { ReplayOutput } from '../replay/report-schema.ts'
import type { ReplayFiles } from './replay-files.ts'

/** View documents that are kept at a time. */
const MAX_VIEWS = 256

export interface RunOptions {
  readonly files: ReplayFiles
  readonly replay: Replay
  onProgress(bytes: number, records: number): void
}

export async function runReplay({ files, replay, onProgress }: RunOptions): Promise<ReplayOutput> {
  const lines = new LineCounts()
  const views = new Map<string, readonly SlowCandidate[] | null>()
  let splitter = new LineSplitter()
  let place = { name: '', line: 0 }
  let bytes = 0
  let records = 0

  async function take(line: string): Promise<void> {
    place.line += 1
    const read = readRecord(line)
    if (read.kind === 'blank') return lines.blank()
    if (read.kind === 'refused') return lines.unreadable(read.why, `${place.name}:${place.line}`)
    lines.record()
    records += 1
    const { view_hash: hash } = read.record
    let view = hash === undefined ? null : views.get(hash)
    if (view === undefined && hash !== undefined) {
      view = await files.findView(hash)
      if (views.size >= MAX_VIEWS) views.clear()
      views.set(hash, view)
    }
    replay.add(read.record, view ?? null)
  }

  async function endFile(): Promise<void> {
    const last = splitter.end()
    if (last !== null) await take(last)
    splitter = new LineSplitter()
  }

  for await (const part of files.parts()) {
    if (part.name !== place.name) {
      await endFile()
      place = { name: part.name, line: 0 }
    }
    for (const line of splitter.push(part.bytes)) await take(line)
    bytes += part.bytes.length
    onProgress(bytes, records)
  }
  await endFile()
  return toOutput(replay.reports(), lines.toLines())
}

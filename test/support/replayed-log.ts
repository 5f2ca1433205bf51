// A log that was made in this process, decided again: every line is read and goes through each configuration.

import type { Config } from '../../src/config/config.ts'
import { readRecord } from '../../src/record/read-record.ts'
import type { StoredRecord } from '../../src/record/stored-record.ts'
import { DEFAULT_PREFIX_CACHE } from '../../src/replay/prefix-cache.ts'
import { Replay } from '../../src/replay/replay.ts'
import type { ReplayReport } from '../../src/replay/report-schema.ts'
import type { DecidedLog } from './decided-log.ts'

export function recordsOf({ lines }: DecidedLog): StoredRecord[] {
  return lines.map((line) => {
    const read = readRecord(line)
    if (read.kind !== 'record') throw new Error(JSON.stringify(read))
    return read.record
  })
}

/** One report a configuration, in their order. */
export function replayLog(
  log: DecidedLog,
  configs: readonly Config[],
  records: readonly StoredRecord[] = recordsOf(log),
): readonly ReplayReport[] {
  const replay = new Replay({
    configs: configs.map((config, at) => ({ name: `given-${at}`, config })),
    against: null,
    by: null,
    prefixCache: DEFAULT_PREFIX_CACHE,
  })
  for (const record of records) replay.add(record, log.candidates(record.view_hash))
  return replay.reports()
}

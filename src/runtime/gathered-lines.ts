// Lines of the log that wait a moment for each other, so that many leave in one call: under load most of what a line
// costs is the call, and whoever wakes up to read it.

import type { LogLevel } from '../config/config.ts'

export interface GatheredLinesOptions {
  /** Writes one line or several, with line feeds between them. */
  write(lines: string): void
  now(): number
  /** Calls `task` in a moment. It may never do so: what it belongs to can end before. */
  soon(task: () => void): void
}

/** What waited longer than this was forgotten by its `soon`, and goes with the next line. */
const FORGOTTEN_MS = 100

/** No more than this waits. */
const MAX_WAITING_CHARACTERS = 64 * 1024

const TELLS_TROUBLE: ReadonlySet<LogLevel> = new Set(['warn', 'error'])

/** Writes a line, with others, in a moment; at once where it tells of trouble. The order stays. */
export type WriteLine = (line: string, level: LogLevel) => void

export function gatherLines({ write, now, soon }: GatheredLinesOptions): WriteLine {
  let waiting = ''
  let sinceMs = 0

  function flush(): void {
    const lines = waiting
    waiting = ''
    if (lines !== '') write(lines)
  }

  return (line, level) => {
    const nowMs = now()
    const isFirst = waiting === ''
    waiting = isFirst ? line : `${waiting}\n${line}`
    if (isFirst) sinceMs = nowMs
    if (TELLS_TROUBLE.has(level) || waiting.length > MAX_WAITING_CHARACTERS || nowMs - sinceMs > FORGOTTEN_MS) flush()
    else if (isFirst) soon(flush)
  }
}

// The log of a Worker and its objects. A deployed one hands objects to the console method of their level, which Workers Logs
// indexes field by field; under `serve` on somebody's machine they are lines, as other runtimes write them.

import { toJsonLine } from '../observe/log/entry-text.ts'
import type { LogEntry } from '../platform.ts'

export function consoleLog({ ROUTER_SERVE: serve }: { readonly ROUTER_SERVE?: string }): (entry: LogEntry) => void {
  if (serve === 'local') return (entry) => console.log(toJsonLine(entry))
  return (entry) => console[entry.level](withoutGaps(entry))
}

/** The console shows what is undefined; JSON leaves it out. */
function withoutGaps(entry: LogEntry): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined))
}

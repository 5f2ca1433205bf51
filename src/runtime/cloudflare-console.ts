// The log of a Worker and its objects. A deployed one hands objects to the console method of their level, which Workers Logs
// indexes field by field; under `serve` on somebody's machine they are lines, as other runtimes write them.

import { waitUntil } from 'cloudflare:workers'
import { toJsonLine } from '../observe/log/entry-text.ts'
import type { LogEntry } from '../platform.ts'
import { gatherLines } from './gathered-lines.ts'

interface ConsoleEnv {
  readonly ROUTER_SERVE?: string
}

/** Under `serve` lines of requests leave fifty times a second, as each call of the console wakes the process that reads it. */
const GATHER_MS = 20

/** One call of the console for each entry. */
export function consoleLog({ ROUTER_SERVE: serve }: ConsoleEnv): (entry: LogEntry) => void {
  if (serve === 'local') return (entry) => console.log(toJsonLine(entry))
  return (entry) => console[entry.level](withoutGaps(entry))
}

/** The same, for what is written on behalf of requests: under `serve` many lines are one call. */
export function requestLog(env: ConsoleEnv): (entry: LogEntry) => void {
  if (env.ROUTER_SERVE !== 'local') return consoleLog(env)
  const write = gatherLines({
    write: (lines) => console.log(lines),
    now: () => Date.now(),
    soon(task) {
      try {
        waitUntil(scheduler.wait(GATHER_MS).then(task))
      } catch {
        // Outside of a request nothing can be waited for.
        task()
      }
    },
  })
  return (entry) => write(toJsonLine(entry), entry.level)
}

/** The console shows what is undefined; JSON leaves it out. */
function withoutGaps(entry: LogEntry): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined))
}

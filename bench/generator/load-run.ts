// What a run of the load generator keeps, whichever way it sends.

import { type Answer, type Connection, type ConnectionEvents, openConnection, type Wire } from './connection.ts'

export interface LoadRun {
  readonly wire: Wire
  readonly connections: number
  readonly untilMs: number
  readonly latenciesMs: number[]
  readonly counts: Record<'wrong' | 'refused' | 'broken' | 'unsent' | 'closing', number>
  readonly open: Set<Connection>
}

/** A refused connection is tried again this much later, so that a dead target doesn't spin. */
export const RETRY_MS = 20

/** Opens a connection whose end is counted. */
export function openCounted(run: LoadRun, events: ConnectionEvents): Connection {
  const connection = openConnection(run.wire, {
    ...events,
    onClose(end) {
      run.open.delete(connection)
      if (!end.wasOpen) run.counts.refused += 1
      else if (end.isOwed) run.counts.broken += 1
      events.onClose(end)
    },
  })
  run.open.add(connection)
  return connection
}

/** Counts an answer to what was sent, or was due, at `sinceMs`. */
export function countAnswer(run: LoadRun, { isRight, isClosing }: Answer, tookMs: number): void {
  if (isRight) run.latenciesMs.push(tookMs)
  else run.counts.wrong += 1
  if (isClosing) run.counts.closing += 1
}

export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

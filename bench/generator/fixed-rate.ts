// Requests at a fixed rate: the n-th falls due at its time by the clock, goes out over the next free connection, and is timed
// from when it was due. What had to wait for a slow answer before it has that wait in its own time.

import type { Connection } from './connection.ts'
import { countAnswer, type LoadRun, openCounted, RETRY_MS } from './load-run.ts'

interface Schedule {
  readonly run: LoadRun
  /** When requests that no connection has taken yet were due, the oldest first. */
  readonly due: number[]
  readonly free: Connection[]
  /** When the request that a connection is busy with was due. */
  readonly busy: Map<Connection, number>
  isOver: boolean
}

export async function runAtRate(run: LoadRun, rate: number): Promise<void> {
  const schedule: Schedule = { run, due: [], free: [], busy: new Map(), isOver: false }
  const connections = Promise.all(Array.from({ length: run.connections }, () => keepOpen(schedule)))
  const startedMs = performance.now()
  for (let sent = 0; performance.now() < run.untilMs;) {
    const until = Math.floor(((Math.min(performance.now(), run.untilMs) - startedMs) / 1_000) * rate)
    for (; sent < until; sent += 1) schedule.due.push(startedMs + (sent / rate) * 1_000)
    dispatch(schedule)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  schedule.isOver = true
  endIdle(schedule)
  await connections
  run.counts.unsent += schedule.due.length
}

/** One connection after another until the time is up. */
async function keepOpen(schedule: Schedule): Promise<void> {
  while (!schedule.isOver || schedule.due.length > 0) {
    const wasOpen = await serveOneConnection(schedule)
    if (performance.now() >= schedule.run.untilMs && !wasOpen) return
    if (!wasOpen) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

function serveOneConnection(schedule: Schedule): Promise<boolean> {
  const { run, free, busy } = schedule
  return new Promise((resolve) => {
    const connection = openCounted(run, {
      onOpen: () => becomeFree(),
      onAnswer(answer) {
        countAnswer(run, answer, performance.now() - (busy.get(connection) ?? 0))
        busy.delete(connection)
        if (answer.isClosing) connection.end()
        else becomeFree()
      },
      onClose({ wasOpen }) {
        busy.delete(connection)
        const at = free.indexOf(connection)
        if (at !== -1) free.splice(at, 1)
        resolve(wasOpen)
      },
    })
    function becomeFree(): void {
      free.push(connection)
      dispatch(schedule)
    }
  })
}

function dispatch(schedule: Schedule): void {
  const { due, free, busy } = schedule
  while (due.length > 0) {
    const connection = free.pop()
    if (connection === undefined) return
    busy.set(connection, due.shift() ?? 0)
    connection.ask()
  }
  if (schedule.isOver) endIdle(schedule)
}

function endIdle({ due, free }: Schedule): void {
  if (due.length > 0) return
  for (const connection of free.splice(0)) connection.end()
}

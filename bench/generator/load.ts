// A closed loop on bare sockets: every connection sends its next request when its last answer is complete.

import { connect } from 'node:net'
import { createMessageReader } from '../http-messages.ts'
import { type LoadName, loadNamed, requestBytes } from '../loads.ts'

export interface LoadJob {
  readonly port: number
  readonly load: LoadName
  readonly connections: number
  readonly seconds: number
}

export interface LoadResult {
  /** Right answers: status 200 and the expected number of bytes. */
  readonly completed: number
  /** Answers with another status or length. */
  readonly wrong: number
  /** Connections refused. */
  readonly refused: number
  /** Connections that broke, or said nothing any more, while an answer was owed. */
  readonly broken: number
  /** Answers after which the server closed the connection, so that the next request had to open another. */
  readonly closing: number
  /** From the first request to the last answer. */
  readonly elapsedSeconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU of the generator itself. */
  readonly cpuSeconds: number
}

/** How long answers may still take once no more requests are sent. */
const TAIL_MS = 10_000

/** A refused connection is tried again this much later, so that a dead target doesn't spin. */
const RETRY_MS = 20

interface Run {
  readonly job: LoadJob
  readonly request: Buffer
  readonly answerBytes: number
  readonly untilMs: number
  readonly latenciesMs: number[]
  readonly counts: Record<'wrong' | 'refused' | 'broken' | 'closing', number>
  readonly sockets: Set<{ destroy(): void }>
}

export async function runLoad(job: LoadJob): Promise<LoadResult> {
  const { body, path, answerBytes } = loadNamed(job.load)
  const request = requestBytes({ body, path, answerBytes }, `127.0.0.1:${job.port}`)
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  const counts = { wrong: 0, refused: 0, broken: 0, closing: 0 }
  const untilMs = startedMs + job.seconds * 1_000
  const run: Run = { job, request, answerBytes, untilMs, latenciesMs: [], counts, sockets: new Set() }
  const guard = setTimeout(
    () => {
      for (const socket of run.sockets) socket.destroy()
    },
    job.seconds * 1_000 + TAIL_MS,
  )
  await Promise.all(Array.from({ length: job.connections }, () => keepAsking(run)))
  clearTimeout(guard)
  const elapsedSeconds = (performance.now() - startedMs) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const sorted = Float64Array.from(run.latenciesMs).sort()
  return {
    ...counts,
    completed: sorted.length,
    elapsedSeconds,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    cpuSeconds: (user + system) / 1e6,
  }
}

/** One connection after another until the time is up; servers may close a connection between answers. */
async function keepAsking(run: Run): Promise<void> {
  while (performance.now() < run.untilMs) {
    const isConnected = await askOverOneConnection(run)
    if (!isConnected) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

/** Resolves when the connection is over: false when it never stood. */
function askOverOneConnection(run: Run): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port: run.job.port, host: '127.0.0.1', noDelay: true })
    run.sockets.add(socket)
    let sentAtMs = 0
    let isOwed = false
    let isConnected = false
    function ask(): void {
      isOwed = true
      sentAtMs = performance.now()
      socket.write(run.request)
    }
    const read = createMessageReader(({ head, bodyBytes }) => {
      const nowMs = performance.now()
      isOwed = false
      if (head.startsWith('200 ', 9) && bodyBytes === run.answerBytes) run.latenciesMs.push(nowMs - sentAtMs)
      else run.counts.wrong += 1
      const isClosing = /\r\nconnection: *close/i.test(head)
      if (isClosing) run.counts.closing += 1
      if (nowMs < run.untilMs && !isClosing) ask()
      else socket.end()
    })
    socket.on('data', read)
    socket.once('connect', () => {
      isConnected = true
      ask()
    })
    // What went wrong is counted when the socket closes, which always follows.
    socket.on('error', () => {})
    socket.once('close', () => {
      run.sockets.delete(socket)
      if (!isConnected) run.counts.refused += 1
      else if (isOwed) run.counts.broken += 1
      resolve(isConnected)
    })
  })
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

// The load generator. A closed loop: every connection sends its next request when its last answer is complete. Or a fixed
// rate: requests fall due by the clock, whatever became of those before, and each is timed from when it was due, so that a
// stall counts for all who had to wait (no coordinated omission).

import { type LoadName, loadNamed, requestBytes } from '../loads.ts'
import type { Wire } from './connection.ts'
import { runAtRate } from './fixed-rate.ts'
import { runClosedLoop } from './closed-loop.ts'
import { type LoadRun, quantile } from './load-run.ts'

export interface LoadJob {
  readonly port: number
  readonly load: LoadName
  readonly connections: number
  readonly seconds: number
  /** Requests a second; null for as many as the connections take. */
  readonly rate: number | null
  /** Header lines beyond the usual ones. */
  readonly headers: readonly string[]
  /** Whether an answer of another length is right, too: a gateway may write it anew. */
  readonly isAnyLengthRight: boolean
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
  /** Requests of a fixed rate that no connection was free for until the end. */
  readonly unsent: number
  /** Answers after which the server closed the connection, so that the next request had to open another. */
  readonly closing: number
  /** From the first request to the last answer. */
  readonly elapsedSeconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU of the generator itself. */
  readonly cpuSeconds: number
}

/** How long answers may still take once no more requests are sent: more where more are under way. */
const TAIL_MS = 10_000
const TAIL_MS_PER_CONNECTION = 40

export async function runLoad(job: LoadJob): Promise<LoadResult> {
  const load = loadNamed(job.load)
  const wire: Wire = {
    port: job.port,
    request: requestBytes(load, `127.0.0.1:${job.port}`, job.headers),
    answerBytes: job.isAnyLengthRight ? null : load.answerBytes,
  }
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  const counts = { wrong: 0, refused: 0, broken: 0, unsent: 0, closing: 0 }
  const untilMs = startedMs + job.seconds * 1_000
  const run: LoadRun = { wire, connections: job.connections, untilMs, latenciesMs: [], counts, open: new Set() }
  const guard = setTimeout(
    () => run.open.forEach((connection) => connection.destroy()),
    job.seconds * 1_000 + TAIL_MS + job.connections * TAIL_MS_PER_CONNECTION,
  )
  await (job.rate === null ? runClosedLoop(run) : runAtRate(run, job.rate))
  clearTimeout(guard)
  const { user, system } = process.cpuUsage(cpu)
  const sorted = Float64Array.from(run.latenciesMs).sort()
  return {
    ...counts,
    completed: sorted.length,
    elapsedSeconds: (performance.now() - startedMs) / 1_000,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    cpuSeconds: (user + system) / 1e6,
  }
}

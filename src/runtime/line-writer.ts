// Log lines on their way to standard output. They go out together, a hundred times a second at most: a write call per
// request would be most of its cost. A reader that stands still holds nothing up, and one that is gone ends nothing.

import { write, writeSync } from 'node:fs'
import { codeOf } from './text-files.ts'

export interface LineWriter {
  write(line: string): void
  /** Resolves when all has been written, or can't be within a second. */
  flush(): Promise<void>
}

/** Writes some of the bytes, and says how many; the callback of `fs.write`. */
export type WriteSome = (bytes: Uint8Array, done: (error: unknown, written: number) => void) => void

export interface LineWriterOptions {
  readonly writeSome: WriteSome
  /** The line that tells of lines that were lost. */
  lostLine(lines: number): string
  /** Calls `task` once after `delayMs`. */
  after(delayMs: number, task: () => void): void
}

const GATHER_MS = 10
/** How soon a pipe that was full is tried again. */
const FULL_MS = 20
const FLUSH_MS = 1_000

/** Characters that may wait for a reader; lines beyond are lost, and counted. */
const MAX_WAITING = 8 * 1024 * 1024

const STANDARD_OUTPUT = 1

/**
 * By calls that run beside this thread: where standard output is a pipe, `process.stdout.write` waits for its reader on
 * Node, and fails on Deno.
 */
export function openStandardOutput(lostLine: LineWriterOptions['lostLine']): LineWriter {
  // Whoever else writes there, such as a command's own output, must not end the process either.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const lines = new QueuedLines({
    writeSome: (bytes, done) => write(STANDARD_OUTPUT, bytes, 0, bytes.length, null, done),
    lostLine,
    after: (delayMs, task) => void setTimeout(task, delayMs),
  })
  // What ends without a flush, such as a crash, says its last words.
  process.once('exit', () => lines.writeRest((bytes) => void writeSync(STANDARD_OUTPUT, bytes)))
  return lines
}

export class QueuedLines implements LineWriter {
  readonly #options: LineWriterOptions
  #waiting: string[] = []
  #waitingCharacters = 0
  #lost = 0
  #isScheduled = false
  /** What is being written now. */
  #current: Uint8Array | null = null
  #isGone = false
  #whenEmpty: (() => void)[] = []

  constructor(options: LineWriterOptions) {
    this.#options = options
  }

  write(line: string): void {
    if (this.#isGone) return
    if (this.#waitingCharacters + line.length > MAX_WAITING) {
      this.#lost += 1
      return
    }
    this.#waiting.push(line)
    this.#waitingCharacters += line.length
    if (this.#isScheduled || this.#current !== null) return
    this.#isScheduled = true
    this.#options.after(GATHER_MS, () => this.#next())
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenEmpty.push(resolve)
      this.#options.after(FLUSH_MS, resolve)
      if (this.#current === null) this.#next()
    })
  }

  /** Writes what waits at once, unless a write is under way: then its reader is slow, or gone. */
  writeRest(writeNow: (bytes: Uint8Array) => void): void {
    if (this.#current !== null || this.#isGone) return
    const bytes = this.#take()
    if (bytes === null) return
    try {
      writeNow(bytes)
    } catch {
      // There is nobody left to tell.
    }
  }

  #next(): void {
    this.#isScheduled = false
    if (this.#current !== null) return
    this.#current = this.#isGone ? null : this.#take()
    if (this.#current !== null) return this.#writeOn(this.#current)
    for (const resolve of this.#whenEmpty.splice(0)) resolve()
  }

  #take(): Uint8Array | null {
    const lines = this.#waiting
    if (this.#lost > 0) lines.push(this.#options.lostLine(this.#lost))
    this.#lost = 0
    this.#waiting = []
    this.#waitingCharacters = 0
    return lines.length === 0 ? null : new TextEncoder().encode(`${lines.join('\n')}\n`)
  }

  #writeOn(bytes: Uint8Array): void {
    this.#options.writeSome(bytes, (error, written) => {
      if (isFull(error)) return this.#options.after(FULL_MS, () => this.#writeOn(bytes))
      if (error !== null && error !== undefined) {
        // EPIPE, mostly: whoever read this has ended. The router serves on.
        this.#isGone = true
        this.#waiting = []
      } else if (written < bytes.length) {
        this.#current = bytes.subarray(written)
        return this.#writeOn(this.#current)
      }
      this.#current = null
      this.#next()
    })
  }
}

/** A pipe that takes nothing more for now, where it was opened not to wait. */
function isFull(error: unknown): boolean {
  return codeOf(error) === 'EAGAIN'
}

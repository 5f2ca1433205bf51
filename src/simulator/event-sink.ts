// The way of events into a stream, and the place where a stream goes wrong on request: it counts events, and after the
// given number it dies, stalls or reports an error.

import type { BodyFeed } from './body-feed.ts'
import type { Clock } from './clock.ts'
import { SocketCut } from './fault-rules.ts'
import type { Faults } from './fault-schema.ts'
import type { GenerationsRun, StreamRenderer } from './stream-renderer.ts'

interface SinkOptions {
  readonly feed: BodyFeed
  readonly faults: Faults
  readonly renderer: StreamRenderer
  readonly clock: Clock
}

const encoder = new TextEncoder()

/** Writes events until a fault or the end. */
export class EventSink {
  readonly #options: SinkOptions
  #run: GenerationsRun | null = null
  #sent = 0
  #isClosed = false
  // Events held back by a stall; null while none is under way.
  #held: string[] | null = null
  #hasStalled = false
  #endsAfterStall = false

  constructor(options: SinkOptions) {
    this.#options = options
  }

  /** The generations to stop when the stream goes wrong. */
  attach(run: GenerationsRun): void {
    this.#run = run
  }

  write(events: readonly string[]): void {
    for (const event of events) this.#writeOne(event)
  }

  end(): void {
    this.#endsAfterStall = this.#held !== null
    if (this.#isClosed || this.#held !== null) return
    this.#isClosed = true
    this.#options.feed.end()
  }

  #writeOne(event: string): void {
    if (this.#isClosed) return
    if (this.#held !== null) {
      this.#held.push(event)
      return
    }
    const { die_mid_stream: death, stall_mid_stream: stall, error_in_stream: failure } = this.#options.faults
    if (death !== undefined && this.#sent === death.after_events) return this.#die(death.mode, event)
    if (failure !== undefined && this.#sent === failure.after_events) return this.#fail(failure.status)
    if (stall !== undefined && this.#sent === stall.after_events && !this.#hasStalled) {
      return this.#stall(stall.for_ms, event)
    }
    this.#sent++
    this.#options.feed.push(encoder.encode(event))
  }

  #die(mode: NonNullable<Faults['die_mid_stream']>['mode'], event: string): void {
    const { feed, renderer } = this.#options
    this.#isClosed = true
    this.#run?.abort()
    const bytes = encoder.encode(event)
    if (mode === 'mid_event') feed.push(bytes.slice(0, Math.ceil(bytes.length / 2)))
    if (mode === 'done_without_finish') feed.push(encoder.encode(renderer.terminator))
    if (mode === 'clean' || mode === 'done_without_finish') feed.end()
    else feed.fail(new SocketCut(mode === 'rst' ? 'reset' : 'end'))
  }

  #fail(status: number): void {
    const { feed, renderer } = this.#options
    this.#isClosed = true
    this.#run?.abort()
    for (const event of renderer.error(status)) feed.push(encoder.encode(event))
    feed.end()
  }

  /** A stuck engine: its slot stays taken until it comes back or the client goes. */
  #stall(forMs: number | undefined, event: string): void {
    this.#hasStalled = true
    this.#held = [event]
    this.#run?.pause()
    if (forMs === undefined) return
    this.#options.clock.after(forMs, () => {
      const held = this.#held ?? []
      this.#held = null
      this.write(held)
      if (this.#endsAfterStall) this.end()
      this.#run?.resume()
    })
  }
}

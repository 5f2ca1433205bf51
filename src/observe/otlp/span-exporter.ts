// Sends ended spans to a collector, some at a time, beside the requests they tell of. A collector that is slow, down or gone
// costs no request anything: a message that may yet be taken is sent again a few times, and what there is no room for
// meanwhile is dropped and counted.

import type { TraceConfig } from '../../config/config.ts'
import type { ExporterChange } from '../../pipeline/events.ts'
import type { SpanCounts, SpanSink } from '../../pipeline/tracing.ts'
import type { Platform } from '../../platform.ts'
import type { EndedSpan } from '../../tracing/request-trace.ts'
import { ROUTER_VERSION } from '../../version.ts'
import { type Resource, toOtlpJson } from './otlp-json.ts'
import { toOtlpProtobuf } from './otlp-protobuf.ts'
import { ExporterHealth } from './exporter-health.ts'
import { sendOtlp } from './post-otlp.ts'

/** Spans that may wait or be on their way: some 200 requests, about a megabyte. */
const MAX_KEPT = 2_048
/** Spans to a message. */
const BATCH = 512
/** How long a span waits for others to go with it. */
const DELAY_MS = 500
/** How often a message is sent at most. */
const MAX_TRIES = 6
/** The first wait before it is sent again; each is twice as long as the one before, up to the longest. */
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 3_000
/** The longest that a collector may have us wait. */
const LONGEST_WISH_MS = 30_000
/** How long what is left may take when the process ends. */
const CLOSE_MS = 2_000

export interface SpanExporter extends SpanSink {
  /** Sends what waits. Never rejects. */
  flush(): Promise<void>
  counts(): SpanCounts & { readonly failures: number }
}

type ExporterPlatform = Pick<Platform, 'send' | 'now' | 'after' | 'wakesAcrossRequests' | 'randomId'>

/** The instance is a random name of this process or isolate. */
export function createSpanExporter(
  config: TraceConfig,
  platform: ExporterPlatform,
  onChange: (change: ExporterChange) => void = () => {},
): SpanExporter {
  const resource = {
    'service.instance.id': platform.randomId(),
    ...config.resourceAttributes,
    'service.name': config.serviceName,
    'service.version': ROUTER_VERSION,
  }
  return new OtlpExporter({ config, resource, platform, health: new ExporterHealth('traces', onChange) })
}

/** Spans that go out in one message. */
interface Batch {
  readonly spans: readonly EndedSpan[]
  readonly tries: number
}

interface ExporterParts {
  readonly config: TraceConfig
  readonly resource: Resource
  readonly platform: ExporterPlatform
  readonly health: ExporterHealth
}

class OtlpExporter implements SpanExporter {
  readonly #config: TraceConfig
  readonly #resource: Resource
  readonly #platform: ExporterPlatform
  readonly #health: ExporterHealth
  #waiting: EndedSpan[] = []
  /** What is to be sent again, before anything else. */
  #again: Batch | null = null
  /** Spans in messages that nobody has answered yet. */
  #onTheirWay = 0
  /** Until when nothing is sent. */
  #silentUntilMs = 0
  #isSending = false
  #isScheduled = false
  #sent = 0
  #dropped = 0
  #failures = 0

  constructor({ config, resource, platform, health }: ExporterParts) {
    this.#config = config
    this.#resource = resource
    this.#platform = platform
    this.#health = health
  }

  add(spans: readonly EndedSpan[], beside: (task: Promise<unknown>) => void): void {
    if (this.#kept() + spans.length > MAX_KEPT) {
      // Whole traces or nothing: half a tree misleads.
      this.#dropped += spans.length
      return
    }
    this.#waiting.push(...spans)
    // Where a timer belongs to its request, the request sees to its own spans, and to what others left.
    if (this.#platform.wakesAcrossRequests) this.#schedule(DELAY_MS)
    else if (this.#platform.now() >= this.#silentUntilMs) beside(this.flush())
  }

  async flush(): Promise<void> {
    // One message at a time: a collector that hangs must not gather connections.
    if (this.#isSending && this.#platform.wakesAcrossRequests) return
    this.#isSending = true
    for (let batch = this.#next(); batch !== null; batch = this.#next()) {
      const waitMs = await this.#send(batch)
      if (waitMs === null) continue
      this.#silentUntilMs = this.#platform.now() + waitMs
      if (this.#platform.wakesAcrossRequests) this.#schedule(waitMs)
      break
    }
    this.#isSending = false
  }

  async close(): Promise<void> {
    let callOff = () => {}
    const late = new Promise<void>((resolve) => {
      callOff = this.#platform.after(CLOSE_MS, resolve)
    })
    await Promise.race([this.flush(), late])
    callOff()
  }

  counts(): ReturnType<SpanExporter['counts']> {
    return { sent: this.#sent, dropped: this.#dropped, failures: this.#failures }
  }

  #kept(): number {
    return this.#waiting.length + (this.#again?.spans.length ?? 0) + this.#onTheirWay
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    const waitMs = Math.max(delayMs, this.#silentUntilMs - this.#platform.now())
    this.#platform.after(waitMs, () => {
      this.#isScheduled = false
      void this.flush()
    })
  }

  #next(): Batch | null {
    const again = this.#again
    this.#again = null
    if (again !== null) return again
    return this.#waiting.length === 0 ? null : { spans: this.#waiting.splice(0, BATCH), tries: 0 }
  }

  /** How long to be silent now; null where the next message may follow. */
  async #send({ spans, tries }: Batch): Promise<number | null> {
    const encode = this.#config.protocol === 'http/json' ? toOtlpJson : toOtlpProtobuf
    this.#onTheirWay += spans.length
    const outcome = await sendOtlp(this.#config, encode(spans, this.#resource), this.#platform)
    this.#onTheirWay -= spans.length
    this.#health.note(outcome.kind === 'taken', this.#dropped)
    if (outcome.kind === 'taken') {
      this.#sent += spans.length
      return null
    }
    this.#failures += 1
    // Of messages that several requests sent side by side one is kept.
    if (outcome.kind === 'refused' || tries + 1 >= MAX_TRIES || this.#again !== null) {
      this.#dropped += spans.length
      return null
    }
    this.#again = { spans, tries: tries + 1 }
    const wish = outcome.afterMs ?? 0
    return Math.max(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries), Math.min(wish, LONGEST_WISH_MS))
  }
}

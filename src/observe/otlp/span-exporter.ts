// Sends ended spans to a collector, some at a time, beside the requests they tell of. A collector that is slow, down or gone
// costs no request anything: what there is no room for is dropped and counted.

import type { TraceConfig } from '../../config/config.ts'
import type { SpanCounts, SpanSink } from '../../pipeline/tracing.ts'
import type { Platform } from '../../platform.ts'
import type { EndedSpan } from '../../tracing/request-trace.ts'
import { ROUTER_VERSION } from '../../version.ts'
import { type Resource, toOtlpJson } from './otlp-json.ts'
import { toOtlpProtobuf } from './otlp-protobuf.ts'

/** Spans that may wait: some 200 requests, about a megabyte. */
const MAX_WAITING = 2_048
/** Spans to a message. */
const BATCH = 512
/** How long a span waits for others to go with it. */
const DELAY_MS = 500
const TIMEOUT_MS = 5_000

export interface SpanExporter extends SpanSink {
  /** Sends what waits. Never rejects. */
  flush(): Promise<void>
  counts(): SpanCounts & { readonly failures: number }
}

type ExporterPlatform = Pick<Platform, 'send' | 'after' | 'wakesAcrossRequests' | 'randomId'>

/** The instance is a random name of this process or isolate. */
export function createSpanExporter(config: TraceConfig, platform: ExporterPlatform): SpanExporter {
  const resource = {
    'service.name': config.serviceName,
    'service.version': ROUTER_VERSION,
    'service.instance.id': platform.randomId(),
  }
  return new OtlpExporter(config, resource, platform)
}

class OtlpExporter implements SpanExporter {
  readonly #config: TraceConfig
  readonly #resource: Resource
  readonly #platform: ExporterPlatform
  #waiting: EndedSpan[] = []
  #isSending = false
  #isScheduled = false
  #sent = 0
  #dropped = 0
  #failures = 0

  constructor(config: TraceConfig, resource: Resource, platform: ExporterPlatform) {
    this.#config = config
    this.#resource = resource
    this.#platform = platform
  }

  add(spans: readonly EndedSpan[], beside: (task: Promise<unknown>) => void): void {
    const room = MAX_WAITING - this.#waiting.length
    if (spans.length > room) {
      // Whole traces or nothing: half a tree misleads.
      this.#dropped += spans.length
      return
    }
    this.#waiting.push(...spans)
    // Where a timer belongs to its request, the request sees to its own spans, and to what others left.
    if (!this.#platform.wakesAcrossRequests) beside(this.flush())
    else if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#platform.after(DELAY_MS, () => {
        this.#isScheduled = false
        void this.flush()
      })
    }
  }

  async flush(): Promise<void> {
    // One message at a time: a collector that hangs must not gather connections.
    if (this.#isSending && this.#platform.wakesAcrossRequests) return
    this.#isSending = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      if (await this.#send(batch)) this.#sent += batch.length
      else {
        this.#failures += 1
        this.#dropped += batch.length
      }
    }
    this.#isSending = false
  }

  counts(): ReturnType<SpanExporter['counts']> {
    return { sent: this.#sent, dropped: this.#dropped, failures: this.#failures }
  }

  async #send(batch: readonly EndedSpan[]): Promise<boolean> {
    const { endpoint, protocol, headers } = this.#config
    const isJson = protocol === 'http/json'
    const body = isJson
      ? new Uint8Array(new TextEncoder().encode(toOtlpJson(batch, this.#resource)))
      : toOtlpProtobuf(batch, this.#resource)
    const controller = new AbortController()
    const callOff = this.#platform.after(TIMEOUT_MS, () => controller.abort())
    try {
      const answer = await this.#platform.send(endpoint, {
        method: 'POST',
        headers: new Headers({ ...headers, 'content-type': isJson ? 'application/json' : 'application/x-protobuf' }),
        body,
        signal: controller.signal,
        connectTimeoutMs: TIMEOUT_MS,
      })
      await answer.arrayBuffer()
      return answer.ok
    } catch {
      return false
    } finally {
      callOff()
    }
  }
}

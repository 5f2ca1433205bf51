// What an engine counts about itself. Plain data that only the engine writes; metrics and tests read it.

import { Histogram, LATENCY_BUCKETS } from './histogram.ts'

/** Why the engine stopped a sequence; a tool call is a `stop` to the engine. */
export type EngineFinishReason = 'stop' | 'length' | 'abort'

export interface EngineStats {
  running: number
  waiting: number
  readonly finished: Record<EngineFinishReason, number>
  promptTokens: number
  generationTokens: number
  /** In tokens, as vLLM counts them. */
  prefixCacheQueries: number
  prefixCacheHits: number
  readonly firstTokenSeconds: Histogram
  readonly interTokenSeconds: Histogram
  readonly requestSeconds: Histogram
  readonly queueSeconds: Histogram
}

/** Statistics of an engine that has done nothing yet. */
export function createEngineStats(): EngineStats {
  return {
    running: 0,
    waiting: 0,
    finished: { stop: 0, length: 0, abort: 0 },
    promptTokens: 0,
    generationTokens: 0,
    prefixCacheQueries: 0,
    prefixCacheHits: 0,
    firstTokenSeconds: new Histogram(LATENCY_BUCKETS.firstToken),
    interTokenSeconds: new Histogram(LATENCY_BUCKETS.interToken),
    requestSeconds: new Histogram(LATENCY_BUCKETS.request),
    queueSeconds: new Histogram(LATENCY_BUCKETS.request),
  }
}

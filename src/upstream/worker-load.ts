// What a vLLM worker's metrics say of its load. Engines and models behind one URL have a series each; a router sees one
// worker.

import type { WorkerLoad } from '../store/fleet-store.ts'
import { sampleValues } from './prometheus-text.ts'

const RUNNING = 'vllm:num_requests_running'
const WAITING = 'vllm:num_requests_waiting'
/** The current name first; some releases served both. */
const KV_USAGE = ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'] as const
const TOKENS = ['vllm:prompt_tokens_total', 'vllm:generation_tokens_total'] as const

const WANTED: ReadonlySet<string> = new Set([RUNNING, WAITING, ...KV_USAGE, ...TOKENS])

/**
 * The load in a body of `/metrics`; null where it does not say how many requests run and wait. Requests and tokens are
 * summed over the series. Of the KV cache the fullest engine counts: it is the one that preempts.
 */
export function readLoad(metrics: string, atMs: number): WorkerLoad | null {
  const values = sampleValues(metrics, WANTED)
  const sumOf = (name: string) => sumOfCounts(values.get(name))
  const running = sumOf(RUNNING)
  const waiting = sumOf(WAITING)
  if (running === null || waiting === null) return null
  const tokens = TOKENS.map(sumOf).filter((sum) => sum !== null)
  return {
    running,
    waiting,
    kvUsage: KV_USAGE.map((name) => fullest(values.get(name))).find((usage) => usage !== null) ?? null,
    tokensTotal: tokens.length === 0 ? null : tokens.reduce((total, sum) => total + sum, 0),
    atMs,
  }
}

function sumOfCounts(values: readonly number[] | undefined): number | null {
  const counts = toFinite(values)
  return counts.length === 0 ? null : counts.reduce((total, count) => total + Math.max(0, count), 0)
}

function fullest(values: readonly number[] | undefined): number | null {
  const usages = toFinite(values)
  if (usages.length === 0) return null
  const usage = usages.reduce((most, each) => Math.max(most, each), 0)
  // Records keep it, and more digits say nothing.
  return Math.round(Math.min(1, usage) * 1_000) / 1_000
}

/** A series that says NaN or infinity says nothing. */
function toFinite(values: readonly number[] | undefined): readonly number[] {
  return values?.filter(Number.isFinite) ?? []
}

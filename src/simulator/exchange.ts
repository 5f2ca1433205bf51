// One request at a simulated worker, and the worker as its routes see it.

import type * as z from 'zod'
import type { Clock } from './clock.ts'
import type { Engine } from './engine.ts'
import type { FaultRules } from './fault-rules.ts'
import type { Faults } from './fault-schema.ts'
import type { CacheReporter } from './lmcache/cache-reporter.ts'
import type { WorkerSettings } from './options.ts'
import type { RequestLog } from './request-log.ts'
import type { ResponseStore } from './response-store.ts'
import type { SleepState } from './sleep-state.ts'
import { modelNotFound, VllmError } from './vllm-error.ts'

/** What the routes share. */
export interface WorkerContext {
  readonly settings: WorkerSettings
  readonly clock: Clock
  /** One per data-parallel rank. */
  readonly engines: readonly Engine[]
  readonly faults: FaultRules
  readonly sleep: SleepState
  readonly log: RequestLog
  readonly responses: ResponseStore
  /** Null when no LMCache controller is told. */
  readonly cacheReporter: CacheReporter | null
  /** 32 hexadecimal digits. */
  newId(): string
  sha256(bytes: Uint8Array): string
  reset(): void
}

export interface Exchange {
  readonly worker: WorkerContext
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer>
  readonly signal: AbortSignal
  readonly faults: Faults
  /** The caller's X-Request-Id, or a new id. */
  readonly requestId: string
  bodyText(): string
}

export function createdSeconds(exchange: Exchange): number {
  return Math.floor(exchange.worker.clock.now() / 1000)
}

/** The body as JSON in the shape of `schema`; a 400 in vLLM's words otherwise. */
export function readJson<T>(exchange: Exchange, schema: z.ZodType<T>): T {
  const mediaType = (exchange.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  if (mediaType !== 'application/json') {
    throw new VllmError(400, "Unsupported Media Type: Only 'application/json' is allowed")
  }
  const parsed = schema.safeParse(parseJson(exchange.bodyText()))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const path = issue?.path.join('.') ?? ''
  throw new VllmError(400, `${path === '' ? 'body' : path}: ${issue?.message ?? 'invalid'}`, path === '' ? null : path)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new VllmError(400, 'JSON decode error')
  }
}

/** The model to answer with: the one asked for, or the first when none is. */
export function resolveModel(exchange: Exchange, model: string | null | undefined): string {
  const { models, loras } = exchange.worker.settings
  const name = model ?? models[0] ?? ''
  if (!models.includes(name) && !loras.includes(name)) throw modelNotFound(name)
  return name
}

/** The engine of the rank that the caller names, else the least loaded one. */
export function pickEngine(exchange: Exchange): Engine {
  const { engines } = exchange.worker
  const rank = exchange.headers.get('x-data-parallel-rank')
  // A rank that is no integer is ignored, as vLLM does.
  if (rank !== null && /^\s*[+-]?\d+\s*$/.test(rank)) {
    const engine = engines[Number(rank)]
    if (engine !== undefined) return engine
    throw new VllmError(400, `data_parallel_rank ${Number(rank)} is out of range [0, ${engines.length}).`)
  }
  return engines.reduce((best, engine) => (loadOf(engine) < loadOf(best) ? engine : best))
}

// vLLM's internal balancer weighs a waiting request as four running ones.
function loadOf(engine: Engine): number {
  return engine.stats.waiting * 4 + engine.stats.running
}

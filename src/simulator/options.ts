// What a simulated worker can be told when it starts, with its defaults. Flags of the command line, tests and
// benchmarks all end up here.

import type { EngineOptions } from './engine.ts'
import type { FaultRuleInput } from './fault-schema.ts'

/** Options of one worker; every one but `models` has a default. */
export interface SimulatedWorkerOptions {
  readonly port?: number
  readonly host?: string
  /** A second port for /sim/* only, open also while the worker refuses connections; none unless given, 0 for any. */
  readonly controlPort?: number | null
  readonly models: readonly string[]
  /** LoRA adapters, each a model id with the first model as parent. */
  readonly loras?: readonly string[]
  readonly seed?: number
  readonly maxNumSeqs?: number
  readonly prefillOverheadMs?: number
  readonly prefillMsPerToken?: number
  readonly itlMs?: number
  readonly itlJitter?: number
  readonly loadFactor?: number
  readonly kvBlocks?: number
  /** Tokens that all sequences share in a step of the engine; 0 lets each go at its own pace, whatever runs beside it. */
  readonly stepTokens?: number
  /** Length of an answer that nothing cuts short, its end-of-text token included. */
  readonly outputTokens?: number
  readonly embeddingSize?: number
  readonly maxModelLen?: number
  readonly apiKey?: string | null
  readonly dataParallelSize?: number
  readonly enableRequestIdHeaders?: boolean
  readonly enablePromptTokensDetails?: boolean
  readonly enableServerLoadTracking?: boolean
  /** Usage on every stream, asked for or not. */
  readonly enableForceIncludeUsage?: boolean
  /** The routes that vLLM serves under VLLM_SERVER_DEV_MODE=1, as far as the simulator has them: those about sleep. */
  readonly enableDevMode?: boolean
  /** The cache's usage under the name that older releases gave it. */
  readonly oldMetricNames?: boolean
  readonly allowRequestFaults?: boolean
  readonly faults?: readonly FaultRuleInput[]
  /** How many requests /sim/state shows. */
  readonly logRequests?: number
  readonly version?: string
  /** URL of a simulated LMCache controller that is told what this worker caches and evicts. */
  readonly lmcacheController?: string | null
  /** What the controller calls this worker; host:port unless given, which is what a router needs no map for. */
  readonly lmcacheInstance?: string | null
  /** How long what happens in the cache is gathered before it is reported. */
  readonly lmcacheReportMs?: number
}

/** The same with nothing left open. */
export type WorkerSettings = Required<SimulatedWorkerOptions> & EngineOptions

/** Defaults, near an 8B model on one H100 where there is a choice. */
export const DEFAULT_WORKER_OPTIONS: Omit<WorkerSettings, 'models'> = {
  port: 8000,
  host: '127.0.0.1',
  controlPort: null,
  loras: [],
  seed: 0,
  maxNumSeqs: 256,
  prefillOverheadMs: 25,
  prefillMsPerToken: 0.05,
  itlMs: 10,
  itlJitter: 0.1,
  loadFactor: 1.5,
  kvBlocks: 16_384,
  stepTokens: 0,
  outputTokens: 32,
  embeddingSize: 64,
  maxModelLen: 131_072,
  apiKey: null,
  dataParallelSize: 1,
  enableRequestIdHeaders: false,
  enablePromptTokensDetails: true,
  enableServerLoadTracking: false,
  enableForceIncludeUsage: false,
  enableDevMode: false,
  oldMetricNames: false,
  allowRequestFaults: false,
  faults: [],
  logRequests: 100,
  version: '0.32.0',
  lmcacheController: null,
  lmcacheInstance: null,
  lmcacheReportMs: 20,
}

/** Fills in the defaults. */
export function toWorkerSettings(options: SimulatedWorkerOptions): WorkerSettings {
  return { ...DEFAULT_WORKER_OPTIONS, ...options }
}

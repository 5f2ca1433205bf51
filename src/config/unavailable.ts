// Keys and modes of the Rust router that this version does not have: what happens to each, and what to do
// instead. One place, so that a feature that lands deletes its line.

import { errorAt, warningAt, type Problem } from './finding.ts'

interface UnavailableKey {
  readonly severity: 'warning' | 'error'
  /** What follows the path: why it does nothing here, and what to do instead. */
  readonly message: string
  /** A value that can't be read over, and why. */
  readonly refuse?: (value: unknown) => string | null
}

function noEffect(message: string): UnavailableKey {
  return { severity: 'warning', message: `has no effect on an edge router: ${message}` }
}

const UNAVAILABLE_KEYS: Readonly<Record<string, UnavailableKey>> = {
  log_dir: noEffect('logs go to standard output; let the platform collect them'),
  discovery: noEffect('there is no Kubernetes to ask; list the workers, or one service URL per pool'),
  connection_mode: {
    ...noEffect('workers are always reached over HTTP; remove it'),
    refuse: (value) =>
      isTyped(value, 'http') ? null : 'only {type: http} can be had: the router speaks HTTP to workers, not gRPC',
  },
  worker_startup_timeout_secs: noEffect('the router starts at once and uses workers as they come up'),
  worker_startup_check_interval_secs: noEffect('the router starts at once and uses workers as they come up'),
  history_backend: noEffect('nothing reads it in the Rust router either; remove it'),
  enable_profiling: noEffect('start the profiler on the worker itself'),
  profile_timeout_secs: noEffect('start the profiler on the worker itself'),
  model_path: noEffect('it belongs to gRPC workers; the router needs no model files'),
  tokenizer_path: noEffect('it belongs to gRPC workers; the router needs no tokenizer'),
  tokenizer_model_map: noEffect('the router needs no tokenizer'),
  enable_igw: {
    ...noEffect('one router already serves every model of its workers; remove it'),
    refuse: (value) => (value === false ? null : 'only false can be had: list the workers of all models in one pool'),
  },
  request_id_headers: noEffect('the request id is read from and answered in x-request-id'),

  rate_limit_tokens_per_second: noEffect(
    'max_concurrent_requests limits what runs at a time; requests per second are limited per tenant in api_keys',
  ),
}

const PREFILL_DECODE =
  'prefill/decode disaggregation is not built; put a prefill/decode proxy (vLLM ships one) in front of those ' +
  'workers and list its URL under mode {type: regular, worker_urls: [...]}'

const UNAVAILABLE_MODES: Readonly<Record<string, string>> = {
  prefill_decode: PREFILL_DECODE,
  vllm_prefill_decode: PREFILL_DECODE,
  pd_disaggregation: PREFILL_DECODE,
  openai:
    'a single OpenAI-compatible upstream is a pool of one: write {type: regular, worker_urls: [URL]}, its key in api_key',
  igw: 'one router already serves every model of its workers: write {type: regular, worker_urls: [...]}',
  grpc: 'the router speaks HTTP to workers: write {type: regular, worker_urls: ["http://HOST:PORT"]}',
}

/** Fewest candidates among which a policy has a choice, where that is more than its operator may expect. */
const MINIMUM_CANDIDATES: Readonly<Record<string, number>> = { power_of_two: 2 }

/** Keys worth proposing for a typo beyond the schema's own: those that load. */
export const HARMLESS_KEYS: readonly string[] = Object.entries(UNAVAILABLE_KEYS)
  .filter(([, { severity }]) => severity === 'warning')
  .map(([key]) => key)

/** Splits the top level into what this version knows and problems for what it knows to be missing. */
export function setAside(file: Readonly<Record<string, unknown>>): {
  rest: Record<string, unknown>
  problems: Problem[]
} {
  const problems: Problem[] = []
  const rest = Object.entries(file).filter(([key, value]) => {
    const problem = key === 'mode' ? modeProblem(value) : keyProblem(key, value)
    if (problem !== null) problems.push(problem)
    return problem === null
  })
  return { rest: Object.fromEntries(rest), problems }
}

function keyProblem(key: string, value: unknown): Problem | null {
  const known = Object.hasOwn(UNAVAILABLE_KEYS, key) ? UNAVAILABLE_KEYS[key] : undefined
  if (known === undefined) return null
  const refusal = known.refuse?.(value) ?? null
  if (refusal !== null) return { ...errorAt([key], refusal), atKey: true }
  return { severity: known.severity, path: [key], message: known.message, atKey: true }
}

function modeProblem(mode: unknown): Problem | null {
  const type = isMap(mode) ? mode['type'] : mode
  const path = isMap(mode) ? ['mode', 'type'] : ['mode']
  if (typeof type !== 'string' || !Object.hasOwn(UNAVAILABLE_MODES, type)) return null
  return errorAt(path, `the mode ${type} is not available: ${UNAVAILABLE_MODES[type] ?? ''}`)
}

/** The warning of a policy that has nothing to choose from; null when all is well. */
export function fewCandidates(policyType: string, candidates: number): Problem | null {
  const wanted = Object.hasOwn(MINIMUM_CANDIDATES, policyType) ? (MINIMUM_CANDIDATES[policyType] ?? 0) : 0
  if (candidates >= wanted) return null
  const message = `${policyType} has ${candidates} worker to choose from; it works, but it takes ${wanted} for a choice`
  return warningAt(['policy'], message)
}

function isTyped(value: unknown, type: string): boolean {
  return isMap(value) && value['type'] === type && Object.keys(value).length === 1
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// `vllm-edge-router validate`: reads a configuration, prints everything there is to say about it, sets the exit code.
// Touches nothing itself: file, environment and output come in.

import type { Config, WorkerConfig } from '../config/config.ts'
import type { Finding } from '../config/finding.ts'
import { loadConfig, type LoadResult } from '../config/load.ts'
import { countFindings, formatFindings } from '../config/print.ts'
import type { PolicyRegistry } from '../routing/policy.ts'

/** What the command needs from the world. */
export interface ValidateContext {
  /** Arguments after `validate`. */
  readonly args: readonly string[]
  /** Text of a file; rejects when it can't be read. */
  readonly readFile: (path: string) => Promise<string>
  readonly policies: PolicyRegistry
  readonly env: (name: string) => string | undefined
  /** Standard output. */
  readonly write: (text: string) => void
  /** Standard error. */
  readonly writeError: (text: string) => void
}

const HELP = `Usage: vllm-edge-router validate [--config FILE] [--json]

Checks a configuration file and prints everything that is wrong with it at once.

Options:
  --config FILE  the file to check (default: config.yaml)
  --json         print the result as JSON
  --help         print this text

Exit codes: 0 the file is good, 1 it has errors, 2 the command was used wrongly or the file can't be read.
`

const CONNECT_NOTE =
  'connect counts within first_byte on workerd, Deno and Bun; only Node times the connect phase apart'

/** Runs the command; resolves to its exit code. */
export async function runValidate(context: ValidateContext): Promise<number> {
  const parsed = parseArguments(context.args)
  if (parsed.kind === 'help') {
    context.write(HELP)
    return 0
  }
  if (parsed.kind === 'misuse') return refuse(context, `${parsed.message}\n\n${HELP}`)
  const { file, isJson } = parsed
  const read = await readText(context, file)
  if (!read.ok) return refuse(context, `can't read ${file}: ${read.reason}\n`)
  const result = await loadConfig(read.text, { env: context.env, policies: context.policies, source: file })
  context.write(isJson ? toJson(result, file) : toText(result, file))
  return result.ok ? 0 : 1
}

type Arguments =
  | { readonly kind: 'run'; readonly file: string; readonly isJson: boolean }
  | { readonly kind: 'help' }
  | { readonly kind: 'misuse'; readonly message: string }

function parseArguments(args: readonly string[]): Arguments {
  let file = 'config.yaml'
  let isJson = false
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? ''
    if (arg === '--help' || arg === '-h') return { kind: 'help' }
    if (arg === '--json') {
      isJson = true
    } else if (arg === '--config' || arg.startsWith('--config=')) {
      const value = arg === '--config' ? args[(index += 1)] : arg.slice('--config='.length)
      if (value === undefined || value === '') return { kind: 'misuse', message: '--config needs a file' }
      file = value
    } else {
      return { kind: 'misuse', message: `validate takes no ${arg}` }
    }
  }
  return { kind: 'run', file, isJson }
}

function refuse({ writeError }: ValidateContext, message: string): number {
  writeError(`vllm-edge-router validate: ${message}`)
  return 2
}

type ReadText = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string }

async function readText({ readFile }: ValidateContext, file: string): Promise<ReadText> {
  try {
    return { ok: true, text: await readFile(file) }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

function toText(result: LoadResult, file: string): string {
  const findings = formatFindings(result.findings, file)
  if (!result.ok) return `${findings}Configuration is not valid: ${countFindings(result.findings)}\n`
  const lines = summaryLines(result.config).map((line) => `  ${line}\n`)
  return `${findings}Configuration is valid\nSummary:\n${lines.join('')}`
}

function toJson(result: LoadResult, file: string): string {
  const findings: readonly Finding[] = result.findings
  const summary = result.ok ? summaryOf(result.config) : null
  return `${JSON.stringify({ ok: result.ok, file, findings, summary }, null, 2)}\n`
}

/** The good configuration in short; no key is in it. */
function summaryOf(config: Config) {
  return {
    hash: config.hash,
    listen: `${config.host}:${config.port}`,
    policy: config.policy.name,
    workers: config.workers.map(({ id, url, models, weight, dataParallelSize, apiKey }) => {
      return { id, url, models, weight, data_parallel_size: dataParallelSize, has_api_key: apiKey !== null }
    }),
    default_model: config.defaultModel,
    inbound_api_key: config.inboundApiKey === null ? 'not set' : 'set',
    timeouts_ms: {
      connect: config.timeouts.connectMs,
      first_byte: config.timeouts.firstByteMs,
      idle: config.timeouts.idleMs,
      total: config.timeouts.totalMs,
    },
    notes: [CONNECT_NOTE],
  }
}

function summaryLines(config: Config): string[] {
  const { connectMs, firstByteMs, idleMs, totalMs } = config.timeouts
  const times = [
    `connect ${formatTime(connectMs)}`,
    `first_byte ${formatTime(firstByteMs)}`,
    `idle ${formatTime(idleMs)}`,
    `total ${formatTime(totalMs)}`,
  ]
  return [
    `workers:  ${config.workers.length}`,
    ...config.workers.map((worker) => `  ${describeWorker(worker)}`),
    `models:   ${describeModels(config)}`,
    `policy:   ${config.policy.name}`,
    `timeouts: ${times.join(', ')}`,
    `access:   ${describeAccess(config)}`,
    `hash:     ${config.hash}`,
    `note:     ${CONNECT_NOTE}`,
  ]
}

function describeWorker({ id, url, isNamed, models, weight, dataParallelSize, apiKey, binding }: WorkerConfig): string {
  return [
    isNamed ? `${id} ${url}` : url,
    ...(models === null ? [] : [`models ${models.join(' ')}`]),
    ...(weight === 1 ? [] : [`weight ${weight}`]),
    ...(dataParallelSize === 1 ? [] : [`${dataParallelSize} data-parallel ranks`]),
    ...(binding === null ? [] : [`through binding ${binding}`]),
    ...(apiKey === null ? [] : ['with a key']),
  ].join(', ')
}

function describeModels({ workers, defaultModel }: Config): string {
  const named = [...new Set(workers.flatMap(({ models }) => models ?? []))].sort()
  const isLearned = workers.some(({ models }) => models === null)
  const parts = [...named, ...(isLearned ? ['learned from each worker'] : [])].join(', ')
  return defaultModel === null ? parts : `${parts} (default ${defaultModel})`
}

function describeAccess({ inboundApiKey, allowAnonymous }: Config): string {
  if (inboundApiKey !== null) return 'callers need inbound_api_key'
  return allowAnonymous ? 'open to everyone' : 'no key set; a deployed Worker refuses all requests until one is'
}

function formatTime(milliseconds: number | null): string {
  if (milliseconds === null) return 'off'
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}

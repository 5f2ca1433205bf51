// `vllm-edge-router validate`: reads a configuration, prints everything there is to say about it, sets the exit code.
// Touches nothing itself: files, environment, workers and output come in.

import type { WorkerConfig } from '../config/config.ts'
import type { Finding } from '../config/finding.ts'
import { loadConfig, type LoadResult } from '../config/load.ts'
import { countFindings, formatFindings } from '../config/print.ts'
import type { PolicyRegistry } from '../routing/policy.ts'
import { summaryLines, summaryOf } from './config-summary.ts'
import { type Flags, parseFlags } from './flags.ts'
import { checkOnline, type WorkerAnswers } from './online-checks.ts'

/** What the command needs from the world. */
export interface ValidateContext {
  /** Arguments after `validate`. */
  readonly args: readonly string[]
  /** Text of a file; rejects when it can't be read. */
  readonly readFile: (path: string) => Promise<string>
  /** The built-in policies and those of the modules named. Rejects when one can't be loaded or has no policy. */
  readonly loadPolicies: (modules: readonly string[]) => Promise<PolicyRegistry>
  /** Asks workers what they serve. Never rejects. */
  readonly askWorkers: (workers: readonly WorkerConfig[]) => Promise<WorkerAnswers>
  readonly env: (name: string) => string | undefined
  /** Standard output. */
  readonly write: (text: string) => void
  /** Standard error. */
  readonly writeError: (text: string) => void
}

const HELP = `Usage: vllm-edge-router validate [--config FILE] [--plugin FILE] [--online] [--json]

Checks a configuration file and prints everything that is wrong with it at once.

Options:
  --config FILE  the file to check (default: config.yaml)
  --plugin FILE  module with policies of your own; may be given several times
  --online       also ask the workers what they serve: warns about those that don't answer within two seconds, and
                 about models that nobody serves
  --json         print the result as JSON
  --help         print this text

Exit codes: 0 the file is good, 1 it has errors, 2 the command was used wrongly or a file can't be read.
`

const FLAGS = {
  config: { kind: 'value' },
  plugin: { kind: 'list' },
  online: { kind: 'switch' },
  json: { kind: 'switch' },
  help: { kind: 'switch' },
} as const

/** Runs the command; resolves to its exit code. */
export async function runValidate(context: ValidateContext): Promise<number> {
  const parsed = parseFlags(context.args, FLAGS)
  if (context.args.includes('-h') || (parsed.ok && parsed.flags.has('help'))) {
    context.write(HELP)
    return 0
  }
  if (!parsed.ok) return refuse(context, `${parsed.message}\n\n${HELP}`)
  const { flags } = parsed
  const file = flags.value('config') ?? 'config.yaml'
  const read = await attempt(() => context.readFile(file))
  if (!read.ok) return refuse(context, `can't read ${file}: ${read.reason}\n`)
  const policies = await attempt(() => context.loadPolicies(flags.list('plugin')))
  if (!policies.ok) return refuse(context, `${policies.reason}\n`)
  const loaded = await loadConfig(read.value, { env: context.env, policies: policies.value, source: file })
  const result = await withWorkers(context, flags, loaded)
  context.write(flags.has('json') ? toJson(result, file) : toText(result, file))
  return result.ok ? 0 : 1
}

function refuse({ writeError }: ValidateContext, message: string): number {
  writeError(`vllm-edge-router validate: ${message}`)
  return 2
}

type Attempted<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: string }

async function attempt<Value>(read: () => Promise<Value>): Promise<Attempted<Value>> {
  try {
    return { ok: true, value: await read() }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Adds what only the workers can tell, when that is asked for and there is a configuration to ask them with. */
async function withWorkers(context: ValidateContext, flags: Flags, loaded: LoadResult): Promise<LoadResult> {
  if (!loaded.ok || !flags.has('online')) return loaded
  const { config, places } = loaded
  const problems = checkOnline(config, places, await context.askWorkers(config.workers))
  return { ...loaded, findings: [...loaded.findings, ...loaded.place(problems)] }
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

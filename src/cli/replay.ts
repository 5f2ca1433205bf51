// `vllm-edge-router replay`: the decisions of a log made again under other configurations, and what would have been
// different.

import { loadConfig } from '../config/load.ts'
import { formatFindings } from '../config/print.ts'
import { type FailIf, failIfNames, parseFailIf, whyFailed } from '../replay/fail-if.ts'
import { toHtml } from '../replay/html-report.ts'
import type { NamedConfig } from '../replay/named-config.ts'
import { DEFAULT_PREFIX_CACHE } from '../replay/prefix-cache.ts'
import { Replay } from '../replay/replay.ts'
import type { ReplayOutput } from '../replay/report-schema.ts'
import { GROUP_KEYS, type GroupKey } from '../replay/tally.ts'
import { toText } from '../replay/text-report.ts'
import type { PolicyRegistry } from '../routing/policy.ts'
import { type Flags, parseFlags } from './flags.ts'
import { EXIT, type Host } from './host.ts'
import { loadPolicies } from './plugins.ts'
import { Progress } from './progress.ts'
import { replayRecord } from './replay-record.ts'
import { openReplayFiles } from './replay-files.ts'
import { runReplay } from './replay-run.ts'

const FLAGS = {
  decisions: { kind: 'value' },
  views: { kind: 'value' },
  config: { kind: 'list' },
  against: { kind: 'value' },
  plugin: { kind: 'list' },
  by: { kind: 'value' },
  'fail-if': { kind: 'list' },
  'cache-blocks': { kind: 'value' },
  'block-tokens': { kind: 'value' },
  json: { kind: 'switch' },
  html: { kind: 'value' },
  help: { kind: 'switch' },
} as const

/** What the arguments ask for. */
interface Wanted {
  readonly decisions: string
  readonly views: string | null
  readonly configs: readonly string[]
  readonly against: string | null
  readonly plugins: readonly string[]
  readonly by: GroupKey | null
  readonly failIf: FailIf
  readonly cacheBlocks: number
  readonly blockTokens: number
  readonly isJson: boolean
  readonly html: string | null
}

/** Used wrongly, or something it was given can't be used. */
class UsageError extends Error {}

export async function replay(host: Host, args: readonly string[]): Promise<number> {
  // Another thing of the same name: one request, sent again.
  if (args.some((arg) => /^--record(?:=|$)/.test(arg))) return replayRecord(host, args)
  const parsed = parseFlags(args, FLAGS)
  if (args.includes('-h') || (parsed.ok && parsed.flags.has('help'))) {
    host.writeOut(help())
    return EXIT.good
  }
  if (!parsed.ok) return refuse(host, `${parsed.message}\n\n${help()}`)
  try {
    return await run(host, toWanted(parsed.flags))
  } catch (error) {
    return refuse(host, `${error instanceof Error ? error.message : String(error)}\n`)
  }
}

function refuse({ writeError }: Host, message: string): number {
  writeError(`vllm-edge-router replay: ${message}`)
  return EXIT.usage
}

async function run(host: Host, wanted: Wanted): Promise<number> {
  const policies = await loadPolicies(host, wanted.plugins)
  const load = (path: string) => loadNamed(host, path, policies)
  const configs = await Promise.all(wanted.configs.map(load))
  const against = wanted.against === null ? null : await load(wanted.against)
  const files = await openReplayFiles(host, wanted.decisions, wanted.views)
  const progress = new Progress({
    isShown: host.isErrorTerminal,
    totalBytes: files.bytes,
    now: () => Date.now(),
    write: host.writeError,
  })
  const { by, cacheBlocks, blockTokens } = wanted
  const decided = new Replay({ configs, against, by, prefixCache: { cacheBlocks, blockTokens } })
  const output = await runReplay({
    files,
    replay: decided,
    onProgress: (bytes, records) => progress.update(bytes, records),
  }).finally(() => progress.clear())
  if (wanted.html !== null) await host.logFiles.replace(wanted.html, new TextEncoder().encode(toHtml(output)))
  host.writeOut(wanted.isJson ? `${JSON.stringify(output, null, 2)}\n` : toText(output))
  return judge(host, wanted.failIf, output)
}

/** Says which conditions are met; a configuration is enough. */
function judge({ writeError }: Host, failIf: FailIf, output: ReplayOutput): number {
  if (failIf.length === 0) return EXIT.good
  const reports = 'reports' in output ? output.reports : [output]
  const failures = reports.flatMap((report) => {
    const why = whyFailed(failIf, report, output.lines)
    return why === null ? [] : [`${report.configuration.name}: ${why}`]
  })
  for (const failure of failures) writeError(`vllm-edge-router replay: failed: ${failure}\n`)
  return failures.length === 0 ? EXIT.good : EXIT.finding
}

async function loadNamed(host: Host, path: string, policies: PolicyRegistry): Promise<NamedConfig> {
  const text = await host.readFile(path)
  const loaded = await loadConfig(text, { env: (name) => host.env(name), policies, source: path })
  if (loaded.ok) return { name: path, config: loaded.config }
  throw new UsageError(`${path} can not be used\n${formatFindings(loaded.findings, path).trimEnd()}`)
}

function toWanted(flags: Flags): Wanted {
  const decisions = flags.value('decisions')
  const configs = flags.list('config')
  if (decisions === null) throw new UsageError('--decisions is missing: a file, a directory, or - for standard input')
  if (configs.length === 0) throw new UsageError('--config is missing: the configuration to decide under')
  return {
    decisions,
    configs,
    views: flags.value('views'),
    against: flags.value('against'),
    plugins: flags.list('plugin'),
    by: toGroupKey(flags.value('by')),
    failIf: flags.list('fail-if').flatMap(toFailIf),
    cacheBlocks: toCount(flags, 'cache-blocks', DEFAULT_PREFIX_CACHE.cacheBlocks),
    blockTokens: toCount(flags, 'block-tokens', DEFAULT_PREFIX_CACHE.blockTokens),
    isJson: flags.has('json'),
    html: flags.value('html'),
  }
}

function toGroupKey(value: string | null): GroupKey | null {
  const key = GROUP_KEYS.find((known) => known === value)
  if (value !== null && key === undefined) throw new UsageError(`--by takes ${GROUP_KEYS.join(', ')}; got ${value}`)
  return key ?? null
}

function toFailIf(text: string): FailIf {
  const parsed = parseFailIf(text)
  if (!parsed.ok) throw new UsageError(`--fail-if: ${parsed.message}`)
  return parsed.condition
}

function toCount(flags: Flags, name: keyof typeof FLAGS, otherwise: number): number {
  const value = flags.value(name) ?? String(otherwise)
  if (!/^\d{1,9}$/.test(value) || Number(value) === 0) throw new UsageError(`--${name} takes a whole number from 1`)
  return Number(value)
}

function help(): string {
  const names = failIfNames().map(({ name, about }) => `                     ${name.padEnd(15)} ${about}`)
  return `Usage: vllm-edge-router replay --decisions FILE|DIR|- --config FILE [--config FILE ...] [options]
       vllm-edge-router replay --record ID --to URL [options], which sends one request again; see --record ID --help

Makes every decision of a decision log again under another configuration, and says what would have been different.

Options:
  --decisions FROM  a file of an exported log, a directory with all its files, or - for standard input
  --config FILE     the configuration to decide under; several are compared side by side
  --against FILE    compare with what this configuration decides, not with what was recorded
  --views DIR       where the view documents are, when not beside the log
  --plugin FILE     module with policies of your own; may be given several times
  --by KEY          also count by ${GROUP_KEYS.join(', ')}
  --fail-if WHEN    exit with 1 when a condition is met, such as 'moved>0.2 or refused>0'; values:
${names.join('\n')}
  --cache-blocks N  blocks that the cache of a worker holds, for records with prefix hashes (default ${DEFAULT_PREFIX_CACHE.cacheBlocks})
  --block-tokens N  tokens in a block (default ${DEFAULT_PREFIX_CACHE.blockTokens})
  --json            print the report as JSON (docs/replay-report.schema.json)
  --html FILE       also write it as a page
  --help            print this text

Exit codes: 0 done, 1 a condition of --fail-if is met, 2 wrong usage, or something that can't be read.
`
}

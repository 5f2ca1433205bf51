// What can be measured of ours: the bare pass-through and the router, each on four runtimes. Peers are in peers.ts.

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BEARER } from './loads.ts'
import { freePort, type Running, startServerProcess } from './processes.ts'
import { HOOK_PATH, MODEL } from './upstream/answers.ts'

export const RUNTIMES = ['workerd', 'node', 'bun', 'deno'] as const

export type RuntimeName = (typeof RUNTIMES)[number]

/** `router` as it is by default; `everything` with hooks, rules, a tenant, the decision log's export and traces. */
export const KINDS = ['pass-through', 'router', 'everything'] as const

export type Kind = (typeof KINDS)[number]

export interface Target extends Running {
  /** Unique in a run: `node router`. */
  readonly name: string
  readonly port: number
  /** Header lines it wants beyond what a client of OpenAI's API sends. */
  readonly headers: readonly string[]
  /** Whether it may write answers anew, so that their length says nothing. */
  readonly rewritesAnswers: boolean
}

export interface TargetOptions {
  readonly runtime: RuntimeName
  /** Ports of the upstream; each is a worker of the router's, the first is the pass-through's only one. */
  readonly upstreamPorts: readonly number[]
  /** Folder for CPU profiles of the router where the runtime writes them; null for none. */
  readonly profileDirectory: string | null
  /** YAML lines added to the router's configuration, to see what a feature costs. */
  readonly extraConfig: string
  /** YAML that names the workers, in place of a plain list of them. */
  readonly workersYaml?: string
}

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** As `runtime/run-under.ts` starts it. */
const DENO_ARGS = [
  'run',
  '--allow-all',
  '--no-prompt',
  '--quiet',
  '--node-modules-dir=manual',
  '--unstable-no-legacy-abort',
]

export const PLAIN = { headers: [], rewritesAnswers: false } as const

export function startTarget(kind: Kind, options: TargetOptions): Promise<Target> {
  switch (kind) {
    case 'pass-through':
      return startPassThrough(options)
    case 'router':
      return startRouter(kind, options, () => '')
    case 'everything':
      return startRouter(kind, options, (directory) => everythingOn(options, directory))
  }
}

/** The router as `serve` runs it: its workers, all defaults on, the log at `info`, and what is given besides. */
async function startRouter(
  kind: Kind,
  options: TargetOptions,
  besides: (directory: string) => string,
): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-bench-'))
  const config = join(directory, 'config.yaml')
  const urls = options.upstreamPorts.map((port) => `http://127.0.0.1:${port}`)
  const workers = options.workersYaml ?? `mode: { type: regular, worker_urls: ${JSON.stringify(urls)} }`
  writeFileSync(config, `${workers}\n${besides(directory)}\n${options.extraConfig}\n`)
  const port = await freePort()
  const args = [file('../bin/vllm-edge-router.js'), 'serve', '--config', config, '--port', String(port)]
  const { program, leading } = launcher(options.runtime, options.profileDirectory)
  // The pass-through has no relay in front either.
  const trailing = options.runtime === 'workerd' ? ['--runtime', 'workerd', '--direct'] : []
  const remove = () => rmSync(directory, { recursive: true, force: true })
  try {
    const all = [...leading, ...args, ...trailing]
    const running = await startServerProcess({ program, args: all, port, readyPath: '/readiness' })
    const stop = () => running.stop().finally(remove)
    return { ...PLAIN, ...running, stop, name: `${options.runtime} ${kind}`, port }
  } catch (error) {
    remove()
    throw error
  }
}

/** A hook that sees the body, model rules, a tenant with limits, the decision log's export, and traces of one in a hundred. */
function everythingOn({ runtime, upstreamPorts: [port] }: TargetOptions, directory: string): string {
  const beside = `http://127.0.0.1:${port}`
  // On workerd it is what the keys of a bucket begin with.
  const exportPath = runtime === 'workerd' ? 'decisions' : join(directory, 'decisions.jsonl')
  const limits = { rate_limit_rps: 1_000_000, max_concurrent: 10_000, tokens_per_minute: 1_000_000_000 }
  return [
    `pre_routing_hooks: [{ name: bench, url: "${beside}${HOOK_PATH}", on_error: block, timeout_ms: 10000 }]`,
    `model_rules: [{ match: "gpt-*", rewrite: ${MODEL} }, { match: "bench/*", fallback: [${MODEL}] }]`,
    `api_keys: [${JSON.stringify({ name: 'bench', key_sha256: createHash('sha256').update(BEARER).digest('hex'), ...limits })}]`,
    `decision_log: { export_path: ${JSON.stringify(exportPath)}, fsync: never, retention_bytes: 100MiB }`,
    `trace_config: { otlp_traces_endpoint: "${beside}/v1/traces", sampling_ratio: 0.01, export_errors: true }`,
  ].join('\n')
}

/** The least code that passes requests on by fetch: what the runtime costs without a router. */
async function startPassThrough({ runtime, upstreamPorts }: TargetOptions): Promise<Target> {
  const port = await freePort()
  const { program, leading } = launcher(runtime, null)
  const running = await startServerProcess({
    program,
    args: [...leading, file(`pass-through/${runtime}.js`), String(port), `http://127.0.0.1:${upstreamPorts[0]}`],
    port,
    readyPath: '/v1/models',
  })
  return { ...PLAIN, ...running, name: `${runtime} pass-through`, port }
}

/** Started under its own runtime at once, without the launcher's detour through Node, so that a profiler can watch. */
export function launcher(
  runtime: RuntimeName,
  profileDirectory: string | null,
): { readonly program: string; readonly leading: readonly string[] } {
  const profile = profileDirectory === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`]
  switch (runtime) {
    case 'node':
      return { program: process.execPath, leading: profile }
    // Miniflare runs in Node; what is worth a look happens in workerd, which this flag can't see.
    case 'workerd':
      return { program: process.execPath, leading: [] }
    case 'bun':
      return { program: file('../node_modules/.bin/bun'), leading: profile }
    case 'deno':
      return { program: file('../node_modules/.bin/deno'), leading: DENO_ARGS }
  }
}

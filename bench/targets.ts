// What can be measured: the router and the bare pass-through, each on four runtimes. A new rival is one function here.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, type Running, startServerProcess } from './processes.ts'

export const RUNTIMES = ['workerd', 'node', 'bun', 'deno'] as const

export type RuntimeName = (typeof RUNTIMES)[number]

export interface Target extends Running {
  readonly name: string
  readonly port: number
}

export interface TargetOptions {
  readonly runtime: RuntimeName
  /** Ports of the upstream; each is a worker of the router's, the first is the pass-through's only one. */
  readonly upstreamPorts: readonly number[]
  /** Folder for CPU profiles of the router where the runtime writes them; null for none. */
  readonly profileDirectory: string | null
  /** YAML lines added to the router's configuration, to see what a feature costs. */
  readonly extraConfig: string
}

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const DENO_ARGS = ['run', '--allow-all', '--no-prompt', '--quiet', '--node-modules-dir=manual']

/** The router as `serve` runs it, with nothing configured but its workers: all defaults on, the log at `info`. */
export async function startRouter(options: TargetOptions): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-bench-'))
  const config = join(directory, 'config.yaml')
  const urls = options.upstreamPorts.map((port) => `http://127.0.0.1:${port}`)
  writeFileSync(config, `mode: { type: regular, worker_urls: ${JSON.stringify(urls)} }\n${options.extraConfig}\n`)
  const port = await freePort()
  const args = [file('../bin/vllm-edge-router.js'), 'serve', '--config', config, '--port', String(port)]
  const { program, leading } = launcher(options.runtime, options.profileDirectory)
  // The pass-through has no relay in front either.
  const trailing = options.runtime === 'workerd' ? ['--runtime', 'workerd', '--direct'] : []
  try {
    const running = await startServerProcess({
      program,
      args: [...leading, ...args, ...trailing],
      port,
      readyPath: '/readiness',
    })
    return { ...running, name: 'router', port }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The least code that passes requests on by fetch: what the runtime costs without a router. */
export async function startPassThrough({ runtime, upstreamPorts }: TargetOptions): Promise<Target> {
  const port = await freePort()
  const { program, leading } = launcher(runtime, null)
  const running = await startServerProcess({
    program,
    args: [...leading, file(`pass-through/${runtime}.js`), String(port), `http://127.0.0.1:${upstreamPorts[0]}`],
    port,
    readyPath: '/v1/models',
  })
  return { ...running, name: 'pass-through', port }
}

/** Started under its own runtime at once, without the launcher's detour through Node, so that a profiler can watch. */
function launcher(runtime: RuntimeName, profileDirectory: string | null): { program: string; leading: string[] } {
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

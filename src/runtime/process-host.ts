// What the command line needs, from node: modules that Node, Bun and Deno all have.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Host } from '../cli/host.ts'
import { toEntry } from '../observe/log/entry.ts'
import { toJsonLine } from '../observe/log/entry-text.ts'
import type { ServerRuntime } from '../server.ts'
import { findFiles } from './find-files.ts'
import { importPlugin } from './import-plugin.ts'
import { openStandardOutput } from './line-writer.ts'
import { createLogFiles } from './node-log-files.ts'
import { connectRedis } from './redis-client.ts'
import { openReplayStore, PROCESS_REPLAYS } from './process-replays.ts'
import { openSocketCommands } from './socket-redis.ts'
import { runUnder } from './run-under.ts'
import { codeOf, createTextFiles } from './text-files.ts'

export function createProcessHost(): Host {
  const runtime = 'Bun' in globalThis ? 'bun' : 'Deno' in globalThis ? 'deno' : 'node'
  const lines = openStandardOutput((lost) => toJsonLine(toEntry(Date.now(), 'warn', 'log_lost', { lines: lost })))
  return {
    args: process.argv.slice(2),
    runtime,
    loadServerRuntime: () => loadServerRuntime(runtime),
    env: (name) => process.env[name],
    async readFile(path) {
      try {
        return await readFile(path, 'utf8')
      } catch (cause) {
        throw new Error(`cannot read ${path} (${codeOf(cause)})`, { cause })
      }
    },
    files: createTextFiles(),
    connectRedis,
    openRedis: openSocketCommands,
    logFiles: createLogFiles(),
    replayPlatform: PROCESS_REPLAYS,
    openReplayStore,
    findFiles,
    standardInput: () => process.stdin,
    outTerminal: process.stdout.isTTY ? { columns: process.stdout.columns } : null,
    isErrorTerminal: process.stderr.isTTY,
    async fetch(url, init) {
      try {
        return await fetch(url, init)
      } catch (cause) {
        throw new Error(`cannot reach ${new URL(url).host} (${whyUnreachable(cause)})`, { cause })
      }
    },
    importModule: importPlugin,
    absolutePath: (path) => resolve(path),
    writeOut: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    writeLine: (line) => lines.write(line),
    flushLines: () => lines.flush(),
    runUnder,
    // Loaded when asked for: an installed package has Miniflare and the simulator's server only where they are used.
    startWorkerd: async (options) => (await import('./workerd-process.ts')).startWorkerd(options),
    startSimulatedWorker: async (options) => (await import('./node-simulator.ts')).startSimulatedWorker(options),
    startSimulatedController: async (options) =>
      (await import('./node-simulator.ts')).startSimulatedController(options),
    onReloadAsked(reload) {
      // A terminal that is closed sends the same signal, and then there is nobody left to reload for.
      if (!isInTerminal()) process.on('SIGHUP', reload)
    },
    async untilAsked() {
      await new Promise<void>((asked) => {
        const signals = isInTerminal() ? (['SIGTERM', 'SIGINT', 'SIGHUP'] as const) : (['SIGTERM', 'SIGINT'] as const)
        for (const signal of signals) process.once(signal, () => asked())
        // npm keeps a shell between itself and us, and a signal to npm ends the shell alone: take that for the signal.
        if (process.env['npm_command'] !== undefined) watchParent(asked)
      })
      // From here on a second signal ends the process at once, as an operator in a hurry expects.
    },
  }
}

/** Each runtime's file is loaded on that runtime alone; the others would not even parse their globals. */
async function loadServerRuntime(runtime: Host['runtime']): Promise<ServerRuntime> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  // A name that is made here, so that no bundler puts every file of this folder into the package.
  const file = `./${runtime}.${extension}`
  const module: { serverRuntime(): ServerRuntime } = await import(file)
  return module.serverRuntime()
}

/** Node has the reason in the cause of the error, Bun in the error itself, and Deno in neither. */
function whyUnreachable(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time'
  return codeOf(error instanceof Error && error.cause instanceof Error ? error.cause : error)
}

function isInTerminal(): boolean {
  return process.stdin.isTTY || process.stdout.isTTY
}

/** Calls `gone` once the process that started this one has ended. */
function watchParent(gone: () => void): void {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) gone()
  }, 250).unref()
}

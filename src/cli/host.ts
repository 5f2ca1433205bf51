// What the command line needs of the machine it runs on. `runtime/` fulfils it; commands know no file system.

import type { CacheRedisConfig } from '../config/cache-redis-schema.ts'
import type { RedisConfig } from '../config/config.ts'
import type { ReplayStoreConfig } from '../config/config.ts'
import type { ReplayPlatform } from '../config/router-replay-checks.ts'
import type { RunningServer, ServerRuntime } from '../server.ts'
import type { SimulatedControllerOptions } from '../simulator/lmcache/controller-options.ts'
import type { SimulatedWorkerOptions } from '../simulator/options.ts'
import type { TextFiles } from '../store/config-file.ts'
import type { LogFiles } from '../store/log-files.ts'
import type { ReplayStore } from '../store/replay-store.ts'
import type { RedisCommands } from '../store/redis-commands.ts'
import type { RedisLink } from '../store/redis-link.ts'

export type RuntimeName = 'workerd' | 'node' | 'bun' | 'deno'

export const RUNTIME_NAMES: readonly RuntimeName[] = ['workerd', 'node', 'bun', 'deno']

/** A router that runs in workerd, beside this process. */
export interface WorkerdServer {
  readonly url: string
  stop(): Promise<void>
}

export interface StartWorkerdOptions {
  readonly host: string
  readonly port: number
  /** The configuration as text, and the variables it refers to. */
  readonly configText: string
  readonly variables: Readonly<Record<string, string>>
  /** True to reach workerd's own socket, which does not notice a client that leaves before it is answered. */
  readonly isDirect: boolean
  /** Files with policies to bundle into the Worker, as absolute paths. */
  readonly plugins: readonly string[]
  /** Takes each line that the Worker and its objects log. */
  writeLine(line: string): void
  /** What Router Replay needs beside the Worker: a client to bundle, and databases by the names of their bindings. */
  readonly replays?: {
    readonly client: 'redis' | 'postgres' | null
    readonly hyperdrives: Readonly<Record<string, string>>
  }
}

export interface Host {
  /** Arguments after the program's name. */
  readonly args: readonly string[]
  /** The runtime this process is. */
  readonly runtime: Exclude<RuntimeName, 'workerd'>
  /** What only commands need that listen, or ask workers. */
  loadServerRuntime(): Promise<ServerRuntime>
  env(name: string): string | undefined
  /** The text of a file; rejects with a readable message when it can't be read. */
  readFile(path: string): Promise<string>
  /** Files that are read again and rewritten while a command runs. */
  readonly files: TextFiles
  /** A connection to Redis, which goes on by itself where there is none yet. */
  connectRedis(config: RedisConfig): Promise<RedisLink>
  /** One that caches are in. */
  openRedis(config: CacheRedisConfig): RedisCommands
  /** Files that the decision log is exported to. */
  readonly logFiles: LogFiles
  /** Every file below a directory, with the path that leads to it; null for what is no directory. */
  findFiles(path: string): Promise<readonly string[] | null>
  /** What is piped into the command. */
  standardInput(): AsyncIterable<Uint8Array>
  /** Whether somebody sees what goes to standard output as it is written, and over how many columns. */
  readonly outTerminal: { readonly columns: number } | null
  /** Whether somebody sees what goes to standard error as it is written. */
  readonly isErrorTerminal: boolean
  /** Asks a server; rejects with a readable message when it can't be reached. */
  fetch(url: string, init: RequestInit): Promise<Response>
  /** Where Router Replay can keep records when this process serves, and the way there. */
  readonly replayPlatform: ReplayPlatform
  openReplayStore(config: ReplayStoreConfig): ReplayStore
  /** Loads a module of the operator's. */
  importModule(path: string): Promise<Readonly<Record<string, unknown>>>
  absolutePath(path: string): string
  writeOut(text: string): void
  writeError(text: string): void
  /** One line of the log; cheap enough for every request, and never waits for whoever reads it. */
  writeLine(line: string): void
  /** Resolves when these are written, or can't be for now. */
  flushLines(): Promise<void>
  /** Runs this same command line under another runtime, in place of this process. Resolves with its exit code. */
  runUnder(runtime: Exclude<RuntimeName, 'workerd'>, args: readonly string[]): Promise<number>
  startWorkerd(options: StartWorkerdOptions): Promise<WorkerdServer>
  startSimulatedWorker(options: SimulatedWorkerOptions): Promise<{ readonly url: string; close(): Promise<void> }>
  startSimulatedController(
    options: SimulatedControllerOptions,
  ): Promise<{ readonly url: string; close(): Promise<void> }>
  /** Calls `reload` whenever the process is asked to load its configuration anew (SIGHUP outside of a terminal). */
  onReloadAsked(reload: () => void): void
  /** Resolves when the process is asked to end (SIGTERM, SIGINT; in a terminal also SIGHUP). */
  untilAsked(): Promise<void>
}

export type { RunningServer }

/** Exit codes of every command. */
export const EXIT = { good: 0, finding: 1, usage: 2 } as const

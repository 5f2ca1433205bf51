// The Worker in workerd on this machine, by Miniflare: local Durable Objects, KV and R2. Requests reach the Worker
// through a socket of its own; Miniflare's front layer would compress answers.

import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { StartWorkerdOptions, WorkerdServer } from '../cli/host.ts'
import { REPLAY_STORE_MODULES } from './replay-store-modules.ts'
import { startLeaveRelay } from './leave-relay.ts'
import { networkBinding } from './workerd-network.ts'

/** As in wrangler.toml; a test compares them. */
export const COMPATIBILITY_DATE = '2026-10-01'
export const COMPATIBILITY_FLAGS: readonly string[] = ['enable_request_signal']

/** Whose client the Worker has to bring. */
type ReplayClient = keyof typeof REPLAY_STORE_MODULES

const WORKER_NAME = 'vllm-edge-router'

const LOOPBACK = '127.0.0.1'

/** The Worker gathers lines of its log for a moment; those of its last requests are still to come when it stops. */
const LAST_LINES_MS = 50

export async function startWorkerd(options: StartWorkerdOptions): Promise<WorkerdServer> {
  const { convertV4MiniflareOptions, Miniflare } = await importOptional<typeof import('miniflare')>('miniflare')
  const { client = null, hyperdrives = {} } = options.replays ?? {}
  const contents = await bundleWorker(options.plugins, client)
  const port = options.port === 0 ? await freePort(options.host) : options.port
  await refuseTakenPort(options.host, port)
  const socket = options.isDirect ? { host: options.host, port } : { host: LOOPBACK, port: await freePort(LOOPBACK) }
  const ownListeners = new Set(signalListeners())
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: WORKER_NAME,
      modules: [{ type: 'ESModule', path: 'worker.js', contents }],
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: client === 'postgres' ? [...COMPATIBILITY_FLAGS, 'nodejs_compat'] : [...COMPATIBILITY_FLAGS],
      bindings: {
        ...options.variables,
        ROUTER_CONFIG: options.configText,
        ROUTER_SERVE: 'local',
        ROUTER_HOST: options.host,
      },
      durableObjects: {
        FLEET: { className: 'Fleet', useSQLite: true },
        TENANTS: { className: 'TenantLimits', useSQLite: true },
        DECISION_LOG: { className: 'DecisionLog', useSQLite: true },
        REPLAY_LOG: { className: 'ReplayLog', useSQLite: true },
      },
      serviceBindings: { ROUTER_OUTBOUND: networkBinding() },
      kvNamespaces: ['CONFIG', 'RESPONSE_CACHE'],
      r2Buckets: ['DECISIONS'],
      hyperdrives: { ...hyperdrives },
      unsafeDirectSockets: [socket],
      handleStructuredLogs: ({ level, message }) => {
        // Entries of the log, one or several; the rest is what workerd has to say of itself.
        if (message.startsWith('{"time":')) for (const line of message.split('\n')) options.writeLine(line)
        else (level === 'error' || level === 'warn' ? process.stderr : process.stdout).write(`${message}\n`)
      },
    }),
  )
  await miniflare.ready
  takeSignalsBack(ownListeners)
  const relay = options.isDirect ? null : await startLeaveRelay({ ...options, port, targetPort: socket.port })
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `http://${host}:${port}`,
    async stop() {
      await relay?.close()
      await new Promise((resolve) => setTimeout(resolve, LAST_LINES_MS))
      await miniflare.dispose()
    },
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

function signalListeners(): readonly NodeJS.SignalsListener[] {
  return SIGNALS.flatMap((signal) => process.listeners(signal))
}

/** Miniflare ends this process on a signal as if it had been killed, before `serve` could end it in order. */
function takeSignalsBack(own: ReadonlySet<NodeJS.SignalsListener>): void {
  for (const listener of signalListeners()) {
    if (!own.has(listener)) for (const signal of SIGNALS) process.off(signal, listener)
  }
}

/** The Worker as one module: built ahead in an installed package, bundled now in a checkout or with plugins. */
async function bundleWorker(plugins: readonly string[], client: ReplayClient | null): Promise<string> {
  const source = fileURLToPath(new URL('./cloudflare.ts', import.meta.url))
  const isCheckout = existsSync(source)
  const built = fileURLToPath(new URL('./cloudflare-local.js', import.meta.url))
  if (!isCheckout && plugins.length === 0 && client === null) {
    const { readFile } = await import('node:fs/promises')
    return readFile(built, 'utf8')
  }
  const { build, stop } = await importOptional<typeof import('esbuild')>('esbuild')
  const worker = isCheckout ? source : fileURLToPath(new URL('./cloudflare.js', import.meta.url))
  const result = await build({
    stdin: {
      contents: entryFor(worker, plugins, client),
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
      loader: 'js',
    },
    bundle: true,
    format: 'esm',
    target: 'es2023',
    conditions: ['workerd', 'worker'],
    external: ['cloudflare:workers', 'cloudflare:sockets', 'node:*'],
    // A plugin that imports the package gets the very router it is bundled with.
    alias: { 'vllm-edge-router': fileURLToPath(new URL(isCheckout ? '../index.ts' : '../index.js', import.meta.url)) },
    nodePaths: [fileURLToPath(new URL('../../node_modules', import.meta.url))],
    write: false,
    logLevel: 'silent',
  })
  // Its helper process would outlive the work.
  await stop()
  return result.outputFiles[0]?.text ?? ''
}

/** The source of an entry that registers what the plugins export. The configuration comes as a variable. */
export function entryFor(workerModule: string, plugins: readonly string[], client: ReplayClient | null = null): string {
  const brought = client === null ? null : REPLAY_STORE_MODULES[client]
  const replays =
    brought === null
      ? []
      : [
          `import { ${brought.name} } from ${JSON.stringify(workerModule.replace(/cloudflare(?=\.[jt]s$)/, brought.module))}`,
        ]
  const imports = plugins.map((path, index) => `import * as plugin${index} from ${JSON.stringify(path)}`)
  const modules = plugins.map((_, index) => `plugin${index}`).join(', ')
  return [
    ...imports,
    ...replays,
    `import { createWorker, policiesOf } from ${JSON.stringify(workerModule)}`,
    `const worker = createWorker({ config: '', policies: policiesOf([${modules}]), replayStores: [${brought?.name ?? ''}] })`,
    'export default worker.handler',
    'export const Fleet = worker.Fleet',
    'export const TenantLimits = worker.TenantLimits',
    'export const DecisionLog = worker.DecisionLog',
    'export const ReplayLog = worker.ReplayLog',
    '',
  ].join('\n')
}

async function importOptional<Module>(name: string): Promise<Module> {
  try {
    return await import(name)
  } catch (cause) {
    throw new Error(`serving in workerd needs the package ${name}: npm install --save-dev ${name}`, { cause })
  }
}

function freePort(host: string): Promise<number> {
  return listenOnce(host, 0)
}

/** workerd retries a taken port for a while and then says little; ask for it first. */
async function refuseTakenPort(host: string, port: number): Promise<void> {
  await listenOnce(host, port)
}

function listenOnce(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })
}

// Several isolates of one router in one workerd: Workers of their own, each with its own memory, over the same objects.
// Cloudflare starts as many as it likes; `serve --runtime workerd` has one.

import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare, type RemoteProxyConnectionString } from 'miniflare'
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, entryFor } from '../../src/runtime/workerd-process.ts'
import { freePort } from './launch.ts'

const SOURCE = fileURLToPath(new URL('../../src/runtime/cloudflare.ts', import.meta.url))
const FOLDER = fileURLToPath(new URL('../../src/runtime/', import.meta.url))
const HOST = '127.0.0.1'

/** The Worker whose objects all of them share. */
const KEEPER = 'router-0'

export interface WorkerdIsolates {
  /** Address of each isolate. */
  readonly urls: readonly string[]
  stop(): Promise<void>
}

export interface IsolateOptions {
  /** Where what the binding `AI` sends to Cloudflare goes; there is no such binding without it. */
  readonly models?: string
}

export async function startIsolates(
  count: number,
  configText: string,
  { models }: IsolateOptions = {},
): Promise<WorkerdIsolates> {
  // As `wrangler dev` runs it: workerd's own client for models, whose requests are passed to an address.
  const ai = models === undefined ? {} : { ai: { binding: 'AI', remoteProxyConnectionString: toPassing(models) } }
  const contents = await bundle()
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  const workers = ports.map((port, at) => ({
    name: `router-${at}`,
    modules: [{ type: 'ESModule' as const, path: 'worker.js', contents }],
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: [...COMPATIBILITY_FLAGS],
    bindings: { ROUTER_CONFIG: configText, ROUTER_SERVE: 'local', ROUTER_HOST: HOST },
    durableObjects: {
      FLEET: { className: 'Fleet', useSQLite: true, ...(at === 0 ? {} : { scriptName: KEEPER }) },
      TENANTS: { className: 'TenantLimits', useSQLite: true, ...(at === 0 ? {} : { scriptName: KEEPER }) },
    },
    unsafeDirectSockets: [{ host: HOST, port }],
    ...ai,
  }))
  const miniflare = new Miniflare(convertV4MiniflareOptions({ workers, handleStructuredLogs: () => {} }))
  await miniflare.ready
  return { urls: ports.map((port) => `http://${HOST}:${port}`), stop: () => miniflare.dispose() }
}

/** Wrangler's addresses carry a mark of their type. */
function toPassing(address: string): RemoteProxyConnectionString {
  return new URL(address) as RemoteProxyConnectionString
}

async function bundle(): Promise<string> {
  const result = await build({
    stdin: { contents: entryFor(SOURCE, []), resolveDir: FOLDER, loader: 'js' },
    bundle: true,
    format: 'esm',
    target: 'es2023',
    conditions: ['workerd', 'worker'],
    external: ['cloudflare:workers'],
    write: false,
    logLevel: 'silent',
  })
  return result.outputFiles[0]?.text ?? ''
}

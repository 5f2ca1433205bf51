// What the deployed Worker weighs, and which part of that is the core: `node scripts/bundle-parts.ts` prints a table.
// A part's weight is what the bundle loses when its modules are left out, so parts that share code don't count it.

import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * What nothing needs that is not configured: stores, exporters, caches, and what asks other services before a decision.
 * By the paths of their modules below src/.
 */
const OPTIONAL_PARTS: Readonly<Record<string, RegExp>> = {
  'signals and decision rules':
    /^(routing\/(signals\/|decision-rules)|config\/(signal|server-signal|decision)|pipeline\/(decide-model|decided|decision-edits|read-signals|request-view|signal-servers|label-sources)|explain\/decision-tree|upstream\/(labels|label-answer|json-service))/,
  'semantic clusters and embeddings':
    /^(routing\/semantic-cluster|config\/(semantic-cluster|embedding-server)|pipeline\/(cluster-|request-embedding|vector-keeper)|upstream\/(embed|reference-vectors|kept-vectors|vector-text|bounded-cache)|store\/(durable-)?vector|runtime\/cloudflare-vector)/,
  'response caches':
    /^(cache\/(response|semantic|cache-use|canonical|purge|single|stored-text)|config\/response-cache|pipeline\/(answer-from-cache|answer-keeper|cacheable|join-others|open-response|response-cache|semantic-|cache-calls)|routes\/admin\/purge)/,
  'LMCache and token cache':
    /^(upstream\/(lmcache|tokenize)|pipeline\/(lmcache|token-cache|token-prompt)|cache\/(token|template|message-prefixes|stored-tokens)|routing\/policies\/lmcache|store\/lmcache|config\/(prompt-cache|cache-redis))/,
  'Redis over HTTP': /^upstream\/(open-redis|upstash-redis)/,
  'shared prefixes': /^(store\/(told-prefixes|.*prefix-hint)|pipeline\/shared-prefixes|config\/shared-prefix)/,
  traces: /^(tracing\/(request-trace|sampling|span-names)|observe\/otlp|config\/trace-|pipeline\/tracing)/,
  metrics:
    /^(observe\/(metrics|otlp\/(metrics-|post-metrics))|routes\/admin\/metrics|config\/metrics-|store\/(durable-)?fleet-counts|runtime\/cloudflare-fleet-counts)/,
  'replay of logs': /^(replay\/|routes\/admin\/replay)/,
  'Router Replay':
    /^(capture\/|store\/replay-|store\/durable-replay|runtime\/cloudflare-replay|routes\/admin\/router-replay|config\/router-replay)/,
}

export interface BundleWeight {
  /** All that is deployed, minified and compressed. */
  readonly wholeKib: number
  /** The same without optional parts. */
  readonly coreKib: number
  readonly parts: Readonly<Record<string, number>>
}

export async function weighBundle(): Promise<BundleWeight> {
  const wholeKib = await weigh([])
  const parts: Record<string, number> = {}
  for (const [name, modules] of Object.entries(OPTIONAL_PARTS)) parts[name] = wholeKib - (await weigh([modules]))
  return { wholeKib, coreKib: await weigh(Object.values(OPTIONAL_PARTS)), parts }
}

async function weigh(without: readonly RegExp[]): Promise<number> {
  const left = new Set<string>()
  const { outputFiles } = await build({
    entryPoints: [`${root}src/runtime/cloudflare-entry.ts`],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    loader: { '.yaml': 'text' },
    plugins: [leaveOut(without, left)],
    logLevel: 'error',
  })
  if (without.some((modules) => ![...left].some((path) => modules.test(path)))) {
    throw new Error(`no module is ${without.map(String).join(' or ')}; mend the list of parts`)
  }
  return gzipSync(outputFiles[0]?.contents ?? '').length / 1024
}

function leaveOut(without: readonly RegExp[], left: Set<string>): Plugin {
  return {
    name: 'leave-out',
    setup({ onResolve }) {
      if (without.length === 0) return
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const module = fileURLToPath(new URL(path, `file://${resolveDir}/`)).slice(`${root}src/`.length)
        if (!without.some((modules) => modules.test(module))) return null
        left.add(module)
        return { path: module, external: true }
      })
    },
  }
}

if (import.meta.main) {
  const { wholeKib, coreKib, parts } = await weighBundle()
  const line = (name: string, kib: number) => `${name.padEnd(36)}${kib.toFixed(1).padStart(8)} KiB`
  const lines = [line('whole Worker', wholeKib), line('core', coreKib), '']
  process.stdout.write([...lines, ...Object.entries(parts).map(([name, kib]) => line(name, kib)), ''].join('\n'))
}

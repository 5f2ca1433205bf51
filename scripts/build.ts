// `npm run build`: what the package ships in dist/: its entries bundled, their types, and the Worker as one module for
// `serve --runtime workerd`.

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import { entryFor } from '../src/runtime/workerd-process.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What package.json exports, the command line, and the server of each runtime, which the command line loads by its name. */
const ENTRIES = [
  'index',
  'runtime/main',
  'runtime/node',
  'runtime/bun',
  'runtime/deno',
  'runtime/cloudflare',
  'runtime/cloudflare-redis',
  'runtime/cloudflare-postgres',
]

const common: BuildOptions = { bundle: true, format: 'esm', target: 'es2023', logLevel: 'warning' }

rmSync(`${root}dist`, { recursive: true, force: true })
const declared = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (declared.status !== 0) process.exit(declared.status ?? 1)

// A start reads a dozen files in the place of hundreds, which are half of its time. Dependencies stay what npm installed:
// a fix of theirs must reach the router without a release of ours.
await build({
  ...common,
  entryPoints: ENTRIES.map((name) => `${root}src/${name}.ts`),
  outdir: `${root}dist`,
  outbase: `${root}src`,
  splitting: true,
  // Beside the entries that look for files near their own.
  chunkNames: 'runtime/[name]-[hash]',
  platform: 'node',
  packages: 'external',
  external: ['cloudflare:*'],
})

await build({
  ...common,
  stdin: { contents: entryFor(`${root}src/runtime/cloudflare.ts`, []), resolveDir: root, loader: 'js' },
  outfile: `${root}dist/runtime/cloudflare-local.js`,
  conditions: ['workerd', 'worker'],
  external: ['cloudflare:workers'],
})

// `npm run build`: compiled JavaScript and types in dist/, and the Worker as one module for `serve --runtime workerd`.

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { entryFor } from '../src/runtime/workerd-process.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

rmSync(`${root}dist`, { recursive: true, force: true })
const compiled = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (compiled.status !== 0) process.exit(compiled.status ?? 1)

await build({
  stdin: { contents: entryFor(`${root}dist/runtime/cloudflare.js`, []), resolveDir: root, loader: 'js' },
  outfile: `${root}dist/runtime/cloudflare-local.js`,
  bundle: true,
  format: 'esm',
  target: 'es2023',
  conditions: ['workerd', 'worker'],
  external: ['cloudflare:workers'],
  logLevel: 'warning',
})

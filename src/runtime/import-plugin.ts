// Loads an operator's module. In a checkout the package's own name leads to its sources, which Node won't resolve by
// itself: there the module is bundled with them first.

import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const SOURCES = fileURLToPath(new URL('../index.ts', import.meta.url))
const DEPENDENCIES = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** Rejects with what is wrong with the module. */
export async function importPlugin(path: string): Promise<Readonly<Record<string, unknown>>> {
  const file = resolve(path)
  if (!existsSync(SOURCES)) return import(pathToFileURL(file).href)
  const folder = await mkdtemp(join(tmpdir(), 'vllm-edge-router-plugin-'))
  try {
    const bundled = join(folder, 'plugin.mjs')
    await writeFile(bundled, await bundle(file))
    return await import(pathToFileURL(bundled).href)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function bundle(file: string): Promise<string> {
  const { build, stop } = await import('esbuild')
  const result = await build({
    entryPoints: [file],
    bundle: true,
    format: 'esm',
    target: 'es2023',
    alias: { 'vllm-edge-router': SOURCES },
    nodePaths: [DEPENDENCIES],
    // The runtime's own modules are not the plugin's to bring.
    external: ['node:*', 'cloudflare:*'],
    write: false,
    logLevel: 'silent',
  })
  // Its helper process would outlive the work.
  await stop()
  return result.outputFiles[0]?.text ?? ''
}

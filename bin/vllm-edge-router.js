#!/usr/bin/env node
// Starts the command line: compiled from dist/ in an installed package, straight from src/ in a checkout.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'

const file = (path) => fileURLToPath(new URL(path, import.meta.url))
const isCheckout = existsSync(file('../src/runtime/main.ts'))
const isNode = !('Bun' in globalThis) && !('Deno' in globalThis)
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const stripsTypes = !isNode || major > 22 || (major === 22 && minor >= 18)
const localNode = file('../node_modules/node/bin/node')

if (isCheckout && !stripsTypes && existsSync(localNode)) {
  // A checkout's sources need a Node that strips types; the development dependency `node` is one.
  const child = spawn(localNode, [file('./vllm-edge-router.js'), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.once('exit', (code) => process.exit(code ?? 1))
} else {
  // What Node has compiled once it need not compile at the next start. Beside the package, where nobody writes but who
  // installed it: the shared directory for temporary files is no place for code. Nothing is kept where it can't be written.
  nodeModule.enableCompileCache?.(file('../node_modules/.cache/vllm-edge-router'))
  const { main } = await import(isCheckout ? '../src/runtime/main.ts' : '../dist/runtime/main.js')
  await main()
}

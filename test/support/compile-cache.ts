// Code that Node has compiled once, types stripped, for every process of the tests: without it each router that is started
// costs more than twice the CPU.

import { fileURLToPath } from 'node:url'
import { launchRouter } from './launch.ts'

/** Beside the dependencies: gone with them, and nobody's to commit. */
const DIRECTORY = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))

/** Once before the tests, whose processes inherit the variable. */
export async function setup(): Promise<void> {
  process.env['NODE_COMPILE_CACHE'] ??= DIRECTORY
  // Node writes it when a process ends in order, and the tests kill their routers.
  const router = await launchRouter('node', { config: 'workers: [{ url: "http://127.0.0.1:9" }]' })
  await router.signal('SIGTERM')
  await router.stop()
}

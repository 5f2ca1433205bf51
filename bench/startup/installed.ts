// The package as npm would install it: what `npm run build` makes, in a folder of its own, beside the dependencies of this
// checkout. A checkout itself starts from hundreds of source files, which no user has.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Builds the package and puts it into a directory; what its command is then. */
export function installInto(directory: string): string {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  const installed = join(directory, 'vllm-edge-router')
  mkdirSync(installed)
  for (const part of ['bin', 'dist', 'package.json']) {
    cpSync(join(root, part), join(installed, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  return join(installed, 'bin/vllm-edge-router.js')
}

// The process behind the command line: Node, Bun and Deno offer the same node: modules for it.

import { runCommandLine } from '../cli/main.ts'
import { createProcessHost } from './process-host.ts'

/** Runs the command line of this process and sets its exit code. */
export async function main(): Promise<void> {
  const host = createProcessHost()
  const code = await runCommandLine(host)
  await host.flushLines()
  // Sockets kept alive by clients or workers must not keep the process.
  process.exit(code)
}

// Runs text as a shell script, as somebody who pastes it would.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** With these variables and a PATH, and nothing else of this process's environment. Rejects when it fails. */
export async function runShell(
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly stdout: string }> {
  return promisify(execFile)('sh', ['-eu', '-c', script], { env: { PATH: process.env['PATH'] ?? '', ...env } })
}

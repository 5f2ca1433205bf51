// What the Worker costs before its first request: the profile that `wrangler check startup` takes of the bundle as it would be
// deployed, in the workerd of this machine.

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string } }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** No work of the Worker's. */
const IDLE = new Set(['(idle)', '(root)', '(program)'])

/** Milliseconds in which code of the bundle ran, or its garbage was collected. */
export async function workerStartCpuMs(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-startup-'))
  try {
    const profilePath = join(directory, 'startup.cpuprofile')
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const wrangler = join(root, 'node_modules/.bin/wrangler')
    await promisify(execFile)(wrangler, ['check', 'startup', '--outfile', profilePath], { cwd: root })
    return activeMs(JSON.parse(readFileSync(profilePath, 'utf8')))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function activeMs({ nodes, samples, timeDeltas }: Profile): number {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame.functionName]))
  let microseconds = 0
  samples.forEach((id, at) => {
    if (!IDLE.has(names.get(id) ?? '')) microseconds += timeDeltas[at] ?? 0
  })
  return microseconds / 1_000
}

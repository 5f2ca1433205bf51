// `wrangler deploy --dry-run`: bundles, and stays within its budget.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** Design: at most 250 KB gzip for the core. */
const BUDGET_KIB = 250

test('a dry run deploys a bundle within its budget', { timeout: 60_000 }, async () => {
  const outdir = mkdtempSync(join(tmpdir(), 'vllm-edge-router-deploy-'))
  try {
    const { stdout } = await promisify(execFile)('npx', ['wrangler', 'deploy', '--dry-run', '--outdir', outdir], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    const size = Number(/gzip: ([\d.]+) KiB/.exec(stdout)?.[1])
    expect(size).toBeGreaterThan(0)
    expect(size).toBeLessThanOrEqual(BUDGET_KIB)
    expect(stdout).toContain('env.FLEET')
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
})

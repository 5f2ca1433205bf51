// `wrangler deploy --dry-run`: bundles, and stays within its budgets.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { weighBundle } from '../../scripts/bundle-parts.ts'

/** Design: at most 250 KB gzip for the core, without optional stores and exporters. */
const CORE_KIB = 250
/** With every optional part: no goal, but no accident either (docs/decisions/0026-bundle-parts.md). */
const WHOLE_KIB = 330

test('a dry run deploys a bundle within its budget', { timeout: 60_000 }, async () => {
  const outdir = mkdtempSync(join(tmpdir(), 'vllm-edge-router-deploy-'))
  try {
    const { stdout } = await promisify(execFile)('npx', ['wrangler', 'deploy', '--dry-run', '--outdir', outdir], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    const size = Number(/gzip: ([\d.]+) KiB/.exec(stdout)?.[1])
    expect(size).toBeGreaterThan(0)
    expect(size).toBeLessThanOrEqual(WHOLE_KIB)
    expect(stdout).toContain('env.FLEET')
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
})

test(
  'its core is within the budget of the design, and every optional part weighs something',
  { timeout: 60_000 },
  async () => {
    const { coreKib, wholeKib, parts } = await weighBundle()
    expect(coreKib).toBeLessThanOrEqual(CORE_KIB)
    expect(Object.entries(parts).filter(([, kib]) => kib <= 0)).toEqual([])
    expect(coreKib).toBeLessThan(wholeKib)
  },
)

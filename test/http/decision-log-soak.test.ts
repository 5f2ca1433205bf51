// A decision log that is kept busy takes no more memory the longer it runs, with a disk that works and with one that takes
// nothing.

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const SCRIPT = fileURLToPath(new URL('../support/soak-decisions.ts', import.meta.url))

interface Soaked {
  /** MiB after each tenth, and at the end. */
  readonly sizes: readonly number[]
  readonly waiting: number
  readonly lost: number
  readonly stored: number
}

async function soak(records: number, disk: 'works' | 'fails'): Promise<Soaked> {
  const directory = await mkdtemp(join(tmpdir(), 'decision-log-soak-'))
  try {
    const args = ['--expose-gc', SCRIPT, join(directory, 'decisions.jsonl'), String(records), disk]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    return JSON.parse(stdout) as Soaked
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

test('a disk that works', { timeout: 120_000 }, async () => {
  const { sizes, lost, stored } = await soak(200_000, 'works')
  expect({ lost, stored }).toEqual({ lost: 0, stored: 200_000 })
  // What waits for the disk has a budget of 64 MiB; a busy machine may use some of it.
  expect(Math.max(...sizes)).toBeLessThan(140)
  expect(sizes.at(-1)).toBeLessThan(60)
})

test('a disk that takes nothing', { timeout: 120_000 }, async () => {
  const { sizes, waiting, lost, stored } = await soak(200_000, 'fails')
  expect(waiting).toBe(stored)
  expect(waiting + lost).toBe(200_000)
  expect(lost).toBeGreaterThan(100_000)
  expect(Math.max(...sizes)).toBeLessThan(140)
})

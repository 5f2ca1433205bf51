// The build that tracing is measured against is cut out of the source by its words, and must keep up with them.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { bundleTo } from './without-tracing.ts'

const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-without-tracing-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.each([true, false])('builds with the code of tracing: %s', async (hasTracing) => {
  const file = join(directory, `${hasTracing}.mjs`)
  await bundleTo(file, fileURLToPath(new URL('tracing-subject.ts', import.meta.url)), { hasTracing })
  expect(readFileSync(file, 'utf8').includes('tracing: traces === null')).toBe(hasTracing)
})

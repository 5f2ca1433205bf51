// What `worker_display` shows of a worker, and that it shows no URL where it promises not to.

import { expect, test } from 'vitest'
import type { WorkerConfig } from '../config/config.ts'
import { ALL_EXPLAINABILITY_HEADERS as EXPORTED } from '../index.ts'
import { ALL_EXPLAINABILITY_HEADERS, shownWorker } from './routing-headers.ts'

const URL = 'http://10.0.0.7:8000'
const PLAIN: WorkerConfig = {
  id: URL,
  isNamed: false,
  url: URL,
  models: null,
  weight: 1,
  labels: {},
  apiKey: null,
  binding: null,
  dataParallelSize: 1,
}
const NAMED: WorkerConfig = { ...PLAIN, id: 'gpu-a', isNamed: true, url: 'http://10.0.0.8:8000' }
const workers = [PLAIN, NAMED]
const HASH = /^[0-9a-f]{12}$/

test.each([
  ['auto', URL, URL],
  ['auto', 'gpu-a', 'gpu-a'],
  ['url', URL, URL],
  ['url', 'gpu-a', 'http://10.0.0.8:8000'],
  ['id', 'gpu-a', 'gpu-a'],
] as const)('worker_display: %s shows %s as %s', (workerDisplay, id, shown) => {
  expect(shownWorker({ workerDisplay, workers }, id)).toBe(shown)
})

test('a hash stands for one URL, always the same, and never is one', () => {
  const plain = shownWorker({ workerDisplay: 'hash', workers }, URL)
  const named = shownWorker({ workerDisplay: 'hash', workers }, 'gpu-a')
  expect([plain, named]).toEqual([expect.stringMatching(HASH), expect.stringMatching(HASH)])
  expect(plain).not.toBe(named)
  expect(shownWorker({ workerDisplay: 'id', workers }, URL)).toBe(plain)
  expect(shownWorker({ workerDisplay: 'hash', workers: [] }, URL)).toBe(plain)
  expect(shownWorker({ workerDisplay: 'id', workers: [] }, 'http://10.0.0.9')).toMatch(HASH)
})

test('the names are exported for others to build on', () => {
  expect(EXPORTED).toBe(ALL_EXPLAINABILITY_HEADERS)
  expect(new Set(EXPORTED).size).toBe(EXPORTED.length)
  for (const name of EXPORTED) expect(name).toMatch(/^x-(?:vllm-router|vsr)-[a-z-]+$/)
})

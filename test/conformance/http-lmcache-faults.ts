// A control plane that dies, forgets, dawdles or talks nonsense costs no request more than its budget, and soon nothing.

import { describe, expect, test } from 'vitest'
import type { FaultRuleInput } from '../../src/simulator/fault-schema.ts'
import type { RuntimeName } from '../support/launch.ts'
import { lmcacheBench, promptOf } from './lmcache-bench.ts'

/** Failures in a row that open the breaker, and how long it stays open. */
const FAILURES = 5
const OPEN_MS = 10_000

interface Fault {
  readonly fault: FaultRuleInput
  readonly outcomes: readonly string[]
  /** Patience of the router, where it is to be tried. */
  readonly timeoutMs?: number
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'refuses connections': { fault: { refuse: true }, outcomes: ['unreachable'] },
  'answers 500': { fault: { status: 500, path: '/lookup' }, outcomes: ['unreachable'] },
  'never answers': { fault: { hang: true, path: '/lookup' }, outcomes: ['timeout'], timeoutMs: 200 },
  'answers a web page': { fault: { html_200: true, path: '/lookup' }, outcomes: ['bad_answer'] },
  // Whether a cut shows as such is up to the runtime.
  'is cut off': { fault: { truncated_json: true, path: '/lookup' }, outcomes: ['bad_answer', 'unreachable'] },
}

export function lmcacheFaults(runtime: RuntimeName): void {
  for (const [name, { fault, outcomes, timeoutMs }] of Object.entries(FAULTS)) {
    describe(`a control plane that ${name}`, () => {
      const bench = lmcacheBench(runtime, {
        policy: timeoutMs === undefined ? {} : { controller_timeout_ms: timeoutMs },
      })

      test('fails no request, and is left alone after five failures', async () => {
        const prompt = promptOf('fault', 2)
        await bench.controller().setFaults(fault)
        const sinceMs = Date.now()
        for (let round = 0; round < FAILURES; round += 1) {
          const { status, method, steps } = await bench.chat(prompt)
          expect({ status, method }).toEqual({ status: 200, method: 'policy' })
          expect(outcomes).toContain(steps['lookup'])
        }
        const asked = { lookups: bench.lookups(), tokenised: bench.tokenised() }
        for (let round = 0; round < FAILURES; round += 1) expect((await bench.chat(prompt)).status).toBe(200)
        // One question to see whether it is back, each time it has been left alone for long enough.
        const looks = Math.floor((Date.now() - sinceMs) / OPEN_MS)
        expect(bench.lookups() - asked.lookups).toBeLessThanOrEqual(looks)
        expect(bench.tokenised() - asked.tokenised).toBeLessThanOrEqual(looks)
      })
    })
  }

  describe('a control plane of another shape', () => {
    const bench = lmcacheBench(runtime, { controller: { wrongSchema: true } })

    test('is as good as none', async () => {
      const { status, method, steps } = await bench.chat(promptOf('shape', 2))
      expect({ status, method, lookup: steps['lookup'] }).toEqual({
        status: 200,
        method: 'policy',
        lookup: 'bad_answer',
      })
    })
  })

  describe('a control plane that restarts empty', () => {
    const bench = lmcacheBench(runtime)

    test('knows nothing, and learns again', async () => {
      const prompt = promptOf('restart', 3)
      await bench.warm(prompt)
      bench.controller().restart()
      expect(await bench.chat(prompt)).toMatchObject({ status: 200, method: 'policy', steps: { lookup: 'miss' } })
      const other = promptOf('after', 3)
      const worker = await bench.warm(other)
      expect(await bench.chat(other)).toMatchObject({ status: 200, worker, method: 'lmcache-prefix' })
    })
  })
}

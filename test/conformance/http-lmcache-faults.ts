// A control plane that dies, forgets, dawdles or talks nonsense costs no request more than its budget, and soon nothing.

import { describe, expect, test } from 'vitest'
import type { FaultRuleInput } from '../../src/simulator/fault-schema.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { lmcacheBench, promptOf } from './lmcache-bench.ts'
import { NAMES } from './routing-bench.ts'

/** Failures in a row that open the breaker, and how long it stays open. */
const FAILURES = 5
const OPEN_MS = 10_000

/** What a question may take where it is to be ended by something else. */
const PATIENCE_MS = 20_000

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

  describe('a control plane that does not know the key', () => {
    const fault = { status: 401, path: '/lookup' }
    const bench = lmcacheBench(runtime, { policy: { controller_api_key: 'wrong' }, controller: { faults: [fault] } })

    test('is told of in the log, with what it said', async () => {
      expect(await bench.chat(promptOf('key', 2))).toMatchObject({ status: 200, steps: { lookup: 'unreachable' } })
      const asked = bench
        .controller()
        .state()
        .requests.find(({ target }) => target === '/lookup')
      expect(asked?.headers['authorization']).toBe('Bearer wrong')
      const lines = () => bench.fleet.router.output().split('\n')
      const isTold = (line: string) => line.includes('"event":"lmcache_failed"') && line.includes('"step":"lookup"')
      await until(
        () => lines().some((line) => isTold(line) && line.includes('"worker":null') && line.includes('status 401')),
        10_000,
        () => `not told in:\n${bench.fleet.router.output()}`,
      )
      expect(bench.fleet.router.output()).not.toContain('Bearer wrong')
    })
  })

  describe('time', () => {
    const bench = lmcacheBench(runtime, { policy: { lookup_budget_ms: 1 } })

    test('that is far too short costs no answer', async () => {
      for (let round = 0; round < 8; round += 1) {
        expect(await bench.chat(promptOf(`hasty${round}`, 2))).toMatchObject({ status: 200, method: 'policy' })
      }
    })
  })

  describe('a client that leaves', () => {
    const bench = lmcacheBench(runtime, {
      policy: { lookup_budget_ms: PATIENCE_MS, controller_timeout_ms: PATIENCE_MS },
    })
    const workers = () => NAMES.map((name) => bench.fleet.worker(name))
    const controller = () => [bench.controller()]

    // Deno does not tell that the sender of a body this long has left, as docs/runtimes.md says.
    test.skipIf(runtime === 'deno').each([
      ['tokenised', workers, '/tokenize'],
      ['looked up', controller, '/lookup'],
    ] as const)('while its prompt is %s ends that, and reaches no worker', async (what, sims, path) => {
      const seen = (name: 'requests' | 'disconnects') => {
        const states = sims().map((sim) => sim.state())
        const count = (requests: readonly { readonly target: string }[]) =>
          requests.filter(({ target }) => target === path).length
        return states.reduce((sum, state) => sum + (name === 'requests' ? count(state.requests) : state.disconnects), 0)
      }
      const before = { requests: seen('requests'), disconnects: seen('disconnects') }
      const id = `leaving-${what.replace(' ', '-')}-${Math.random().toString(36).slice(2)}`
      await Promise.all(sims().map((sim) => sim.setFaults({ hang: true, path })))
      const { leave } = send(
        `${bench.fleet.url}/v1/chat/completions`,
        { model: 'm', messages: [{ role: 'user', content: promptOf(id, 2) }], max_tokens: 1 },
        { headers: { 'x-request-id': id } },
      )
      await until(
        () => seen('requests') > before.requests,
        PATIENCE_MS,
        () => 'nobody was asked',
      )
      const leftAtMs = Date.now()
      leave('reset')
      await until(
        () => seen('disconnects') > before.disconnects,
        PATIENCE_MS,
        () => 'the question went on',
      )
      // Not because its own time was over.
      expect(Date.now() - leftAtMs).toBeLessThan(PATIENCE_MS / 2)
      await Promise.all(sims().map((sim) => sim.setFaults([])))
      await until(
        () => bench.fleet.router.output().includes(id),
        PATIENCE_MS,
        () => 'it left no record',
      )
      expect(bench.fleet.calls().filter(({ headers }) => headers['x-request-id'] === id)).toEqual([])
      // Nobody is blamed for it.
      expect(await bench.chat(promptOf(`${id}-next`, 2))).toMatchObject({ status: 200, steps: { lookup: 'miss' } })
    })
  })

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

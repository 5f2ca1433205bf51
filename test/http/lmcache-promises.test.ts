// A control plane that says what workers hold no more: found by what they say they had cached, and left alone until a promise
// holds again.

import { describe, expect, test } from 'vitest'
import { lmcacheBench, promptOf } from '../conformance/lmcache-bench.ts'
import { adminClient } from '../support/admin-client.ts'
import { until } from '../support/launch.ts'
import { BROKEN_PROMISES_TO_BLIND } from '../../src/upstream/lmcache/blindness.ts'

/** At least twenty of them go to one of three workers, four times what it can hold. */
const PROMPTS = 60

describe('a control plane that promises what was evicted', () => {
  const bench = lmcacheBench('node', {
    policy: { poll_interval_secs: 1 },
    controller: { ignoresEvictions: true },
    // About five prompts of three chunks.
    worker: { kvBlocks: 256 },
  })
  const admin = adminClient(() => bench.fleet.url, null)
  const sight = async () => (await admin.get('/admin/stats')).json().lmcache.sight

  test('is found, and believed again once what it promises is there', { timeout: 240_000 }, async () => {
    const byWorker = new Map<string, string[]>()
    for (let at = 0; at < PROMPTS; at += 1) {
      const name = `evicted${at}-`
      const worker = await bench.warm(promptOf(name, 3))
      byWorker.set(worker, [...(byWorker.get(worker) ?? []), name])
      // At once again: it is there, and its worker says so.
      expect(await bench.chat(promptOf(name, 3))).toMatchObject({ status: 200, method: 'lmcache-prefix' })
    }
    expect(await sight()).toMatchObject({ state: 'sighted', broken_promises_in_row: 0 })
    // Of the worker that had most of them each is gone by the time it is asked for again.
    const [names = []] = [...byWorker.values()].toSorted((one, other) => other.length - one.length)
    for (let at = 0; at < 3 * BROKEN_PROMISES_TO_BLIND; at += 1) {
      expect((await bench.chat(promptOf(names[at % names.length] ?? '', 3))).status).toBe(200)
      if (at + 1 >= BROKEN_PROMISES_TO_BLIND && (await sight()).state === 'blind') break
    }
    expect(await sight()).toMatchObject({ state: 'blind', because: 'promises_too_much' })

    bench.controller().restart()
    let round = 0
    await until(
      async () => {
        round += 1
        // Whichever of the two is asked about while it is blind: of the second what is promised is there.
        for (let time = 0; time < 2; time += 1) await bench.chat(promptOf(`fresh${round}-`, 3))
        return (await sight()).state === 'sighted'
      },
      120_000,
      () => 'it is blind for good',
    )
  })
})

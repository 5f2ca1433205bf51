// Router Replay's stores on Workers: the real objects, and a real bucket.

import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import type { ReplayLog } from '../../src/runtime/cloudflare-replay-log.ts'
import { DurableReplayStore } from '../../src/store/durable-replay.ts'
import { BucketReplayStore } from '../../src/store/replay-bucket.ts'
import { replayShardName } from '../../src/store/replay-shard.ts'
import { replayStoreConformance } from '../conformance/replay-store.ts'
import { BEGAN_MS, replayNumbers } from '../support/made-up-replays.ts'

let places = 0

const stub = (name: string) =>
  // The binding's own type knows nothing of the class behind it.
  env.REPLAY_LOG.get(env.REPLAY_LOG.idFromName(name)) as unknown as DurableObjectStub<ReplayLog>

function createStore(pool: string): DurableReplayStore {
  return new DurableReplayStore({ namespace: stub as never, pool })
}

replayStoreConformance('Durable Objects', async () => {
  const pool = `pool${(places += 1)}`
  return { open: () => createStore(pool) }
})

replayStoreConformance('R2', async () => {
  const prefix = `replays${(places += 1)}/`
  return { open: () => new BucketReplayStore({ bucket: env.DECISIONS, prefix, now: () => Date.now() }) }
})

test('what has expired leaves the disk of its object by itself', async () => {
  const pool = `pool${(places += 1)}`
  const store = createStore(pool)
  const shard = stub(replayShardName(pool, 'code'))
  const rows = () =>
    runInDurableObject(shard, (_, state) => state.storage.sql.exec('SELECT COUNT(*) AS n FROM replays').one()['n'])
  await store.put('code', replayNumbers(0, 3, { decision: 'code' }), {
    maxRecords: 10,
    ttlMs: Date.now() - BEGAN_MS + 300,
  })
  expect(await rows()).toBe(3)
  await expect.poll(() => runDurableObjectAlarm(shard).then(rows), { timeout: 10_000 }).toBe(0)
})

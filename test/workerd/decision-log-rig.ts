// What the tests of the decision log in workerd share: a log of its own for every test, over the real objects.

import { runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { DecisionLog } from '../../src/runtime/cloudflare-decision-log.ts'
import { hash64 } from '../../src/routing/hash.ts'
import type { DecisionRecord } from '../../src/record/schema.ts'
import type { DecisionLogStore } from '../../src/store/decision-log.ts'
import { DECISION_SHARDS, decisionShardName, type ShardSettings } from '../../src/store/decision-shard.ts'
import { DurableDecisions } from '../../src/store/durable-decisions.ts'
import { type RecordBatch, toBatches, toBatchLine } from '../../src/store/record-batch.ts'
import { bucketFaults } from './faulty-bucket.ts'

let pools = 0

export const SETTINGS: ShardSettings = {
  prefix: '',
  exportIntervalMs: 10_000,
  retentionMs: null,
  retentionBytes: null,
  exportSample: 1,
}

export interface LogRig {
  readonly pool: string
  /** Eight isolates, each with an object of its own; `isolateOf` says which has a request. */
  readonly store: DecisionLogStore & Pick<DurableDecisions, 'noteOpen'>
  shard(number: number): DurableObjectStub<DecisionLog>
  /** Runs the alarms of all shards until nothing waits, or nothing more can be written. */
  settle(): Promise<void>
  /** Every line of every segment, as it is in the bucket. */
  exportedLines(): Promise<readonly string[]>
  keys(): Promise<readonly string[]>
}

/** Which of the isolates has the request of a decision. */
export const isolateOf = (decisionId: string): number =>
  Number.parseInt(hash64(decisionId).slice(-4), 16) % DECISION_SHARDS

/** As an isolate hands them over. */
export const batchesOf = (records: readonly DecisionRecord[]): readonly RecordBatch[] =>
  toBatches(records.map(toBatchLine))

/** Requests spread over the isolates, readers ask one of them. */
function asOne(isolates: readonly DurableDecisions[]): LogRig['store'] {
  const [reader] = isolates
  if (reader === undefined) throw new Error('no isolates')
  const own = <Item extends { readonly decision_id: string }>(items: readonly Item[], isolate: number) =>
    items.filter(({ decision_id: id }) => isolateOf(id) === isolate)
  return {
    async append(records, views) {
      await Promise.all(isolates.map(async (isolate, at) => isolate.append(own(records, at), views)))
    },
    async noteOpen(records) {
      await Promise.all(isolates.map((isolate, at) => isolate.noteOpen(own(records, at))))
    },
    query: (query) => reader.query(query),
    find: (id) => reader.find(id),
    findView: (hash) => reader.findView(hash),
    exportRange: (range) => reader.exportRange(range),
    status: () => reader.status(),
    close: () => reader.close(),
  }
}

export function createLog(given: Partial<ShardSettings> = {}): LogRig {
  pools += 1
  const pool = `pool${pools}`
  Object.assign(bucketFaults, { put: null, losesAnswers: false, get: null })
  bucketFaults.written.length = 0
  const stub = (name: string) =>
    // The binding's own type knows nothing of the class behind it.
    env.DECISION_LOG.get(env.DECISION_LOG.idFromName(name)) as unknown as DurableObjectStub<DecisionLog>
  // A bucket is one for all tests: each log has a prefix of its own.
  const settings = { ...SETTINGS, prefix: `${pool}/`, ...given }
  const isolates = Array.from(
    { length: DECISION_SHARDS },
    (_, index) =>
      new DurableDecisions({
        namespace: stub as never,
        pool,
        settings: () => settings,
        place: () => ({ index, count: DECISION_SHARDS }),
        readSegment: async (key) => (await env.DECISIONS.get(key))?.text() ?? null,
        onChange: () => {},
        now: () => Date.now(),
        // The pauses of an isolate are counted, not measured: here they pass at once.
        after(_delayMs, task) {
          const timer = setTimeout(task, 0)
          return () => clearTimeout(timer)
        },
      }),
  )
  const store = asOne(isolates)
  const shard = (number: number) => stub(decisionShardName(pool, number))
  const shards = Array.from({ length: DECISION_SHARDS }, (_, number) => number)

  async function keys(): Promise<readonly string[]> {
    const found: string[] = []
    let cursor: string | undefined
    do {
      const list = await env.DECISIONS.list({
        prefix: `${settings.prefix}decisions/`,
        ...(cursor === undefined ? {} : { cursor }),
      })
      found.push(...list.objects.map(({ key }) => key))
      cursor = list.truncated ? list.cursor : undefined
    } while (cursor !== undefined)
    return found
  }

  return {
    pool,
    store,
    shard,
    keys,
    async settle() {
      for (let round = 0; round < 20; round += 1) {
        await Promise.all(shards.map((number) => runDurableObjectAlarm(shard(number))))
        const { waiting, failing } = await store.status()
        if (waiting === 0 || failing !== null) return
      }
    },
    async exportedLines() {
      const texts = await Promise.all((await keys()).map(async (key) => (await env.DECISIONS.get(key))?.text() ?? ''))
      return texts.flatMap((text) => text.split('\n').filter((line) => line !== ''))
    },
  }
}

// The decision log as an isolate reaches it: objects of class `DecisionLog`, and the bucket that they export to.

import type { Config } from '../config/config.ts'
import { toDecisionLogEntry } from '../observe/log/decision-log-entry.ts'
import type { DecisionLogStore } from '../store/decision-log.ts'
import { DECISION_SHARDS, type DecisionShard, type ShardSettings } from '../store/decision-shard.ts'
import { DurableDecisions } from '../store/durable-decisions.ts'
import { consoleLog } from './cloudflare-console.ts'
import { placeAmong } from '../store/isolate-place.ts'
import { outgoing, type RouterEnv } from './cloudflare-env.ts'

/** How long an isolate keeps to an object. */
const TURN_MS = 3_600_000

/** Null for a Worker without the binding: its isolates remember their last decisions, and that is all. */
export function decisionLogOf(env: RouterEnv, pool: string, config: () => Config): DecisionLogStore | null {
  const { DECISION_LOG: objects, DECISIONS: bucket } = env
  if (objects === undefined) return null
  const { now, after } = outgoing(env)
  const place = Math.random()
  const log = consoleLog(env)
  return new DurableDecisions({
    // The namespace's own type carries RPC wrappers that say the same less readably.
    namespace: (name) => objects.get(objects.idFromName(name)) as unknown as DecisionShard,
    pool,
    settings: () => toShardSettings(config()),
    place: () => placeAmong(turned(place, now()), config().fleet.decisionGroups * DECISION_SHARDS),
    readSegment: async (key) => (await bucket?.get(key))?.text() ?? null,
    onChange: (change) => log(toDecisionLogEntry(now(), change)),
    now,
    after,
  })
}

/** Objects each have an even share of what may be kept, so a lone isolate must not fill one alone. */
const turned = (place: number, nowMs: number): number => (place + Math.floor(nowMs / TURN_MS) / DECISION_SHARDS) % 1

function toShardSettings({ decisionLog }: Config): ShardSettings {
  const { exportPath, exportIntervalMs, retentionMs, retentionBytes, exportSample } = decisionLog
  // A path is what servers have: the keys of a bucket begin with no slash.
  const prefix = (exportPath ?? '').replace(/^\/+|\/+$/g, '')
  return {
    prefix: prefix === '' ? '' : `${prefix}/`,
    exportIntervalMs,
    retentionMs,
    retentionBytes,
    exportSample,
  }
}

// Hands the record of each request that Router Replay covers to its store.

import { toReplayRecord } from '../capture/to-replay-record.ts'
import type { PipelineEvents } from '../pipeline/events.ts'
import type { LogEntry } from '../platform.ts'
import { toEntry } from './log/entry.ts'
import type { ReplayDesk } from '../store/replay-desk.ts'
import type { DecisionLogChange } from '../store/log-health.ts'

export function createReplayLog(desk: Pick<ReplayDesk, 'keep'>): Pick<PipelineEvents, 'recordClosed'> {
  return {
    recordClosed(record, _view, { replay, context }) {
      if (replay?.isKept !== true) return
      desk.keep(toReplayRecord(record, replay.bodies()), replay.settings, (task) => context.waitUntil(task))
    },
  }
}

/** One line when writing begins to fail, when records begin to be lost, and when all is well again. */
export function toReplayLogEntry(nowMs: number, { state, reason, waiting, lost }: DecisionLogChange): LogEntry {
  const level = state === 'recovered' ? 'info' : 'error'
  return toEntry(nowMs, level, `router_replay_${state}`, { reason, waiting, lost })
}

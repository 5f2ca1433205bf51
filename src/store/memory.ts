// FleetStore for one process: the truth is this memory, and a timer keeps asking the workers what they serve.

import type { FleetConfig, KeptWorker } from './fleet-health.ts'
import { FleetState } from './fleet-state.ts'
import type { FleetStore } from './fleet-store.ts'
import type { HeardOccupancy } from './lmcache-occupancy.ts'
import { ProbeRounds, type ProbeRoundsOptions } from './probe-rounds.ts'
import { PurgeLog } from './purge-log.ts'
import { createResponseOwners } from './response-owners.ts'
import { TOO_OLD_MS } from './snapshot-copy.ts'

/** A router in this process knows of a drain this soon: no request decides on an older copy. */
const DRAIN_SETTLE_MS = TOO_OLD_MS

export interface MemoryFleetOptions extends ProbeRoundsOptions {
  readonly config: FleetConfig
  /** Names this memory, and no other. */
  readonly life: string
  /** What an earlier life of this state knew, if there was one. */
  readonly kept?: readonly KeptWorker[]
  /** How long a router may go on sending work to a drained worker, or leave work unreported. */
  readonly drainSettleMs?: number
}

export interface MemoryFleetStore extends FleetStore {
  /** Another configuration from now on; workers it adds are asked at once. Resolves when they have been. */
  configure(config: FleetConfig): Promise<void>
  /** Resolves when the first round of probes is over. */
  whenAsked(): Promise<void>
  /** What has changed of the workers since this was last asked, to be kept for another life. */
  takeChanges(): readonly KeptWorker[]
  /** A holder is known to be dead: what it had in flight is no more. */
  forgetHolder(holder: string): void
  /** Files what LMCache's control plane said of how full caches are; null where it is not asked. */
  noteLmcache(heard: HeardOccupancy | null): void
  /** Stops probing. */
  close(): void
}

/**
 * Starts probing at once; the first `sync` waits for the first round, so that models are known from the start, unless an
 * earlier life knew them.
 */
export function createMemoryFleetStore(options: MemoryFleetOptions): MemoryFleetStore {
  const { config, now, kept = [], drainSettleMs = DRAIN_SETTLE_MS } = options
  const state = new FleetState({ config, drainSettleMs, nowMs: now() })
  state.resume(kept)
  const isResumed = state.workers(now()).some(({ checkedAtMs }) => checkedAtMs !== null)
  const owners = createResponseOwners()
  const purges = new PurgeLog(options.life)
  const rounds = new ProbeRounds(options, (observations) => state.observe(observations))

  return {
    source: 'memory',
    async sync(report) {
      const first = isResumed ? null : rounds.first()
      if (first !== null) await first
      rounds.recheck(report.unreachable.map(({ workerId }) => workerId))
      state.note(report, now())
      return { ...state.snapshotFor(report, now()), purges: purges.news(now()) }
    },
    drain: async (workerId, deadlineMs) => state.drain(workerId, deadlineMs, now()),
    undrain: async (workerId) => state.undrain(workerId, now()),
    ticketNow: (key) => state.takeTicket(key),
    peekTicket: (key) => state.nextTurn('strict', key),
    takeTicket: async (key) => state.takeTicket(key),
    async rememberResponse(responseId, owner, expiresAtMs) {
      owners.remember(responseId, owner, { nowMs: now(), expiresAtMs })
    },
    findResponse: async (responseId) => owners.find(responseId, now()),
    forgetResponse: async (responseId) => owners.forget(responseId),
    announcePurge: async (scope) => purges.note(scope, now()),
    configure(next) {
      state.configure(next, now())
      // One that has left and come back may have been asked a moment ago; what it said then is forgotten.
      const isNew = ({ checkedAtMs }: { readonly checkedAtMs: number | null }) => checkedAtMs === null
      return rounds.askNow(
        state
          .workers(now())
          .filter(isNew)
          .map(({ workerId }) => workerId),
      )
    },
    whenAsked: async () => void (await rounds.first()),
    takeChanges: () => state.takeChanges(),
    forgetHolder: (holder) => state.forgetHolder(holder, now()),
    noteLmcache: (heard) => state.noteLmcache(heard),
    close: () => rounds.close(),
  }
}

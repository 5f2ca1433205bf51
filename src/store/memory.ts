// FleetStore for one process: the truth is this memory, and a timer keeps asking the workers what they serve.

import type { FleetConfig } from './fleet-health.ts'
import { FleetState } from './fleet-state.ts'
import type { FleetStore } from './fleet-store.ts'
import { ProbeRounds, type ProbeRoundsOptions } from './probe-rounds.ts'
import { createResponseOwners } from './response-owners.ts'
import { TOO_OLD_MS } from './snapshot-copy.ts'

/** A router in this process knows of a drain this soon: no request decides on an older copy. */
const DRAIN_SETTLE_MS = TOO_OLD_MS

export interface MemoryFleetOptions extends ProbeRoundsOptions {
  readonly config: FleetConfig
}

export interface MemoryFleetStore extends FleetStore {
  /** Another configuration from now on; workers it adds are asked at once. Resolves when they have been. */
  configure(config: FleetConfig): Promise<void>
  /** Stops probing. */
  close(): void
}

/** Starts probing at once; the first `sync` waits for the first round, so that models are known from the start. */
export function createMemoryFleetStore(options: MemoryFleetOptions): MemoryFleetStore {
  const { config, now } = options
  const state = new FleetState({ config, drainSettleMs: DRAIN_SETTLE_MS, nowMs: now() })
  const owners = createResponseOwners()
  const rounds = new ProbeRounds(options, (observations) => state.observe(observations))

  return {
    source: 'memory',
    async sync(report) {
      const first = rounds.first()
      if (first !== null) await first
      rounds.recheck(report.unreachable.map(({ workerId }) => workerId))
      state.note(report, now())
      return state.snapshotFor(report, now())
    },
    drain: async (workerId, deadlineMs) => state.drain(workerId, deadlineMs, now()),
    undrain: async (workerId) => state.undrain(workerId, now()),
    ticketNow: (key) => state.takeTicket(key),
    takeTicket: async (key) => state.takeTicket(key),
    async rememberResponse(responseId, owner, expiresAtMs) {
      owners.remember(responseId, owner, { nowMs: now(), expiresAtMs })
    },
    findResponse: async (responseId) => owners.find(responseId, now()),
    forgetResponse: async (responseId) => owners.forget(responseId),
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
    close: () => rounds.close(),
  }
}

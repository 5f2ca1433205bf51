// What a simulated controller tells tests about itself.

import type { FaultRule } from '../fault-schema.ts'
import type { LoggedRequest } from '../request-log.ts'
import type { ControllerContext } from './controller.ts'

/** Body of GET /sim/state. */
export interface ControllerState {
  /** Every request but those under /sim. */
  readonly requestsSeen: number
  /** Of these, how many whose client left before the answer was out. */
  readonly disconnects: number
  /** The last of them, oldest first. */
  readonly requests: readonly LoggedRequest[]
  /** Chunks by instance and rank, as in `node-a/0`. */
  readonly keys: Readonly<Record<string, number>>
  readonly faults: readonly FaultRule[]
}

/** A snapshot. */
export function toControllerState({ log, index, faults, sha256 }: ControllerContext): ControllerState {
  return {
    requestsSeen: log.seen,
    disconnects: log.disconnects,
    requests: log.list(sha256),
    keys: Object.fromEntries(
      index.workers().map(({ instanceId, workerId, keys }) => [`${instanceId}/${workerId}`, keys.size]),
    ),
    faults: faults.rules,
  }
}

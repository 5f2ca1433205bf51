// Keeps the time for polls of LMCache's control plane where a process has timers of its own.

import type { Platform } from '../../platform.ts'
import type { OccupancyPoller } from './occupancy-poller.ts'

export interface OccupancyTimer {
  /** Looks now whether there is somebody to ask: the configuration has changed. */
  look(): void
  /** Stops polling. */
  close(): void
}

/** How soon to look again while it is not for this process to ask. */
const LOOK_AGAIN_MS = 1_000

/** Polls at once, and then whenever it is time to. `mayPoll`: whether it is for this process to ask. */
export function startOccupancyTimer(
  { after }: Pick<Platform, 'after'>,
  poller: OccupancyPoller,
  mayPoll: () => Promise<boolean>,
): OccupancyTimer {
  let callOff = () => {}
  let isClosed = false
  let isLooking = false

  async function look(): Promise<void> {
    if (isLooking || isClosed) return
    callOff()
    isLooking = true
    const isOurs = await mayPoll()
    if (isOurs && !isClosed) await poller.pollIfDue()
    isLooking = false
    schedule(isOurs ? poller.dueInMs() : LOOK_AGAIN_MS)
  }
  function schedule(delayMs: number | null): void {
    if (!isClosed && delayMs !== null) callOff = after(delayMs, () => void look())
  }

  void look()
  return {
    look: () => void look(),
    close() {
      isClosed = true
      callOff()
    },
  }
}

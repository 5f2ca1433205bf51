// Entries about the fleet: workers that change, and the stores that processes or isolates agree through.

import type { LogEventName } from '../../log-events.ts'
import { shownWorker } from '../../pipeline/routing-headers.ts'
import type { Log, Writer } from './log.ts'
import { reasonText } from './cause-text.ts'
import { Repeats } from './repeats.ts'

type FleetEvents = Pick<Log, 'workerChanged' | 'fleetSyncFailed' | 'limitStoreFailed' | 'storeRecovered'>

/** As it should be, or as an operator has ordered it. */
const FINE: ReadonlySet<string> = new Set(['up', 'draining', 'parked'])

export function fleetEvents({ options: { config, now }, writes, tell }: Writer): FleetEvents {
  const repeats = new Repeats()
  function failed(store: 'fleet' | 'limits', event: LogEventName, cause: unknown): void {
    const untold = repeats.failed(store, now())
    if (untold === null && !writes('debug')) return
    tell('warn', event, { why: reasonText(cause), ...(untold === null || untold === 0 ? {} : { repeated: untold }) })
  }
  return {
    workerChanged({ workerId, availability, breaker, reason }) {
      // Every worker is found up once, as it should be.
      if (availability.from === 'unknown' && availability.to === 'up' && breaker.from === breaker.to) return
      tell(FINE.has(availability.to) && breaker.to !== 'open' ? 'info' : 'warn', 'worker', {
        worker: shownWorker(config(), workerId),
        availability: availability.to,
        before: availability.from,
        reason,
        breaker: breaker.to,
        breaker_before: breaker.from === breaker.to ? undefined : breaker.from,
      })
    },
    fleetSyncFailed: (cause) => failed('fleet', 'fleet_sync_failed', cause),
    limitStoreFailed: (cause) => failed('limits', 'limit_store_failed', cause),
    storeRecovered(store) {
      const event = store === 'fleet' ? 'fleet_sync_recovered' : 'limit_store_recovered'
      for (const { failures, lastedMs } of repeats.worked((thing) => thing === store, now())) {
        tell('info', event, { failures, lasted_ms: lastedMs })
      }
    },
  }
}

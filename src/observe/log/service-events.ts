// Entries about services that requests ask beside their worker: once when one begins to fail, once a minute while it does,
// once when a request finds it working again.

import type { LogEventName } from '../../log-events.ts'
import type { DecisionRecord } from '../../record/schema.ts'
import { shownWorker } from '../../pipeline/routing-headers.ts'
import { reasonText } from './cause-text.ts'
import type { Log, Writer } from './log.ts'
import { Repeats } from './repeats.ts'

type ServiceEvents = Pick<
  Log,
  | 'cacheFailed'
  | 'cacheRecovered'
  | 'hookFailed'
  | 'keyServiceFailed'
  | 'lmcacheFailed'
  | 'lmcacheProbed'
  | 'lmcacheSightChanged'
  | 'lmcacheStranger'
  | 'referencesChanged'
  | 'exporterChanged'
>

/** Outcomes of questions to LMCache and to tokenizers that were answered. */
const STEP_WORKED: ReadonlySet<string> = new Set(['ok', 'miss', 'unmapped'])

/** The entry that a kind of thing works again, and what its name is called there; of others nobody can know. */
const RECOVERED: Readonly<Record<string, { readonly event: LogEventName; readonly name: string }>> = {
  cache: { event: 'cache_recovered', name: 'backend' },
  hook: { event: 'hook_recovered', name: 'hook' },
  lmcache: { event: 'lmcache_recovered', name: 'step' },
}

/** Outcomes of hooks that did not do their work. */
const HOOK_FAILED = /:(?:timeout|error|unknown|transform-no-body|open)$/

export interface ServiceLog {
  readonly events: ServiceEvents
  /** Looks for services that work again in what a request says of them. */
  noteWorking(record: DecisionRecord): void
}

export function serviceEvents(writer: Writer): ServiceLog {
  const { options, writes, tell } = writer
  const repeats = new Repeats()
  function failed(thing: string, event: LogEventName, fields: Readonly<Record<string, unknown>>): void {
    const untold = repeats.failed(thing, options.now())
    // At debug every failure has its entry, with the request that it befell.
    if (untold === null && !writes('debug')) return
    tell('warn', event, { ...fields, ...(untold === null || untold === 0 ? {} : { repeated: untold }) })
  }
  function worked(isIt: (thing: string) => boolean): void {
    for (const { thing, failures, lastedMs } of repeats.worked(isIt, options.now())) {
      const [kind = '', name = ''] = thing.split(' ')
      const recovered = RECOVERED[kind]
      if (recovered === undefined) continue
      tell('info', recovered.event, { [recovered.name]: name, failures, lasted_ms: lastedMs })
    }
  }
  return {
    events: {
      cacheFailed: ({ backend, why, cause = null }) =>
        failed(`cache ${backend}`, 'cache_failed', {
          backend,
          why,
          ...(cause === null ? {} : { cause: reasonText(cause) }),
        }),
      cacheRecovered: ({ backend }) => worked((thing) => thing === `cache ${backend}`),
      hookFailed: ({ requestId, hook, outcome, why }) =>
        failed(`hook ${hook}`, 'hook_failed', { hook, outcome, why, request_id: requestId }),
      keyServiceFailed: ({ requestId, service, why }) =>
        failed(`key_service ${service}`, 'key_service_failed', { service, why, request_id: requestId }),
      lmcacheFailed({ requestId, step, worker: workerId, outcome, why }) {
        const worker = workerId === null ? null : shownWorker(options.config(), workerId)
        failed(`lmcache ${step}`, 'lmcache_failed', { step, worker, outcome, why, request_id: requestId })
      },
      lmcacheProbed() {}, // Counted.
      lmcacheSightChanged: ({ state, because }, causes) =>
        tell(state === 'blind' ? 'warn' : 'info', 'lmcache_sight', { state, because, likely_causes: causes }),
      lmcacheStranger(instance) {
        const hint = 'name workers like it, or say whose it is in lmcache_worker_map'
        tell('warn', 'lmcache_unknown_instance', { instance, hint })
      },
      referencesChanged({ of, status: { state, dimensions, refused, why } }) {
        const level = state === 'failing' || refused > 0 ? 'warn' : 'info'
        tell(level, 'embeddings', { of, state, dimensions, refused, why })
      },
      exporterChanged({ signal, state, lost }) {
        tell(state === 'failing' ? 'warn' : 'info', `exporter_${state}`, { signal, lost })
      },
    },
    noteWorking({ hooks_ran: hooks = [], steps = [] }) {
      if (!repeats.isAny) return
      const working = new Set([
        ...hooks.filter((entry) => !HOOK_FAILED.test(entry)).map((entry) => `hook ${entry.split(':')[0]}`),
        ...steps.filter(({ outcome }) => STEP_WORKED.has(outcome)).map(({ step }) => `lmcache ${step}`),
      ])
      worked((thing) => working.has(thing))
    },
  }
}

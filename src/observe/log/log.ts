// What is written to the log: one entry per request, and one for each change of state. An entry says what was decided and
// how it ended, never what was asked.

import type { Config, LogLevel } from '../../config/config.ts'
import type { ControlEvents } from '../../control/control-events.ts'
import type { LogEventName } from '../../log-events.ts'
import type { PipelineEvents } from '../../pipeline/events.ts'
import type { LogEntry } from '../../platform.ts'
import { causeText, reasonText } from './cause-text.ts'
import { toEntry } from './entry.ts'
import { fleetEvents } from './fleet-events.ts'
import { LineBudget } from './line-budget.ts'
import { levelOf, toRequestEntry, toStrangerFields } from './request-entry.ts'
import { serviceEvents } from './service-events.ts'

/** A request is worth an entry once it has ended. */
export type Log = Omit<PipelineEvents, 'recordOpened'> & ControlEvents

export interface LogOptions {
  /** Asked anew for each entry, as a reload may change it. */
  config(): Pick<Config, 'log' | 'workerDisplay' | 'workers'>
  now(): number
  /** A number in [0, 1). */
  random(): number
  write(entry: LogEntry): void
}

/** What the events of one kind need to write their entries. */
export interface Writer {
  readonly options: Pick<LogOptions, 'config' | 'now'>
  writes(level: LogLevel): boolean
  /** Writes an entry where its level is wanted. */
  tell(level: LogLevel, event: LogEventName, fields: Readonly<Record<string, unknown>>): void
}

const RANK = { debug: 0, info: 1, warn: 2, error: 3 } as const satisfies Record<LogLevel, number>

/** Whether entries of this level are written. */
export function isWanted(level: LogLevel, { log }: Pick<Config, 'log'>): boolean {
  return RANK[level] >= RANK[log.level]
}

export function createLog(options: LogOptions): Log {
  const { config, now, write } = options
  const writes = (level: LogLevel) => isWanted(level, config())
  const writer: Writer = {
    options,
    writes,
    tell(level, event, fields) {
      if (writes(level)) write(toEntry(now(), level, event, fields))
    },
  }
  const services = serviceEvents(writer)
  return {
    ...services.events,
    ...fleetEvents(writer),
    ...requestEvents(options, writer, services.noteWorking),
    ...controlEvents(writer),
  }
}

type RequestEvents = Pick<Log, 'recordClosed' | 'strangerClosed' | 'defect'>

function requestEvents(
  { config, now, random, write }: LogOptions,
  { writes, tell }: Writer,
  noteWorking: (record: Parameters<Log['recordClosed']>[0]) => void,
): RequestEvents {
  const strangers = new LineBudget()
  return {
    recordClosed(record, _view, exchange) {
      const level = levelOf(record)
      const { sampleRatio } = config().log
      const isKept = level !== 'info' || sampleRatio >= 1 || random() < sampleRatio
      if (isKept && writes(level)) {
        // What is always written stands for itself, so that whoever divides by the ratio counts right.
        const ratio = sampleRatio >= 1 ? null : level === 'info' ? sampleRatio : 1
        write(toRequestEntry(record, exchange, { level, sampleRatio: ratio }))
      }
      noteWorking(record)
      if (!writes('debug')) return
      // The text of a prompt may be in a decision log that was told to keep it; this is not one.
      const { request_text: _text, ...rest } = record
      write({ time: record.timestamp, level: 'debug', event: 'decision', ...rest })
    },
    strangerClosed(exchange, end) {
      // Probes of load balancers that are answered as they should be.
      if (end.status < 400) return tell('debug', 'request', toStrangerFields(exchange, end, now()))
      const unlogged = strangers.take(now())
      if (unlogged === null) return
      const level = end.status >= 500 ? 'error' : 'info'
      const left = unlogged === 0 ? {} : { unlogged }
      tell(level, 'request', { ...toStrangerFields(exchange, end, now()), ...left })
    },
    defect: (requestId, cause) => tell('error', 'defect', { request_id: requestId, cause: causeText(cause) }),
  }
}

/** Findings of a refused configuration that are told one by one. */
const MAX_FINDINGS = 5

function controlEvents({ tell }: Writer): ControlEvents {
  return {
    configChanged({ pointer: { sequence, origin }, before, after, diff }) {
      const { workersAdded, workersRemoved, changed, needsRestart } = diff
      const document = { hash: after, before, sequence, origin, changed }
      const workers = { workers_added: workersAdded, workers_removed: workersRemoved }
      tell('info', 'config_changed', { ...document, ...workers, needs_restart: needsRestart })
    },
    configRefused({ by, origin, findings }) {
      const errors = findings.filter(({ severity }) => severity === 'error')
      const told = errors.slice(0, MAX_FINDINGS).map(({ path, line, message }) => {
        return `${line === null ? '' : `line ${line} `}${path}: ${message}`
      })
      tell('error', 'config_refused', { by, origin, errors: errors.length, findings: told })
    },
    configStoreFailed: (cause) => tell('error', 'config_store_failed', { why: reasonText(cause) }),
    adminCalled({ requestId, method, route, by, status }) {
      // Prometheus comes every few seconds.
      const isScrape = route === '/metrics' && status < 400
      const level = status >= 500 ? 'error' : isScrape ? 'debug' : 'info'
      tell(level, 'admin', { method, route, by, status, request_id: requestId })
    },
  }
}

import { describe, expect, test } from 'vitest'
import type { LogLevel } from '../../config/config.ts'
import type { Exchange } from '../../pipeline/exchange.ts'
import type { LogEntry } from '../../platform.ts'
import type { DecisionRecord } from '../../record/schema.ts'
import { fullRecord } from '../../../test/support/full-record.ts'
import { createLog } from './log.ts'
import { levelOf } from './request-entry.ts'

const WORKERS = [{ id: 'a', url: 'http://10.0.0.7:8000', isNamed: true }]

function logAt(level: LogLevel, { sampleRatio = 1, draws = [0] as number[] } = {}) {
  const entries: LogEntry[] = []
  let nowMs = 0
  const config = { log: { level, format: 'json', sampleRatio }, workerDisplay: 'url', workers: WORKERS }
  let draw = 0
  const log = createLog({
    config: () => config as unknown as ReturnType<Parameters<typeof createLog>[0]['config']>, // all that is read
    now: () => nowMs,
    random: () => draws[draw++ % draws.length] ?? 0,
    write: (entry) => entries.push(entry),
  })
  const exchange = { config, worker: { id: 'a', config: WORKERS[0] }, tracing: null } as unknown as Exchange
  return {
    log,
    entries,
    advance: (ms: number) => void (nowMs += ms),
    close: (record: Partial<DecisionRecord>) => log.recordClosed({ ...fullRecord, ...record }, null, exchange),
  }
}

const GOOD = { status: 200, lifecycle_state: 'completed', stream_end: 'complete', attempts: [] } as const
const attempt = (outcome: string, status?: number) => ({ worker: 'a', outcome, ms: 1, ...(status ? { status } : {}) })

describe('the level of a request', () => {
  test.each<[LogLevel, string, Partial<DecisionRecord>]>([
    ['info', 'all is well', {}],
    ['info', 'the caller made a mistake', { status: 400, error: 'invalid_json' }],
    ['info', 'the caller left', { status: 499, lifecycle_state: 'aborted', stream_end: 'client_aborted' }],
    ['info', 'the second of two at a time won', { attempts: [attempt('superseded'), attempt('answered', 200)] }],
    ['warn', 'a limit refused it', { status: 429, error: 'rate_limit_exceeded' }],
    ['warn', 'nobody serves the model', { status: 404, error: 'model_not_found' }],
    ['warn', 'another worker had to help', { attempts: [attempt('unreachable'), attempt('answered', 200)] }],
    ['warn', 'the first worker failed', { attempts: [attempt('answered', 503), attempt('answered', 200)] }],
    ['error', 'it failed', { status: 502, lifecycle_state: 'failed' }],
    ['error', 'the stream was cut', { stream_end: 'truncated', lifecycle_state: 'failed' }],
    ['error', 'the stream stood still', { stream_end: 'timeout', lifecycle_state: 'failed' }],
  ])('%s: %s', (level, _what, record) => {
    const { error: _error, ...base } = { ...fullRecord, ...GOOD, ...record }
    expect(levelOf({ ...base, ...(record.error === undefined ? {} : { error: record.error }) })).toBe(level)
  })
})

describe('a request', () => {
  test('leaves one entry with the essentials, and its worker as headers show it', () => {
    const { entries, close } = logAt('info')
    close({ ...GOOD, decision_id: 'd-1', request_id: 'r-1' })
    expect(entries).toHaveLength(1)
    expect(entries[0]).toMatchObject({
      event: 'request',
      level: 'info',
      time: fullRecord.timestamp,
      decision_id: 'd-1',
      request_id: 'r-1',
      worker: 'http://10.0.0.7:8000',
      attempts: 0,
    })
    expect(entries[0]).not.toHaveProperty('candidates')
  })

  test('has its whole record at debug, without the text of the prompt', () => {
    const { entries, close } = logAt('debug')
    close({ ...GOOD, request_text: 'a prompt' })
    expect(entries.map(({ event }) => event)).toEqual(['request', 'decision'])
    expect(entries[1]).toMatchObject({ schema_version: 4, candidates: expect.any(Array) })
    expect(JSON.stringify(entries)).not.toContain('a prompt')
  })

  test('is left out by chance when it went well, and by level; never when it did not', () => {
    const { entries, close } = logAt('info', { sampleRatio: 0.5, draws: [0.6, 0.4] })
    close(GOOD)
    close(GOOD)
    close({ ...GOOD, status: 502 })
    expect(entries).toMatchObject([
      { level: 'info', sample_ratio: 0.5 },
      { level: 'error', sample_ratio: 1 },
    ])
    const quiet = logAt('error')
    quiet.close(GOOD)
    quiet.close({ ...GOOD, status: 429 })
    quiet.close({ ...GOOD, status: 500 })
    expect(quiet.entries).toMatchObject([{ status: 500 }])
  })

  test('with a name as long as a book has a short line', () => {
    const { entries, close } = logAt('info')
    close({ ...GOOD, original_model: 'x'.repeat(100_000) })
    expect(JSON.stringify(entries).length).toBeLessThan(2_000)
  })

  test('that nobody is known to have sent is told of, up to twenty a second', () => {
    const { log, entries, advance } = logAt('info')
    const exchange = { requestId: 'r', route: null, receivedAtMs: 0 } as Exchange
    const refuse = () => log.strangerClosed(exchange, { status: 401, errorCode: 'invalid_api_key', streamEnd: null })
    for (let at = 0; at < 50; at += 1) refuse()
    expect(entries).toHaveLength(20)
    expect(entries[0]).toMatchObject({ event: 'request', status: 401, error: 'invalid_api_key' })
    advance(1_000)
    refuse()
    expect(entries.at(-1)).toMatchObject({ unlogged: 30 })
  })
})

describe('a service that fails', () => {
  const failure = { requestId: 'r', hook: 'safety', outcome: 'timeout', why: 'late' } as const

  test('is told of once, then once a minute with the number of failures, and once when it works again', () => {
    const { log, entries, advance, close } = logAt('warn')
    const { log: told, entries: said, advance: pass, close: end } = logAt('info')
    for (const [each, wait] of [
      [log, advance],
      [told, pass],
    ] as const) {
      for (let at = 0; at < 10; at += 1) each.hookFailed(failure)
      wait(60_000)
      each.hookFailed(failure)
    }
    close({ ...GOOD, hooks_ran: ['safety:timeout'] })
    end({ ...GOOD, hooks_ran: ['safety'] })
    end({ ...GOOD, hooks_ran: ['safety'] })
    expect(entries.filter(({ event }) => event === 'hook_failed')).toMatchObject([{ why: 'late' }, { repeated: 9 }])
    const changes = said.filter(({ event }) => event.startsWith('hook_'))
    expect(changes.map(({ event }) => event)).toEqual(['hook_failed', 'hook_failed', 'hook_recovered'])
    expect(changes.at(-1)).toMatchObject({ hook: 'safety', failures: 11, lasted_ms: 60_000 })
  })

  test('and comes and goes causes two entries a minute', () => {
    const { log, entries, close, advance } = logAt('info')
    for (let at = 0; at < 100; at += 1) {
      advance(100)
      log.hookFailed(failure)
      close({ ...GOOD, hooks_ran: ['safety'] })
    }
    expect(entries.filter(({ event }) => event.startsWith('hook_'))).toHaveLength(2)
  })

  test('is told of each time at debug', () => {
    const { log, entries } = logAt('debug')
    for (let at = 0; at < 3; at += 1) log.hookFailed(failure)
    expect(entries).toHaveLength(3)
  })

  test('is a store that the fleet agrees through, too', () => {
    const { log, entries, advance } = logAt('info')
    log.fleetSyncFailed(new Error('gone'))
    log.fleetSyncFailed(new Error('gone'))
    advance(5_000)
    log.storeRecovered('fleet')
    log.storeRecovered('fleet')
    expect(entries).toMatchObject([
      { level: 'warn', event: 'fleet_sync_failed', why: 'gone' },
      { level: 'info', event: 'fleet_sync_recovered', failures: 2, lasted_ms: 5_000 },
    ])
  })
})

describe('a worker', () => {
  const change = (from: string, to: string, breaker: readonly [string, string]) =>
    ({
      workerId: 'a',
      availability: { from, to },
      breaker: { from: breaker[0], to: breaker[1] },
      reason: 'probe',
    }) as unknown as Parameters<ReturnType<typeof createLog>['workerChanged']>[0]

  test('is told of when it or its breaker changes, but not when it is first found up', () => {
    const { log, entries } = logAt('info')
    log.workerChanged(change('unknown', 'up', ['closed', 'closed']))
    log.workerChanged(change('up', 'down', ['closed', 'closed']))
    log.workerChanged(change('down', 'up', ['closed', 'closed']))
    log.workerChanged(change('up', 'draining', ['closed', 'closed']))
    log.workerChanged(change('up', 'up', ['closed', 'open']))
    log.workerChanged(change('up', 'up', ['open', 'half_open']))
    expect(entries.map(({ level, availability, breaker }) => [level, availability, breaker])).toEqual([
      ['warn', 'down', 'closed'],
      ['info', 'up', 'closed'],
      ['info', 'draining', 'closed'],
      ['warn', 'up', 'open'],
      ['info', 'up', 'half_open'],
    ])
  })
})

test('calls of admin routes have entries, and scrapes that are answered only at debug', () => {
  const call = { requestId: 'r', method: 'GET', by: 'ops' }
  const toldAt = (level: LogLevel) => {
    const { log, entries } = logAt(level)
    log.adminCalled({ ...call, route: '/metrics', status: 200 })
    log.adminCalled({ ...call, route: '/metrics', status: 403 })
    log.adminCalled({ ...call, route: '/admin/stats', status: 200 })
    return entries.map((entry) => [entry.level, entry['route'], entry['status']])
  }
  const others = [
    ['info', '/metrics', 403],
    ['info', '/admin/stats', 200],
  ]
  expect(toldAt('info')).toEqual(others)
  expect(toldAt('debug')).toEqual([['debug', '/metrics', 200], ...others])
})

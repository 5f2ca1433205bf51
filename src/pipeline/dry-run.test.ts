// A dry run decides on the same view as live traffic and touches nothing: permits, turns, limits, events.

import { expect, test } from 'vitest'
import { HEALTH, snapshotOf, workerStateOf } from '../../test/support/fleet.ts'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { loadConfig } from '../config/load.ts'
import { createViewDocuments } from '../record/view-document.ts'
import { policyRegistry } from '../routing/policies/index.ts'
import { FleetLink } from '../store/fleet-link.ts'
import { FleetMirror } from '../store/fleet-mirror.ts'
import type { FleetStore, HolderReport } from '../store/fleet-store.ts'
import { LimitDesk } from '../store/limit-desk.ts'
import { createMemoryLimitStore } from '../store/memory-limits.ts'
import { createCallers } from './callers.ts'
import { dryRun, type DryRunRequest } from './dry-run.ts'
import { openExchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { readJsonRequest } from './json-request.ts'
import type { RouterParts } from './router-parts.ts'

const CONTEXT = { waitUntil: (task: Promise<unknown>) => void task.catch(() => {}), rawTarget: null }

function forbidden(what: string): () => never {
  return () => {
    throw new Error(`a dry run must not ${what}`)
  }
}

/** Parts of a router whose every way to leave a trace throws. */
async function parts(yaml: string, store: Partial<FleetStore> = {}) {
  const loaded = await loadConfig(yaml, { env: () => undefined, policies: policyRegistry() })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings))
  const { config } = loaded
  const { now, after } = createFakeClock()
  const reports: HolderReport[] = []
  const fleet = {
    source: 'fleet',
    async sync(report: HolderReport) {
      reports.push(report)
      const workers = [workerStateOf('a', { availability: 'half_open' }), workerStateOf('b', { availability: 'down' })]
      return snapshotOf(now(), { workers, permits: [{ id: 1, workerId: 'a' }] })
    },
    ticketNow: forbidden('take a turn'),
    peekTicket: () => 41,
    takeTicket: forbidden('take a strict turn'),
    findResponse: async () => ({ workerId: 'a', tenant: null }),
    ...store,
  } as unknown as FleetStore // all of it that a dry run may use, and more
  const random = () => 0.5
  const randomId = () => 'ab'.repeat(16)
  const link = new FleetLink({ store: fleet, now, random, randomId, onSyncFailed: forbidden('fail') })
  const mirror = new FleetMirror(link, { ...config, health: HEALTH })
  const platform = { now, after, random, randomId, fleet, send: forbidden('send anything') }
  const silent = new Proxy({}, { get: (_, event) => forbidden(`tell of ${String(event)}`) })
  const given = {
    config,
    platform,
    mirror,
    callers: createCallers({ config, platform, onKeyServiceFailure: forbidden('ask') } as never),
    limits: new LimitDesk({
      store: createMemoryLimitStore(now),
      now,
      after,
      randomId,
      onStoreFailed: forbidden('fail'),
    }),
    hookGroups: [],
    responseCache: null,
    semanticCache: null,
    clusters: null,
    lmcache: null,
    events: silent,
    viewDocuments: createViewDocuments(),
    isDraining: () => false,
  } as unknown as RouterParts // what is left out a dry run has no business with
  return { given, mirror, reports }
}

function requestOf(body: object, more: Partial<InferenceRequest> = {}): InferenceRequest {
  return {
    method: 'POST',
    target: '/v1/chat/completions',
    headers: new Headers(),
    ...readJsonRequest(new TextEncoder().encode(JSON.stringify(body))),
    needsModel: true,
    streamKind: 'chat',
    pinnedWorkerId: null,
    bodyFault: () => null,
    signal: new AbortController().signal,
    onResponseId: null,
    ...more,
  }
}

function run(given: RouterParts, body: object, asked: Partial<DryRunRequest> = {}) {
  const exchange = openExchange({ requestId: 'r', receivedAtMs: 0, config: given.config, context: CONTEXT })
  return dryRun(given, exchange, {
    caller: { tenant: null },
    headers: new Headers(),
    signal: new AbortController().signal,
    asksHooks: false,
    seed: null,
    read: () => requestOf(body),
    ...asked,
  })
}

const WORKERS = 'workers: [{id: a, url: "http://a.test", models: [m]}, {id: b, url: "http://b.test", models: [m]}]\n'

test('a permit to try a worker stays where it is, whoever asks how often', async () => {
  const { given, mirror } = await parts(`${WORKERS}policy: least_load`)
  for (let n = 0; n < 3; n += 1) {
    const { record, error } = await run(given, { model: 'm' })
    expect([record.worker, error]).toEqual(['a', null])
    expect(record.candidates?.[0]).toMatchObject({ worker: 'a', note: 'permit' })
  }
  expect(mirror.view().candidates[0]).toMatchObject({ availability: 'half_open', hasPermit: true })
  expect(mirror.inFlight()).toBe(0)
})

test('a turn is looked at; a strict one that is counted elsewhere is not known', async () => {
  const { given, reports } = await parts(`${WORKERS}policy: round_robin`)
  expect((await run(given, { model: 'm' })).record.ticket).toBe(41)
  expect(reports.every(({ ticketsWanted }) => ticketsWanted.size === 0)).toBe(true)
  const elsewhere = { ticketNow: null, peekTicket: undefined } as unknown as Partial<FleetStore> // as over a network
  const strict = await parts(`${WORKERS}policy: {type: round_robin, strict: true}`, elsewhere)
  const { record } = await run(strict.given, { model: 'm' })
  expect([record.worker, record.ticket]).toEqual(['a', undefined])
})

test('the same seed draws the same worker, score for score', async () => {
  const { given } = await parts(`${WORKERS}policy: random`)
  const one = await run(given, { model: 'm' }, { seed: 77 })
  const other = await run(given, { model: 'm' }, { seed: 77 })
  expect(one.record.seed).toBe(77)
  expect(other.record.candidates).toEqual(one.record.candidates)
})

test('a stored response is looked up, and its holder is where it would go', async () => {
  const { given } = await parts(`${WORKERS}policy: random`)
  const read = () => requestOf({ model: 'm', previous_response_id: 'resp_1' })
  const { record } = await run(given, {}, { read })
  expect(record).toMatchObject({ worker: 'a', policy: 'response_affinity', pinned: 'a' })
})

test('the door is checked before the body is read, and a defect is no refusal', async () => {
  const { given } = await parts(`${WORKERS}inbound_api_key: sesame-0123456789`)
  const read = () => {
    throw new TypeError('a defect')
  }
  const { error } = await run(given, {}, { caller: 'offered', headers: new Headers({ 'x-api-key': 'wrong' }), read })
  expect(error?.code).toBe('invalid_api_key')
  await expect(run(given, {}, { read })).rejects.toThrow('a defect')
})

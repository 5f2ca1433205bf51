// Metrics over isolates: whoever is asked tells what all have counted, each thing once, and nothing that was told once is ever
// taken back.

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import type { ExporterChange } from '../../src/pipeline/events.ts'
import { FleetCountsKeeper } from '../../src/runtime/cloudflare-fleet-counts.ts'
import { countsName } from '../../src/store/durable-fleet-counts.ts'
import type { CountReport } from '../../src/store/fleet-counts.ts'
import { defaultBreaker, outcomesOf, reportOf } from '../support/fleet.ts'
import { readScrape } from '../support/metrics.ts'
import {
  advance,
  chatInit,
  configOf,
  createIsolate,
  fleetObject,
  type Isolate,
  POOL,
  reportPauses,
  root,
  useFleet,
} from './rig.ts'

useFleet()

const counts = () => fleetObject(countsName(POOL))
const isolateOf = (more = 'metrics: {public: true}') => createIsolate({ config: configOf('round_robin', more) })
const reports = ({ calls }: Isolate) => calls.filter(({ method }) => method === 'reportCounts').length
const REQUESTS = 'requests_total{route="/v1/chat/completions",model="m",status="2xx"}'

/** Pauses before reports, which end when a test says so. */
let pauses: (() => void)[] = []

beforeEach(() => {
  pauses = []
  reportPauses.hold = (end) => void pauses.push(end)
})
// No task is left waiting for its pause.
afterEach(() => endPauses())

function endPauses(): void {
  for (const end of pauses.splice(0)) end()
}

/** Resolves with what it left to do beside it. */
async function chat(isolate: Isolate): Promise<{ readonly beside: Promise<void> }> {
  const { response, beside } = await isolate.fetch('/v1/chat/completions', chatInit())
  await response.text()
  return { beside }
}

async function scrape(isolate: Isolate) {
  const { response } = await isolate.fetch('/metrics')
  return readScrape(await response.text())
}

describe('a scrape', () => {
  test('tells what all isolates have counted, whichever it meets', async () => {
    const [one, other] = [isolateOf(), isolateOf()]
    const tasks = [await chat(one), await chat(one), await chat(other)]
    endPauses()
    await Promise.all(tasks.map(({ beside }) => beside))
    for (const isolate of [one, other, isolateOf()]) expect((await scrape(isolate)).get(REQUESTS)).toBe(3)
  })

  test('holds what the isolate it meets has not told yet', async () => {
    const isolate = isolateOf()
    await chat(isolate)
    expect((await scrape(isolate)).get(REQUESTS)).toBe(1)
    await chat(isolate)
    expect((await scrape(isolate)).get(REQUESTS)).toBe(2)
  })

  test('never goes back, whatever becomes of the object', async () => {
    const isolate = isolateOf()
    await chat(isolate)
    await scrape(isolate)
    await evictDurableObject(counts())
    expect((await scrape(isolate)).get(REQUESTS)).toBe(1)
    await chat(isolate)
    expect((await scrape(isolateOf())).get(REQUESTS)).toBe(1)
    expect((await scrape(isolate)).get(REQUESTS)).toBe(2)
  })

  test('leaves the counts out, and says so, where the object is out of reach', async () => {
    const isolate = createIsolate({ config: configOf('round_robin', 'metrics: {public: true}') })
    await chat(isolate)
    await runInDurableObject(counts(), (object) => {
      vi.spyOn(object, 'reportCounts').mockRejectedValue(new Error('out of reach'))
    })
    const { response } = await isolate.fetch('/metrics')
    const text = await response.text()
    expect(text).toMatch(/^# What the fleet has counted can't be had/)
    expect(readScrape(text).get(REQUESTS)).toBeUndefined()
    expect(readScrape(text).get('active_workers')).toBe(3)
  })

  test('counts a change of a breaker once, however many isolates hear of it', async () => {
    const isolates = [isolateOf(), isolateOf(), isolateOf()]
    for (const isolate of isolates) await chat(isolate)
    const { workers } = await root().sync(reportOf('teller'))
    const epoch = workers.find(({ workerId }) => workerId === 'a')?.epoch ?? 0
    const faults = outcomesOf('a', { epoch, faults: defaultBreaker().failureThreshold })
    await root().sync(reportOf('teller', { outcomes: { sender: 'teller', seq: 1, workers: [faults] } }))
    advance(3_000)
    for (const isolate of isolates) await chat(isolate)
    for (const isolate of isolates) await scrape(isolate)
    const moved = [...(await scrape(isolateOf()))].filter(([name]) => name.startsWith('cb_state_transitions'))
    expect(moved).toEqual([['cb_state_transitions_total{worker="a",from="closed",to="open"}', 1]])
  })
})

describe('an isolate', () => {
  test('reports once for what comes within five seconds', async () => {
    const isolate = isolateOf()
    const tasks = [await chat(isolate), await chat(isolate), await chat(isolate)]
    expect(reports(isolate)).toBe(0)
    endPauses()
    await Promise.all(tasks.map(({ beside }) => beside))
    expect(reports(isolate)).toBe(1)
  })

  test('reports nothing where nobody may ask', async () => {
    const isolate = isolateOf('')
    const { beside } = await chat(isolate)
    endPauses()
    await beside
    expect(reports(isolate)).toBe(0)
  })
})

describe('a collector', () => {
  const push = {
    endpoint: 'http://collector.test/v1/metrics',
    protocol: 'http/json',
    headers: {},
    serviceName: 'edge',
    intervalMs: 30_000,
  } as const

  /** The part of the object that counts, in a life of its own; `messages` is what a collector got. */
  async function keeperOf(
    status: () => number,
    act: (keeper: FleetCountsKeeper, messages: string[], told: ExporterChange[]) => Promise<void>,
  ) {
    await runInDurableObject(counts(), async (_object, { storage }) => {
      const messages: string[] = []
      const told: ExporterChange[] = []
      const platform = {
        after: () => () => {},
        send: async (_url: string, { body }: { body: unknown }) => {
          messages.push(new TextDecoder().decode(body as Uint8Array))
          return new Response('', { status: status() })
        },
      }
      const config = async (): Promise<Pick<Config, 'metricsPush'>> => ({ metricsPush: push })
      const onExporterChange = (change: ExporterChange) => void told.push(change)
      await act(new FleetCountsKeeper({ storage, platform, config, onExporterChange }), messages, told)
    })
  }

  const countsOf = (seq: number): CountReport => ({
    sender: 'one',
    batch: { seq, counts: { vllm_router_cache_misses_total: { '': [1] } }, events: [] },
    levels: { vllm_router_active_workers: { '': 3 } },
    wantsAll: false,
    isPushed: true,
  })
  const valueOf = (message = '') => {
    const { metrics } = JSON.parse(message).resourceMetrics[0].scopeMetrics[0]
    return Object.fromEntries(
      metrics.map(({ name, sum, gauge }: { name: string } & Record<string, { dataPoints: { asDouble: number }[] }>) => [
        name.replace('vllm_router_', ''),
        (sum ?? gauge)?.dataPoints[0]?.asDouble,
      ]),
    )
  }

  test('gets all that was counted, once an interval and while there is something new', async () => {
    await keeperOf(
      () => 200,
      async (keeper, messages) => {
        await keeper.report(countsOf(1))
        await keeper.alarm()
        expect(messages.map(valueOf)).toMatchObject([{ cache_misses_total: 1, active_workers: 3 }])
        await keeper.report(countsOf(2))
        await keeper.alarm()
        expect(messages).toHaveLength(1)
        advance(30_000)
        await keeper.alarm()
        expect(valueOf(messages[1])).toMatchObject({ cache_misses_total: 2, metric_pushes_total: 1 })
        advance(30_000)
        await keeper.alarm()
        expect(messages).toHaveLength(2)
      },
    )
  })

  test('that fails gets the whole with the next, and the log says so once', async () => {
    let status = 503
    await keeperOf(
      () => status,
      async (keeper, messages, told) => {
        await keeper.report(countsOf(1))
        for (let failed = 0; failed < 2; failed += 1) {
          await keeper.alarm()
          advance(30_000)
        }
        expect(told).toEqual([{ signal: 'metrics', state: 'failing', lost: 1 }])
        status = 200
        await keeper.alarm()
        expect(valueOf(messages[2])).toMatchObject({ cache_misses_total: 1 })
        expect(told.slice(1)).toEqual([{ signal: 'metrics', state: 'recovered', lost: 2 }])
      },
    )
  })

  test('gets series of one name and one beginning, however often the object is put away', async () => {
    const origins: unknown[] = []
    for (let life = 0; life < 2; life += 1) {
      await keeperOf(
        () => 200,
        async (keeper, messages) => {
          advance(60_000)
          await keeper.report({ ...countsOf(1), sender: `life ${life}` })
          await keeper.alarm()
          const [{ resource, scopeMetrics }] = JSON.parse(messages[0] ?? '').resourceMetrics
          const [point] = scopeMetrics[0].metrics.find(({ sum }: { sum?: object }) => sum !== undefined).sum.dataPoints
          origins.push([resource, point.startTimeUnixNano])
        },
      )
      await evictDurableObject(counts())
    }
    expect(origins[1]).toEqual(origins[0])
  })
})

test('the alarm keeps what no scrape has asked for', async () => {
  const isolate = isolateOf()
  const { beside } = await chat(isolate)
  endPauses()
  await beside
  await runDurableObjectAlarm(counts())
  await evictDurableObject(counts())
  expect((await scrape(isolateOf())).get(REQUESTS)).toBe(1)
})

// One isolate of a simulated deployment: the clients of the objects as the Worker has them, and requests that use them as
// the pipeline does, deciding left out.

import type { DecisionRecord } from '../../src/record/schema.ts'
import { createDurableLimitStore } from '../../src/store/durable-limits.ts'
import { DECISION_SHARDS } from '../../src/store/decision-shard.ts'
import { DurableDecisions } from '../../src/store/durable-decisions.ts'
import { createDurableFleetStore } from '../../src/store/durable-object.ts'
import { FleetLink } from '../../src/store/fleet-link.ts'
import { placeAmong } from '../../src/store/isolate-place.ts'
import { LimitDesk } from '../../src/store/limit-desk.ts'
import { BREAKER } from '../../test/support/fleet.ts'
import { POOL, type SimulatedObjects } from './objects.ts'
import type { ObjectCounts } from './rule.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** How long a worker takes. Longer requests lease no more often; those beyond five seconds are told to the decision log. */
const SERVICE_MS = 400

/** How often due requests are begun. */
const TICK_MS = 20

const TENANT = 'tenant'
const LIMITS = { rateLimitRps: 1_000_000, maxConcurrent: 1_000_000, tokensPerMinute: null }

export interface IsolateOptions {
  readonly clock: VirtualClock
  readonly objects: SimulatedObjects
  readonly counts: ObjectCounts
  readonly requestsPerSecond: number
  /** Of those, the part that stores a response. */
  readonly storedShare: number
  readonly workers: number
  readonly random: () => number
}

export interface Isolate {
  readonly done: () => number
  readonly failed: () => number
  /** What could not be handed over or asked. */
  readonly complaints: () => readonly string[]
}

export function startIsolate(options: IsolateOptions): Isolate {
  const { clock, random } = options
  const complaints: string[] = []
  const { store, link, desk, decisions } = openClients(options, (cause) => void complaints.push(String(cause)))
  const beside = (task: Promise<unknown>) => void task.catch((cause: unknown) => void complaints.push(String(cause)))
  let [done, failed, turn] = [0, 0, 0]

  async function serve(): Promise<void> {
    const admitted = await desk.admit({ tenant: TENANT, limits: LIMITS, charge: { tokens: 0 } }, beside)
    const fresh = link.ensureFresh(beside, 'm')
    if (fresh !== null) await fresh
    if (admitted.kind === 'refused') return void (failed += 1)
    turn += 1
    const workerId = `w${link.desk.next('m') % options.workers}`
    const attempt = { workerId, epoch: 0, breaker: BREAKER }
    const lease = link.acquire({ candidateId: workerId, attempt, needsPermit: false, beside })
    await clock.pause(SERVICE_MS)
    lease.note({ kind: 'ok' })
    lease.release()
    admitted.release()
    // What else a record holds is the objects' affair.
    const timestamp = new Date(clock.now()).toISOString()
    const kept = decisions.append([{ decision_id: idFrom(random), timestamp } as DecisionRecord], [])
    if (kept !== null) beside(kept)
    if (isStored(turn, options.storedShare)) {
      const owner = { workerId, tenant: TENANT }
      beside(store.rememberResponse(idFrom(random), owner, clock.now() + 60_000))
    }
    done += 1
  }

  let owed = random()
  function tick(): void {
    owed += (options.requestsPerSecond * TICK_MS) / 1_000
    for (; owed >= 1; owed -= 1) beside(serve())
    clock.after(TICK_MS, tick)
  }
  clock.after(Math.floor(random() * 1_000), tick)
  return { done: () => done, failed: () => failed, complaints: () => complaints }
}

function idFrom(random: () => number): string {
  return Math.floor(random() * 2 ** 48).toString(16)
}

/** What the Worker asks the objects through. */
function openClients({ clock, objects, counts, random }: IsolateOptions, complain: (cause: unknown) => void) {
  const { now, after } = clock
  const place = random()
  const randomId = () => idFrom(random)
  const store = createDurableFleetStore({
    namespace: objects.fleet,
    pool: POOL,
    replica: () => placeAmong(place, counts.replicas).index,
    shards: () => counts.shards,
  })
  const limits = createDurableLimitStore({
    namespace: objects.tenant,
    pool: POOL,
    place: () => placeAmong(place, counts.tenant_shards),
  })
  const decisions = new DurableDecisions({
    namespace: objects.decisions,
    pool: POOL,
    settings: () => SHARD_SETTINGS,
    place: () => placeAmong(place, counts.decision_groups * DECISION_SHARDS),
    readSegment: async () => null,
    onChange: complain,
    now,
    after,
  })
  return {
    store,
    link: new FleetLink({ store, now, random, randomId, onSyncFailed: complain }),
    desk: new LimitDesk({ store: limits, now, after, randomId, onStoreFailed: complain }),
    decisions,
  }
}

/** Every n-th, for a share of one in n. */
function isStored(turn: number, share: number): boolean {
  return Math.floor(turn * share) > Math.floor((turn - 1) * share)
}

const SHARD_SETTINGS = {
  prefix: '',
  exportIntervalMs: 10_000,
  retentionMs: null,
  retentionBytes: null,
  exportSample: 1,
}

// The Durable Objects of a simulated deployment: the code that the real ones run, behind calls that take a few milliseconds
// and are counted by object.

import { createFleetRelay, type FleetRelay } from '../../src/store/fleet-relay.ts'
import { FleetState } from '../../src/store/fleet-state.ts'
import type { FleetSnapshot, HolderReport } from '../../src/store/fleet-store.ts'
import type { DecisionShard } from '../../src/store/decision-shard.ts'
import type { RecordBatch } from '../../src/store/record-batch.ts'
import { type FleetStub, rootName } from '../../src/store/durable-object.ts'
import type { TenantStub } from '../../src/store/durable-limits.ts'
import { createMemoryLimitStore, type MemoryLimitStore } from '../../src/store/memory-limits.ts'
import { fleetConfigOf, reportOf } from '../../test/support/fleet.ts'
import { observationOf } from '../../test/support/observation.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** There and back between an isolate and an object. */
const CALL_MS = 10

/** How often the root asks the workers. */
const PROBE_MS = 5_000

export const POOL = 'default'

/** Kinds of objects by what their names hold. */
export const OBJECT_KINDS = ['root', 'replica', 'responses', 'prefixes', 'tenant', 'decisions'] as const

export type ObjectKind = (typeof OBJECT_KINDS)[number]

export function kindOf(name: string): ObjectKind {
  const kind = OBJECT_KINDS.find((candidate) => name.startsWith(`${POOL}/${candidate}`))
  return kind ?? 'tenant'
}

/** Nobody calls it here. */
const unused = async (): Promise<never> => {
  throw new Error('not part of the simulation')
}

export class SimulatedObjects {
  /** Calls by object since the last `reset`. */
  readonly calls = new Map<string, number>()
  /** Records handed over since the last `reset`, by object, and the batches that they came in. */
  readonly records = new Map<string, number>()
  batches = 0
  /** CPU milliseconds that objects used since the last `reset`. */
  cpuMs = 0
  readonly #clock: VirtualClock
  readonly #state: FleetState
  readonly #relays = new Map<string, FleetRelay>()
  readonly #limits: MemoryLimitStore

  constructor(clock: VirtualClock, workers: number) {
    const ids = Array.from({ length: workers }, (_, at) => `w${at}`)
    this.#clock = clock
    this.#state = new FleetState({ config: fleetConfigOf(ids), drainSettleMs: 8_000, nowMs: clock.now() })
    this.#limits = createMemoryLimitStore(clock.now)
    this.#probe(ids)
  }

  readonly fleet = (name: string): FleetStub => ({
    // A report as an isolate of this version sends it, with nothing left out.
    sync: (report) =>
      this.#call(name, () => this.#relay(name).sync(reportOf(report.holder, report as Partial<HolderReport>))),
    rememberResponse: () => this.#call(name, () => {}),
    findResponse: () => this.#call(name, () => null),
    readPrefixHints: (keys) => this.#call(name, () => keys.map(() => null)),
    writePrefixHints: () => this.#call(name, () => {}),
    drain: unused,
    undrain: unused,
    takeTicket: unused,
    forgetResponse: unused,
    announcePurge: unused,
    reportCounts: unused,
    readVectors: unused,
    writeVectors: unused,
  })

  readonly tenant = (name: string): TenantStub => ({
    lease: (report) => this.#call(name, () => this.#timed(() => this.#limits.leaseNow({ ...report, tenant: name }))),
  })

  readonly decisions = (name: string): DecisionShard => ({
    append: (batches) => this.#call(name, () => this.#take(name, batches)),
    putView: () => this.#call(name, () => {}),
    noteOpen: () => this.#call(name, () => {}),
    query: unused,
    find: unused,
    findView: unused,
    survey: unused,
    unexported: unused,
    status: unused,
  })

  reset(): void {
    this.calls.clear()
    this.records.clear()
    this.batches = 0
    this.cpuMs = 0
  }

  #take(name: string, batches: readonly RecordBatch[]): void {
    this.batches += batches.length
    const records = batches.reduce((sum, { ids }) => sum + ids.length, 0)
    this.records.set(name, (this.records.get(name) ?? 0) + records)
  }

  #probe(ids: readonly string[]): void {
    this.#state.observe(ids.map((id) => observationOf(id, { models: ['m'], atMs: this.#clock.now() })))
    this.#clock.after(PROBE_MS, () => this.#probe(ids))
  }

  async #call<Answer>(name: string, answer: () => Answer | Promise<Answer>): Promise<Answer> {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1)
    await this.#clock.pause(CALL_MS / 2)
    const value = await answer()
    await this.#clock.pause(CALL_MS / 2)
    return value
  }

  /** Only what runs at once is timed. */
  #timed<Answer>(work: () => Answer): Answer {
    const begin = performance.now()
    const answer = work()
    this.cpuMs += performance.now() - begin
    return answer
  }

  #relay(name: string): FleetRelay {
    const known = this.#relays.get(name)
    if (known !== undefined) return known
    const syncAbove = (report: HolderReport) => this.#call(rootName(POOL), () => this.#syncRoot(report))
    const relay = createFleetRelay({ name, life: name, now: this.#clock.now, syncAbove })
    this.#relays.set(name, relay)
    return relay
  }

  #syncRoot(report: HolderReport): FleetSnapshot {
    return this.#timed(() => {
      this.#state.note(report, this.#clock.now())
      return this.#state.snapshotFor(report, this.#clock.now())
    })
  }
}

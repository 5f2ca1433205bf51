// The Durable Object `Fleet`. Its name says which part it plays: root of a pool (counts turns, probes workers by
// alarm), replica (relays between isolates and the root), or shard of the stored responses' owners.

import { DurableObject } from 'cloudflare:workers'
import type { Config } from '../config/config.ts'
import { rootName, type FleetStub } from '../store/durable-object.ts'
import { createFleetRelay } from '../store/fleet-relay.ts'
import { FleetState, type TurnCount } from '../store/fleet-state.ts'
import type { FleetSnapshot, HolderReport, ResponseOwner, WorkerObservation } from '../store/fleet-store.ts'
import { nextProbeMs, probeWorkers } from '../upstream/probe.ts'
import { outgoing, type RouterEnv } from './cloudflare-env.ts'
import { FleetStorage } from './cloudflare-fleet-storage.ts'

/** How soon a worker that a request could not reach is asked again. */
const RECHECK_MS = 200

/** Without a sync for this long nobody routes here, and probing stops until the next one. */
const IDLE_MS = 60_000

/** An alarm that is overdue by this much was lost, with the object that set it or after too many failures. */
const LOST_MS = 60_000

/** The configuration the isolates run; the root needs its workers to probe them. */
type LoadConfig = (env: RouterEnv) => Promise<Config>

/** One object of the class. `createFleetClass` ties it to a configuration. */
export class FleetObject extends DurableObject<RouterEnv> implements FleetStub {
  readonly #loadConfig: LoadConfig
  readonly #state = new FleetState({ issuesTickets: true })
  readonly #storage = new FleetStorage(this.ctx.storage)
  readonly #relay = createFleetRelay({
    name: this.ctx.id.name ?? 'replica',
    now: () => Date.now(),
    syncAbove: async (report) => (await this.#root()).sync(report),
  })
  #config: Config | null = null
  #resumed: Promise<void> | null = null
  #firstRound: Promise<void> | null = null
  #lastSyncAtMs = 0
  /** When the alarm is due, or began to run; 0 when there is none. */
  #alarmAtMs = 0
  #isProbing = false
  /** A request found a worker gone since the round under way began, so that round may have asked it before. */
  #isDoubted = false

  constructor(state: DurableObjectState, env: RouterEnv, load: LoadConfig) {
    super(state, env)
    this.#loadConfig = load
  }

  async sync(report: HolderReport): Promise<FleetSnapshot> {
    if (!this.#isRoot()) return this.#relay.sync(report)
    this.#lastSyncAtMs = Date.now()
    this.#state.note(report, Date.now())
    await this.#whenKnown()
    if (report.unreachable.length > 0) this.#isDoubted = true
    if (!this.#isProbing && (report.unreachable.length > 0 || !this.#isArmed())) await this.#arm(RECHECK_MS)
    const snapshot = this.#state.snapshotFor(report, Date.now())
    for (const key of snapshot.tickets.keys()) await this.#keepTurn('leased', key)
    return snapshot
  }

  async takeTicket(key: string): Promise<number> {
    await this.#whenResumed()
    const turn = this.#state.takeTicket(key)
    await this.#keepTurn('strict', key)
    return turn
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = Date.now()
    this.#isDoubted = false
    const observations = await this.#probe()
    this.#alarmAtMs = 0
    if (Date.now() - this.#lastSyncAtMs > IDLE_MS) return
    const { modelRefreshMs } = await this.#configuration()
    const waitMs = this.#isDoubted ? RECHECK_MS : nextProbeMs(observations, modelRefreshMs)
    // A tenth of jitter keeps the probers of many pools from asking shared workers in step.
    await this.#arm(waitMs * (0.9 + 0.2 * Math.random()))
  }

  async rememberResponse(responseId: string, owner: ResponseOwner, expiresAtMs: number): Promise<void> {
    this.#storage.rememberResponse(responseId, owner, expiresAtMs)
  }

  async findResponse(responseId: string): Promise<ResponseOwner | null> {
    return this.#storage.findResponse(responseId)
  }

  async forgetResponse(responseId: string): Promise<void> {
    this.#storage.forgetResponse(responseId)
  }

  #isRoot(): boolean {
    return this.ctx.id.name?.endsWith('/root') ?? false
  }

  async #root(): Promise<FleetStub> {
    const pool = this.ctx.id.name?.split('/', 1)[0] ?? ''
    const { locationHint } = (await this.#configuration()).fleet
    // The schema allows Cloudflare's hints only.
    const hint = locationHint === null ? {} : { locationHint: locationHint as DurableObjectLocationHint }
    // The namespace's own type carries RPC wrappers that say the same less readably.
    return this.env.FLEET.get(this.env.FLEET.idFromName(rootName(pool)), hint) as unknown as FleetStub
  }

  /** Waits for what the last life of this object knew; a failure is tried again by the next caller. */
  async #whenResumed(): Promise<void> {
    this.#resumed ??= this.#resume()
    try {
      await this.#resumed
    } catch (error) {
      this.#resumed = null
      throw error
    }
  }

  async #resume(): Promise<void> {
    for (const { count, key, next } of await this.#storage.turns()) this.#state.resumeTurn(count, key, next)
    this.#state.observe((await this.#storage.observations()) ?? [])
  }

  /** Waits for the first observations; a failure is tried again by the next caller. */
  async #whenKnown(): Promise<void> {
    this.#firstRound ??= this.#resumeOrProbe()
    try {
      await this.#firstRound
    } catch (error) {
      this.#firstRound = null
      throw error
    }
  }

  /** What the last life of this object knew serves at once; without it the first sync waits for a round of probes. */
  async #resumeOrProbe(): Promise<void> {
    await this.#whenResumed()
    if (this.#state.workers().every(({ models }) => models === null)) await this.#probe()
    await this.#arm(RECHECK_MS)
  }

  async #probe(): Promise<readonly WorkerObservation[]> {
    const { workers } = await this.#configuration()
    this.#isProbing = true
    try {
      const observations = await probeWorkers(outgoing(this.env), workers)
      this.#state.observe(observations)
      await this.#storage.keepObservations(observations)
      return observations
    } finally {
      this.#isProbing = false
    }
  }

  async #configuration(): Promise<Config> {
    return (this.#config ??= await this.#loadConfig(this.env))
  }

  #isArmed(): boolean {
    return this.#alarmAtMs > Date.now() - LOST_MS
  }

  /** An alarm that is due sooner stays: reports that keep coming must not put it off. */
  async #arm(delayMs: number): Promise<void> {
    const atMs = Date.now() + Math.max(1, delayMs)
    if (this.#isArmed() && this.#alarmAtMs <= atMs) return
    this.#alarmAtMs = atMs
    await this.ctx.storage.setAlarm(atMs)
  }

  async #keepTurn(count: TurnCount, key: string): Promise<void> {
    await this.#storage.keepTurn(count, key, this.#state.nextTurn(count, key))
  }
}

/** The class a Worker exports as `Fleet`, tied to how that Worker loads its configuration. */
export function createFleetClass(load: LoadConfig): new (state: DurableObjectState, env: RouterEnv) => FleetObject {
  return class Fleet extends FleetObject {
    constructor(state: DurableObjectState, env: RouterEnv) {
      super(state, env, load)
    }
  }
}

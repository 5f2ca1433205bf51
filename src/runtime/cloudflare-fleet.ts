// The Durable Object `Fleet`. Its name says which part it plays: root of a pool (counts turns, probes workers by
// alarm), replica (relays between isolates and the root), or shard of the stored responses' owners.

import { DurableObject } from 'cloudflare:workers'
import type { Config } from '../config/config.ts'
import { rootName, type FleetStub } from '../store/durable-object.ts'
import { createFleetRelay } from '../store/fleet-relay.ts'
import { FleetState } from '../store/fleet-state.ts'
import type { FleetSnapshot, HolderReport, ResponseOwner, WorkerObservation } from '../store/fleet-store.ts'
import { nextProbeMs, probeWorkers } from '../upstream/probe.ts'
import { outgoing, type RouterEnv } from './cloudflare-env.ts'

/** How soon a worker that a request could not reach is asked again. */
const RECHECK_MS = 200

/** Without a sync for this long nobody routes here, and probing stops until the next one. */
const IDLE_MS = 60_000

const OBSERVATIONS_KEY = 'observations'

/** One object of the class. `createFleetClass` ties it to a configuration. */
export abstract class FleetObject extends DurableObject<RouterEnv> implements FleetStub {
  /** The configuration the isolates run; the root needs its workers to probe them. */
  protected abstract loadConfig(): Promise<Config>

  readonly #state = new FleetState({ issuesTickets: true })
  readonly #relay = createFleetRelay({
    name: this.ctx.id.name ?? 'replica',
    now: () => Date.now(),
    syncAbove: (report) => this.#root().sync(report),
  })
  #config: Config | null = null
  #firstRound: Promise<void> | null = null
  #lastSyncAtMs = 0
  #alarmAtMs = 0

  async sync(report: HolderReport): Promise<FleetSnapshot> {
    if (!this.#isRoot()) return this.#relay.sync(report)
    this.#lastSyncAtMs = Date.now()
    this.#state.note(report, Date.now())
    await this.#whenKnown()
    if (report.unreachable.length > 0) await this.#arm(RECHECK_MS)
    // The alarm may have been lost with the object that set it; whoever comes by sets it again.
    else if (this.#alarmAtMs < Date.now() - IDLE_MS) await this.#arm(RECHECK_MS)
    return this.#state.snapshotFor(report, Date.now())
  }

  async takeTicket(key: string): Promise<number> {
    return this.#state.takeTicket(key)
  }

  override async alarm(): Promise<void> {
    const observations = await this.#probe()
    if (Date.now() - this.#lastSyncAtMs > IDLE_MS) {
      this.#alarmAtMs = 0
      return
    }
    const { modelRefreshMs } = await this.#configuration()
    const waitMs = nextProbeMs(observations, modelRefreshMs)
    // A tenth of jitter keeps the probers of many pools from asking shared workers in step.
    await this.#arm(waitMs * (0.9 + 0.2 * Math.random()))
  }

  async rememberResponse(responseId: string, owner: ResponseOwner, expiresAtMs: number): Promise<void> {
    this.#responses().exec(
      'INSERT OR REPLACE INTO responses (id, worker, tenant, expires_at) VALUES (?, ?, ?, ?)',
      responseId,
      owner.workerId,
      owner.tenant,
      expiresAtMs,
    )
    this.#responses().exec('DELETE FROM responses WHERE expires_at < ?', Date.now())
  }

  async findResponse(responseId: string): Promise<ResponseOwner | null> {
    const [row] = this.#responses()
      .exec<{ worker: string; tenant: string | null }>(
        'SELECT worker, tenant FROM responses WHERE id = ? AND expires_at > ?',
        responseId,
        Date.now(),
      )
      .toArray()
    return row === undefined ? null : { workerId: row.worker, tenant: row.tenant }
  }

  async forgetResponse(responseId: string): Promise<void> {
    this.#responses().exec('DELETE FROM responses WHERE id = ?', responseId)
  }

  #isRoot(): boolean {
    return this.ctx.id.name?.endsWith('/root') ?? false
  }

  #root(): FleetStub {
    const pool = this.ctx.id.name?.split('/', 1)[0] ?? ''
    // The namespace's own type carries RPC wrappers that say the same less readably.
    return this.env.FLEET.get(this.env.FLEET.idFromName(rootName(pool))) as unknown as FleetStub
  }

  /** Waits for the first observations; a failure is tried again by the next caller. */
  async #whenKnown(): Promise<void> {
    this.#firstRound ??= this.#restoreOrProbe()
    try {
      await this.#firstRound
    } catch (error) {
      this.#firstRound = null
      throw error
    }
  }

  /** What the last life of this object knew serves at once; without it the first sync waits for a round of probes. */
  async #restoreOrProbe(): Promise<void> {
    const known = await this.ctx.storage.get<readonly WorkerObservation[]>(OBSERVATIONS_KEY)
    if (known === undefined) await this.#probe()
    else this.#state.observe(known)
    await this.#arm(RECHECK_MS)
  }

  async #probe(): Promise<readonly WorkerObservation[]> {
    const { workers } = await this.#configuration()
    const observations = await probeWorkers(outgoing(this.env), workers)
    this.#state.observe(observations)
    await this.ctx.storage.put(OBSERVATIONS_KEY, observations)
    return observations
  }

  async #configuration(): Promise<Config> {
    return (this.#config ??= await this.loadConfig())
  }

  async #arm(delayMs: number): Promise<void> {
    this.#alarmAtMs = Date.now() + Math.max(1, delayMs)
    await this.ctx.storage.setAlarm(this.#alarmAtMs)
  }

  #responses(): SqlStorage {
    this.ctx.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS responses (id TEXT PRIMARY KEY, worker TEXT NOT NULL, tenant TEXT, expires_at REAL NOT NULL)',
    )
    return this.ctx.storage.sql
  }
}

/** The class a Worker exports as `Fleet`, tied to how that Worker loads its configuration. */
export function createFleetClass(
  loadConfig: (env: RouterEnv) => Promise<Config>,
): new (state: DurableObjectState, env: RouterEnv) => FleetObject {
  return class Fleet extends FleetObject {
    protected override loadConfig(): Promise<Config> {
      return loadConfig(this.env)
    }
  }
}

// The Durable Object `Fleet`. Its name says which part it plays: root of a pool (counts turns, probes workers by
// alarm), prober of a slice of a large pool, replica (relays between isolates and the root), shard of the stored
// responses' owners, shard of the hints where prefixes are, keeper of examples' vectors, or sum of what isolates count.

import { DurableObject } from 'cloudflare:workers'
import type { Config } from '../config/config.ts'
import type { ConfigPointer, ConfigVersion, Publication, PublishResult } from '../store/config-store.ts'
import { countsName } from '../store/durable-fleet-counts.ts'
import { proberName, rootName, type FleetStub } from '../store/durable-object.ts'
import { createFleetRelay } from '../store/fleet-relay.ts'
import { FleetState } from '../store/fleet-state.ts'
import type { CountReply, CountReport } from '../store/fleet-counts.ts'
import type { FleetSnapshot, ResponseOwner } from '../store/fleet-store.ts'
import { completeReport, completeSnapshot, type SentReport } from '../store/older-versions.ts'
import { PrefixHintBook } from '../store/prefix-hint-book.ts'
import { PoolTransition, PREPARE_MS } from '../store/pool-transition.ts'
import { PurgeLog, type PurgeScope } from '../store/purge-log.ts'
import { hasUnservedModel } from '../store/unserved-models.ts'
import type { VectorEntry } from '../store/vector-store.ts'
import { createOccupancyPoller } from '../upstream/lmcache/occupancy-poller.ts'
import {
  createPoolProber,
  createSliceProber,
  type SliceOrder,
  type SliceProber,
  type SliceReport,
} from '../upstream/pool-prober.ts'
import { reasonText } from '../observe/log/cause-text.ts'
import { toEntry } from '../observe/log/entry.ts'
import { createLog } from '../observe/log/log.ts'
import type { ExporterChange } from '../pipeline/events.ts'
import { consoleLog } from './cloudflare-console.ts'
import { FleetConfiguration, type LoadConfig } from './cloudflare-config.ts'
import type { BundledConfig, ConfigStub } from './cloudflare-config-store.ts'
import { outgoing, type RouterEnv } from './cloudflare-env.ts'
import { FleetCountsKeeper } from './cloudflare-fleet-counts.ts'
import { FleetStorage } from './cloudflare-fleet-storage.ts'
import { VectorTable } from './cloudflare-vector-table.ts'

/** End of the name of the object that adds up counts. */
const COUNTS = countsName('')

/** How soon a worker that a request could not reach is asked again. */
const RECHECK_MS = 200

/**
 * How long until a drain with nothing in flight is over: two seconds that an isolate may decide on an older copy, five
 * until the timer of a request begun then tells of it, and one for the calls.
 */
const DRAIN_SETTLE_MS = 8_000

/** Without a sync for this long nobody routes here, and probing stops until the next one. */
const IDLE_MS = 60_000

/** An alarm that is overdue by this much was lost, with the object that set it or after too many failures. */
const LOST_MS = 60_000

/** One object of the class. `createFleetClass` ties it to a configuration. */
export class FleetObject extends DurableObject<RouterEnv> implements FleetStub, ConfigStub {
  readonly #settings: FleetConfiguration
  readonly #storage = new FleetStorage(this.ctx.storage)
  readonly #relay = createFleetRelay({
    name: this.ctx.id.name ?? 'replica',
    life: crypto.randomUUID(),
    now: () => Date.now(),
    syncAbove: async (report) => completeSnapshot(await (await this.#root()).sync(report)),
  })
  #pool: PoolTransition<Config> | null = null
  #changes: Promise<unknown> = Promise.resolve()
  #resumed: Promise<FleetState> | null = null
  #firstRound: Promise<FleetState> | null = null
  #awakening: Promise<void> | null = null
  #lastSyncAtMs = 0
  /** When the alarm is due, or began to run; 0 when there is none. */
  #alarmAtMs = 0
  /** When workers are to be asked next. */
  #roundAtMs = Number.POSITIVE_INFINITY
  /** Whether the alarm is due sooner than that, to poll LMCache's control plane. */
  #isAlarmForPoll = false
  #isProbing = false
  /** Workers that requests found gone since the round under way began, which may have asked them before. */
  #doubted = new Set<string>()
  readonly #outgoing = { ...outgoing(this.env), random: () => Math.random() }
  readonly #prober = createPoolProber({
    platform: this.#outgoing,
    targets: () => this.#targets(),
    sliceProber: (slice) => ({
      probeSlice: async (order) => (await this.#object((pool) => proberName(pool, slice))).probeSlice(order),
    }),
    onSliceFailed: (slice, cause) =>
      consoleLog(this.env)(toEntry(Date.now(), 'error', 'probe_failed', { slice, why: reasonText(cause) })),
  })
  readonly #occupancy = createOccupancyPoller({
    platform: this.#outgoing,
    needs: () => this.#pool?.pool(Date.now()).policy.needs.lmcache ?? null,
    onHeard: (heard) => void this.#whenResumed().then((state) => state.noteLmcache(heard)),
  })
  /** For a pool whose root asks this object to. */
  readonly #sliceProber = createSliceProber(this.#outgoing)
  readonly #prefixHints = new PrefixHintBook()
  /** Not kept for another life: routers drop all they have when the count begins anew. */
  readonly #purges = new PurgeLog(crypto.randomUUID())
  readonly #counts = new FleetCountsKeeper({
    storage: this.ctx.storage,
    platform: this.#outgoing,
    config: () => this.#runningConfig(),
    onExporterChange: (change) => this.ctx.waitUntil(this.#tellOfExporter(change)),
  })
  readonly #vectors = new VectorTable(this.ctx.storage)

  constructor(state: DurableObjectState, env: RouterEnv, load: LoadConfig) {
    super(state, env)
    this.#settings = new FleetConfiguration(state.storage, () => this.env, load)
  }

  async sync(sent: SentReport): Promise<FleetSnapshot> {
    const report = completeReport(sent)
    if (!this.#isRoot()) return this.#relay.sync(report)
    this.#lastSyncAtMs = Date.now()
    const state = await this.#whenKnown()
    await this.#whenAwake(state)
    state.note(report, Date.now())
    for (const { workerId } of report.unreachable) this.#doubted.add(workerId)
    if (!this.#isProbing && (report.unreachable.length > 0 || !this.#isArmed())) await this.#arm(RECHECK_MS)
    const snapshot = state.snapshotFor(report, Date.now())
    for (const key of snapshot.tickets.keys()) await this.#storage.keepTurn(state, 'leased', key)
    await this.#storage.keepWorkers(state.takeChanges())
    this.ctx.waitUntil(this.#settings.catchUpWithKv())
    return { ...snapshot, config: await this.#settings.pointer(), purges: this.#purges.news(Date.now()) }
  }

  async takeTicket(key: string): Promise<number> {
    const state = await this.#whenResumed()
    const turn = state.takeTicket(key)
    await this.#storage.keepTurn(state, 'strict', key)
    return turn
  }

  async drain(workerId: string, deadlineMs: number): Promise<void> {
    const state = await this.#whenResumed()
    state.drain(workerId, deadlineMs, Date.now())
    await this.#storage.keepWorkers(state.takeChanges())
  }

  async undrain(workerId: string): Promise<void> {
    const state = await this.#whenResumed()
    state.undrain(workerId, Date.now())
    await this.#storage.keepWorkers(state.takeChanges())
  }

  async reportCounts(report: CountReport): Promise<CountReply> {
    return this.#counts.report(report)
  }

  override async alarm(): Promise<void> {
    if (this.ctx.id.name?.endsWith(COUNTS) === true) return this.#counts.alarm()
    this.#alarmAtMs = Date.now()
    const state = await this.#whenResumed()
    // Workers that have left are known for a while.
    state.configure(await this.#configuration(), Date.now())
    // Beside the round: what the control plane says comes when it comes.
    this.ctx.waitUntil(this.#occupancy.pollIfDue())
    const isRound = !this.#isAlarmForPoll || this.#roundAtMs <= Date.now()
    if (isRound) {
      this.#roundAtMs = Number.POSITIVE_INFINITY
      await this.#probe()
    }
    this.#alarmAtMs = 0
    if (Date.now() - this.#lastSyncAtMs > IDLE_MS) return
    if (isRound) await this.#arm(this.#doubted.size > 0 ? RECHECK_MS : this.#prober.nextRoundMs())
    else await this.#arm(this.#roundAtMs - Date.now())
  }

  async probeSlice(order: SliceOrder): Promise<SliceReport> {
    return this.#sliceProber.probeSlice(order)
  }

  async configPointer(): Promise<ConfigPointer | null> {
    return this.#settings.pointer()
  }

  async configText(hash: string): Promise<string | null> {
    return this.#settings.text(hash)
  }

  async configVersions(): Promise<readonly ConfigVersion[]> {
    return this.#settings.versions()
  }

  async publishConfig(publication: Publication, bundled: BundledConfig): Promise<PublishResult> {
    // One after the other: what is made ready for one is not for another.
    const published = this.#changes.then(() => this.#publish(publication, bundled))
    this.#changes = published.catch(() => {})
    return published
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

  async announcePurge(scope: PurgeScope): Promise<void> {
    this.#purges.note(scope, Date.now())
  }

  async readPrefixHints(keys: readonly string[]): Promise<readonly (string | null)[]> {
    return this.#prefixHints.read(keys, Date.now())
  }

  async writePrefixHints(keys: readonly string[], candidateId: string, ttlMs: number): Promise<void> {
    this.#prefixHints.write(keys, { candidateId, expiresAtMs: Date.now() + ttlMs })
  }

  async readVectors(keys: readonly string[]): Promise<readonly (string | null)[]> {
    return this.#vectors.read(keys)
  }

  async writeVectors(entries: readonly VectorEntry[], ttlMs: number): Promise<void> {
    this.#vectors.write(entries, ttlMs)
  }

  #isRoot(): boolean {
    return this.ctx.id.name?.endsWith('/root') ?? false
  }

  async #root(): Promise<FleetStub> {
    return this.#object(rootName)
  }

  /** Another object of this pool, created where the configuration says. */
  async #object(nameIn: (pool: string) => string): Promise<FleetStub & SliceProber> {
    const pool = this.ctx.id.name?.split('/', 1)[0] ?? ''
    const { locationHint } = (await this.#configuration()).fleet
    // The schema allows Cloudflare's hints only.
    const hint = locationHint === null ? {} : { locationHint: locationHint as DurableObjectLocationHint }
    // The namespace's own type carries RPC wrappers that say the same less readably.
    const id = this.env.FLEET.idFromName(nameIn(pool))
    return this.env.FLEET.get(id, hint) as unknown as FleetStub & SliceProber
  }

  /** Waits for what the last life of this object knew; a failure is tried again by the next caller. */
  async #whenResumed(): Promise<FleetState> {
    this.#resumed ??= this.#resume()
    try {
      return await this.#resumed
    } catch (error) {
      this.#resumed = null
      throw error
    }
  }

  async #resume(): Promise<FleetState> {
    const config = await this.#configuration()
    const state = new FleetState({ config, drainSettleMs: DRAIN_SETTLE_MS, nowMs: Date.now() })
    for (const { count, key, next } of await this.#storage.turns()) state.resumeTurn(count, key, next)
    state.resume(await this.#storage.workers())
    return state
  }

  /** Waits for the first observations; a failure is tried again by the next caller. */
  async #whenKnown(): Promise<FleetState> {
    this.#firstRound ??= this.#resumeOrProbe()
    try {
      return await this.#firstRound
    } catch (error) {
      this.#firstRound = null
      throw error
    }
  }

  /** What the last life of this object knew serves at once; without it the first sync waits for a round of probes. */
  async #resumeOrProbe(): Promise<FleetState> {
    const state = await this.#whenResumed()
    if (state.workers(Date.now()).every(({ checkedAtMs }) => checkedAtMs === null)) await this.#probe()
    await this.#arm(RECHECK_MS)
    return state
  }

  /** Waits for a look at the workers where all that is known of a model is old, and bad. */
  async #whenAwake(state: FleetState): Promise<void> {
    const nowMs = Date.now()
    const workers = state.workers(nowMs)
    const askedAtMs = Math.max(...workers.map(({ checkedAtMs }) => checkedAtMs ?? 0))
    // Rounds are never further apart than this while anybody sends requests.
    if (nowMs - askedAtMs <= IDLE_MS + 2 * (await this.#configuration()).health.intervalMs) return
    state.lookAnew()
    if (!hasUnservedModel(workers)) return
    this.#awakening ??= this.#probe().finally(() => {
      this.#awakening = null
    })
    await this.#awakening
  }

  async #probe(): Promise<void> {
    const state = await this.#whenResumed()
    const doubted = this.#doubted
    this.#doubted = new Set()
    this.#isProbing = true
    try {
      const observations = await this.#prober.round(doubted)
      state.observe(observations)
      await this.#storage.keepWorkers(state.takeChanges())
    } finally {
      this.#isProbing = false
    }
  }

  /** Read by rounds only, which wait for the configuration first. */
  #targets(): Pick<Config, 'workers' | 'health' | 'modelRefreshMs'> {
    if (this.#pool === null) throw new Error('the configuration has not been loaded')
    return this.#pool.pool(Date.now())
  }

  async #configuration(): Promise<Config> {
    this.#pool ??= new PoolTransition(await this.#settings.config())
    return this.#pool.pool(Date.now())
  }

  /** What the fleet runs, as an object knows it that is not the root. */
  async #tellOfExporter(change: ExporterChange): Promise<void> {
    const config = await this.#runningConfig()
    const write = consoleLog(this.env)
    const log = createLog({ config: () => config, now: () => Date.now(), random: () => Math.random(), write })
    log.exporterChanged(change)
  }

  async #runningConfig(): Promise<Config> {
    const root = (await this.#object(rootName)) as unknown as ConfigStub // the same class
    const pointer = await root.configPointer()
    const hash = pointer === null || pointer.origin === 'bundled' ? null : pointer.hash
    return this.#settings.configOf(hash, hash === null ? null : await root.configText(hash))
  }

  async #publish(publication: Publication, bundled: BundledConfig): Promise<PublishResult> {
    const { sequence } = (await this.#settings.pointer()) ?? { sequence: 0 }
    if (sequence !== publication.expectedSequence) return { ok: false, conflict: 'sequence' }
    const next = await this.#settings.preview(publication.text)
    await this.#prepare(next)
    const result = await this.#settings.publish(publication, bundled)
    if (result.ok) this.#pool?.arrive(next, Date.now())
    else this.#pool?.abandon()
    await this.#reconfigure()
    return result
  }

  /** Isolates that take the next configuration up are to find its workers known. */
  async #prepare(next: Config): Promise<void> {
    const state = await this.#whenResumed()
    for (const step of this.#pool?.towards(next, Date.now()) ?? []) state.configure(step, Date.now())
    if (this.#pool?.mustAsk() !== true) return
    // One that has left and come back may have been asked a moment ago; what it said then is forgotten.
    const unknown = state.workers(Date.now()).filter(({ checkedAtMs }) => checkedAtMs === null)
    for (const { workerId } of unknown) this.#doubted.add(workerId)
    await Promise.race([this.#probe(), new Promise((resolve) => setTimeout(resolve, PREPARE_MS))])
  }

  async #reconfigure(): Promise<void> {
    const state = await this.#whenResumed()
    state.configure(await this.#configuration(), Date.now())
    await this.#storage.keepWorkers(state.takeChanges())
    await this.#arm(0)
  }

  #isArmed(): boolean {
    return this.#alarmAtMs > Date.now() - LOST_MS
  }

  /** For a round of probes. An alarm that is due sooner stays: reports that keep coming must not put it off. */
  async #arm(delayMs: number): Promise<void> {
    const nowMs = Date.now()
    const dueAtMs = this.#isArmed() ? this.#roundAtMs : Number.POSITIVE_INFINITY
    this.#roundAtMs = Math.min(dueAtMs, nowMs + Math.max(1, delayMs))
    const pollAtMs = nowMs + Math.max(1, this.#occupancy.dueInMs() ?? Number.POSITIVE_INFINITY)
    const atMs = Math.min(this.#roundAtMs, pollAtMs)
    if (this.#isArmed() && this.#alarmAtMs <= atMs) return
    this.#isAlarmForPoll = pollAtMs < this.#roundAtMs
    this.#alarmAtMs = atMs
    await this.ctx.storage.setAlarm(atMs)
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

// FleetStore over Redis: one process at a time leads and holds the state, as memory.ts does for one process; the others ask
// it over Redis. What must outlive a leader is kept there. Without Redis each process goes on by itself.

import { type FleetAnswer, FleetBus, type FleetQuestion } from './fleet-bus.ts'
import type { FleetConfig, KeptWorker } from './fleet-health.ts'
import type { FleetSnapshot, FleetStore, HolderReport } from './fleet-store.ts'
import { LeaderLock, type Seat } from './leader-lock.ts'
import type { MemoryFleetStore } from './memory.ts'
import { completeReport, completeSnapshot, type SentSnapshot } from './older-versions.ts'
import { OwnWorkers, type OwnWorkersOptions } from './own-workers.ts'
import { ProcessBook } from './process-book.ts'
import { RedisKept } from './redis-kept.ts'
import type { RedisLink } from './redis-link.ts'
import { createRedisResponses } from './redis-responses.ts'
import { RedisTurns } from './redis-turns.ts'

/**
 * How long until a drain with nothing in flight is over: two seconds that a process may decide on an older copy, five until
 * the timer of a request begun then tells of it, and one for the calls.
 */
export const SHARED_DRAIN_SETTLE_MS = 8_000

/** How often a process says that it lives, and looks who leads. */
const TICK_MS = 500

/** How long the fleet waits for a leader that is gone. */
const LOCK_MS = 3_000

/** A process that has said nothing for this long is dead, and its requests with it. */
const PRESENCE_MS = 6_000

/** Without Redis for this long a process goes on by itself; until then, on what it heard last. */
const ALONE_AFTER_MS = 2_000

/** How long a request may wait for the leader, and how long the first one of a process that knows nothing yet. */
const ANSWER_MS = 500
const FIRST_ANSWER_MS = 3_000

/** How long an operator waits for a new leader. */
const ORDER_MS = 8_000
const ORDER_RETRY_MS = 250

export type FleetRole = 'leader' | 'follower' | 'alone'

export interface RedisFleetOptions {
  readonly link: RedisLink
  readonly keyPrefix: string
  now(): number
  random(): number
  randomId(): string
  after(delayMs: number, task: () => void): () => void
  /** Makes the state of the fleet, which begins to probe where `mayProbe` says so. */
  openRoot(root: OpenRoot): MemoryFleetStore
  /** What to do about workers that only this process has. */
  readonly ownWorkers: OwnWorkersOptions
  onRole(role: FleetRole, cause: unknown): void
  readonly lockMs?: number
  readonly presenceMs?: number
}

export interface OpenRoot {
  readonly kept: readonly KeptWorker[]
  /** Whether it is for this process to ask the workers. */
  mayProbe(): Promise<boolean>
}

type Order = { readonly op: 'undrain' } | { readonly op: 'drain'; readonly deadlineMs: number }

export class RedisFleet implements FleetStore {
  readonly ticketNow = null
  readonly rememberResponse: FleetStore['rememberResponse']
  readonly findResponse: FleetStore['findResponse']
  readonly forgetResponse: FleetStore['forgetResponse']
  readonly #options: RedisFleetOptions
  readonly #name: string
  readonly #lock: LeaderLock
  readonly #bus: FleetBus
  readonly #kept: RedisKept
  readonly #turns: RedisTurns
  readonly #processes: ProcessBook
  readonly #ownWorkers: OwnWorkers
  readonly #started: Promise<void>
  #looking: Promise<void> | null = null
  /** The state itself, in the process that leads, and in one that is alone. */
  #root: MemoryFleetStore | null = null
  #role: FleetRole = 'alone'
  #toldRole: FleetRole | null = null
  #leader: Seat | null = null
  #highestTerm = 0
  /** Whether this process has ever been part of the fleet: what it knows is then as good as what is kept. */
  #hasShared = false
  #contactAtMs = Number.NEGATIVE_INFINITY
  /** What operators said here while there was no Redis. */
  readonly #orders = new Map<string, Order>()
  #callOff: () => void = () => {}
  #isClosed = false

  constructor(options: RedisFleetOptions) {
    const { link, keyPrefix, now, after, lockMs = LOCK_MS, presenceMs = PRESENCE_MS } = options
    this.#options = options
    this.#name = options.randomId()
    this.#lock = new LeaderLock({ link, keyPrefix, name: this.#name, lockMs, presenceMs, now })
    this.#kept = new RedisKept({ link, keyPrefix })
    this.#turns = new RedisTurns(link, keyPrefix)
    this.#processes = new ProcessBook(link, keyPrefix)
    this.#ownWorkers = new OwnWorkers(options.ownWorkers)
    const answer = (question: FleetQuestion, from: string) => this.#answer(question, from)
    this.#bus = new FleetBus({ link, keyPrefix, name: this.#name, after, answer })
    const responses = createRedisResponses({ link, keyPrefix, now })
    this.rememberResponse = responses.rememberResponse
    this.findResponse = responses.findResponse
    this.forgetResponse = responses.forgetResponse
    this.#started = this.#tick()
  }

  get source(): string {
    return this.#role === 'alone' ? 'memory' : 'fleet'
  }

  role(): FleetRole {
    return this.#role
  }

  async sync(report: HolderReport): Promise<FleetSnapshot> {
    await this.#started
    const { ticketsWanted, ...rest } = report
    let snapshot: FleetSnapshot
    try {
      snapshot = await this.#syncShared({ ...rest, ticketsWanted: new Map() })
    } catch (cause) {
      if (this.#hasShared && !this.#isCutOff()) throw cause
      this.#setRole('alone', cause)
      return this.#openRoot().sync(report)
    }
    return { ...snapshot, tickets: await this.#turns.leaseFor(ticketsWanted, snapshot.workers) }
  }

  drain(workerId: string, deadlineMs: number): Promise<void> {
    return this.#order(workerId, { op: 'drain', deadlineMs })
  }

  undrain(workerId: string): Promise<void> {
    return this.#order(workerId, { op: 'undrain' })
  }

  async takeTicket(key: string): Promise<number> {
    await this.#started
    if (this.#role === 'alone') return this.#openRoot().takeTicket(key)
    try {
      return await this.#turns.take(key)
    } catch {
      return this.#openRoot().takeTicket(key)
    }
  }

  /** Another configuration from now on. Resolves when workers that it adds have been asked. */
  async configure(config: FleetConfig): Promise<void> {
    if (this.#role === 'follower') await this.#ownWorkers.catchUp()
    else await this.#root?.configure(config)
  }

  /** Lets another process lead at once. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#callOff()
    this.#root?.close()
    this.#ownWorkers.close()
    // It may be about to take the lock.
    await this.#looking?.catch(() => {})
    await this.#lock.release().catch(() => {})
    this.#options.link.close()
  }

  async #syncShared(report: HolderReport): Promise<FleetSnapshot> {
    if (await this.#leads()) return this.#openRoot().sync(report)
    const limitMs = this.#hasShared ? ANSWER_MS : FIRST_ANSWER_MS
    // The leader may run an older version while a deployment rolls out.
    const snapshot = (await this.#ask({ op: 'sync', report }, limitMs)) as SentSnapshot
    this.#hasShared = true
    return this.#ownWorkers.join(completeSnapshot(snapshot), report)
  }

  /** Whether this process leads, made sure of where the lock may have expired. */
  async #leads(): Promise<boolean> {
    if (this.#role !== 'leader') return false
    if (!this.#lock.isHeld()) await this.#look()
    return this.#lock.isHeld()
  }

  #openRoot(): MemoryFleetStore {
    this.#root ??= this.#options.openRoot({ kept: this.#kept.list(), mayProbe: () => this.#mayProbe() })
    return this.#root
  }

  async #mayProbe(): Promise<boolean> {
    if (this.#role === 'alone') return true
    try {
      return await this.#leads()
    } catch {
      // No Redis: everybody looks after itself.
      return this.#isCutOff()
    }
  }

  #isCutOff(): boolean {
    return this.#options.now() - this.#contactAtMs > ALONE_AFTER_MS
  }

  async #ask(question: FleetQuestion, limitMs: number): Promise<unknown> {
    const leader = this.#leader
    if (leader === null || leader.isMine) throw new Error('the fleet has no leader at the moment')
    const { term, value } = await this.#bus.ask(leader.leader, question, limitMs)
    if (term < this.#highestTerm) throw new Error('an earlier leader of the fleet answered')
    this.#highestTerm = term
    return value
  }

  async #answer(question: FleetQuestion, from: string): Promise<FleetAnswer | null> {
    if (!(await this.#leads())) return null
    const root = this.#openRoot()
    const term = this.#leader?.term ?? 0
    switch (question.op) {
      case 'sync':
        this.#processes.note(from, question.report.holder)
        return { term, value: await root.sync(completeReport(question.report)) }
      case 'drain':
      case 'undrain':
        await this.#carryOut(root, question.workerId, question)
        return { term, value: null }
    }
  }

  /** Carried out by the leader, whoever that is by then; here, where no Redis can be reached. */
  async #order(workerId: string, order: Order): Promise<void> {
    await this.#started
    const own = this.#ownWorkers.stateOf(workerId)
    if (own !== null) return carryOut(own, workerId, order)
    const untilMs = this.#options.now() + ORDER_MS
    for (;;) {
      try {
        if (await this.#leads()) await this.#carryOut(this.#openRoot(), workerId, order)
        else await this.#ask({ ...order, workerId }, ANSWER_MS)
        return
      } catch (cause) {
        if (this.#isCutOff()) break
        if (this.#options.now() >= untilMs) throw cause
        await new Promise<void>((resolve) => this.#options.after(ORDER_RETRY_MS, resolve))
      }
    }
    this.#orders.set(workerId, order)
    await carryOut(this.#openRoot(), workerId, order)
  }

  /** Done once it is written down. */
  async #carryOut(root: MemoryFleetStore, workerId: string, order: Order): Promise<void> {
    await carryOut(root, workerId, order)
    await this.#keep(root)
  }

  async #tick(): Promise<void> {
    try {
      await this.#look()
      if (this.#role === 'leader') await this.#tend()
    } catch (cause) {
      if (this.#isCutOff()) this.#setRole('alone', cause)
    }
    if (this.#isClosed) return
    this.#callOff = this.#options.after(TICK_MS * (0.9 + 0.2 * this.#options.random()), () => void this.#tick())
  }

  /** Finds out who leads, which may be this process from now on. Whoever asks meanwhile waits for the same answer. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #lookNow(): Promise<void> {
    const seat = await this.#lock.claim()
    if (this.#isClosed) return
    this.#contactAtMs = this.#options.now()
    const before = this.#leader
    this.#leader = seat
    this.#highestTerm = Math.max(this.#highestTerm, seat.term)
    if (seat.isMine) {
      const isNew = this.#role !== 'leader' || before?.term !== seat.term
      if (isNew) await this.#takeOver(seat)
      return
    }
    await this.#kept.catchUp(seat.keptVersion)
    await this.#follow()
  }

  async #takeOver(seat: Seat): Promise<void> {
    // What a process knows that was never part of the fleet is worth less than what the fleet has kept.
    if (!this.#hasShared) this.#closeRoot()
    if (this.#root === null) await this.#kept.catchUp(seat.keptVersion)
    this.#hasShared = true
    this.#setRole('leader', null)
    const root = this.#openRoot()
    for (const [workerId, order] of this.#orders) await carryOut(root, workerId, order)
    this.#orders.clear()
    this.#kept.note(root.takeChanges())
    await this.#kept.write(this.#kept.list(), { leader: this.#name, term: seat.term })
  }

  async #follow(): Promise<void> {
    this.#setRole('follower', null)
    for (const [workerId, order] of this.#orders) {
      await this.#ask({ ...order, workerId }, ANSWER_MS)
      this.#orders.delete(workerId)
    }
    this.#closeRoot()
  }

  #closeRoot(): void {
    this.#root?.close()
    this.#root = null
  }

  async #tend(): Promise<void> {
    const root = this.#openRoot()
    await this.#keep(root)
    for (const holder of await this.#processes.takeDead()) root.forgetHolder(holder)
  }

  async #keep(root: MemoryFleetStore): Promise<void> {
    const changes = root.takeChanges()
    if (changes.length === 0 || this.#leader === null) return
    this.#kept.note(changes)
    const isWritten = await this.#kept.write(changes, { leader: this.#name, term: this.#leader.term })
    if (!isWritten) throw new Error('another process leads the fleet by now')
  }

  #setRole(role: FleetRole, cause: unknown): void {
    if (role === this.#toldRole) return
    // Whoever holds the state holds it of all workers of its own configuration.
    if (role !== 'follower') this.#ownWorkers.close()
    this.#role = role
    this.#toldRole = role
    this.#options.onRole(role, cause)
  }
}

async function carryOut(root: MemoryFleetStore, workerId: string, order: Order): Promise<void> {
  if (order.op === 'drain') await root.drain(workerId, order.deadlineMs)
  else await root.undrain(workerId)
}

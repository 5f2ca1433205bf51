// FleetStore over Redis: one process at a time leads and holds the state, as memory.ts does for one process; the others ask
// it over Redis. What must outlive a leader is kept there. Without Redis each process goes on by itself.

import { type FleetAnswer, FleetBus, type FleetQuestion } from './fleet-bus.ts'
import type { FleetConfig } from './fleet-health.ts'
import { FleetOrders } from './fleet-orders.ts'
import { type FleetRole, FleetSeat, type FleetSeatOptions } from './fleet-seat.ts'
import type { FleetSnapshot, FleetStore, HolderReport } from './fleet-store.ts'
import type { Seat } from './leader-lock.ts'
import { carryOut, LedState, type LedStateOptions, type Order, PURGE_HEARD } from './led-state.ts'
import { completeSnapshot, type SentSnapshot } from './older-versions.ts'
import { OwnWorkers, type OwnWorkersOptions } from './own-workers.ts'
import type { PurgeScope } from './purge-log.ts'
import { RedisKept } from './redis-kept.ts'
import { createRedisResponses } from './redis-responses.ts'
import { RedisTurns } from './redis-turns.ts'

/** How long a request may wait for the leader, and how long the first one of a process that knows nothing yet. */
const ANSWER_MS = 500
const FIRST_ANSWER_MS = 3_000

export interface RedisFleetOptions extends Pick<
  FleetSeatOptions,
  'link' | 'keyPrefix' | 'now' | 'random' | 'after' | 'onRole' | 'lockMs' | 'presenceMs'
> {
  randomId(): string
  readonly openRoot: LedStateOptions['openRoot']
  /** What to do about workers that only this process has. */
  readonly ownWorkers: OwnWorkersOptions
}

export class RedisFleet implements FleetStore {
  readonly ticketNow = null
  readonly rememberResponse: FleetStore['rememberResponse']
  readonly findResponse: FleetStore['findResponse']
  readonly forgetResponse: FleetStore['forgetResponse']
  readonly #options: RedisFleetOptions
  readonly #seat: FleetSeat
  readonly #bus: FleetBus
  readonly #kept: RedisKept
  readonly #state: LedState
  readonly #turns: RedisTurns
  readonly #ownWorkers: OwnWorkers
  readonly #orders: FleetOrders
  /** Whether this process has ever been part of the fleet: what it knows is then as good as what is kept. */
  #hasShared = false

  constructor(options: RedisFleetOptions) {
    const { link, keyPrefix, now, after } = options
    const name = options.randomId()
    this.#options = options
    this.#kept = new RedisKept({ link, keyPrefix })
    const mayProbe = () => this.#seat.mayProbe()
    this.#state = new LedState({ link, keyPrefix, kept: this.#kept, openRoot: options.openRoot, mayProbe })
    this.#turns = new RedisTurns(link, keyPrefix)
    this.#ownWorkers = new OwnWorkers(options.ownWorkers)
    const answer = (question: FleetQuestion, from: string) => this.#answer(question, from)
    this.#bus = new FleetBus({ link, keyPrefix, name, now, after, answer })
    const responses = createRedisResponses({ link, keyPrefix, now })
    this.rememberResponse = responses.rememberResponse
    this.findResponse = responses.findResponse
    this.forgetResponse = responses.forgetResponse
    this.#orders = new FleetOrders({
      now,
      after,
      give: (workerId, order) => this.#give(workerId, order),
      isCutOff: () => this.#seat.isCutOff(),
      ownState: () => this.#state.open(),
    })
    this.#seat = this.#takeSeat(name)
  }

  get source(): string {
    return this.role() === 'alone' ? 'memory' : 'fleet'
  }

  role(): FleetRole {
    return this.#seat.role
  }

  async sync(report: HolderReport): Promise<FleetSnapshot> {
    await this.#seat.started
    if (this.role() === 'alone') return this.#state.open().sync(report)
    const { ticketsWanted, ...rest } = report
    let snapshot: FleetSnapshot
    try {
      snapshot = await this.#syncShared({ ...rest, ticketsWanted: new Map() })
    } catch (cause) {
      if (this.#hasShared && !this.#seat.isCutOff()) throw cause
      this.#seat.goAlone(cause)
      return this.#state.open().sync(report)
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
    await this.#seat.started
    if (this.role() === 'alone') return this.#state.open().takeTicket(key)
    try {
      return await this.#turns.take(key)
    } catch {
      return this.#state.open().takeTicket(key)
    }
  }

  /** Rejects where the others can't be reached: what they keep they go on giving. */
  async announcePurge(scope: PurgeScope): Promise<void> {
    await this.#seat.started
    if (this.role() === 'alone') throw new Error('this process goes on without the others of its fleet')
    if ((await this.#seat.leading()) !== null) return this.#state.open().announcePurge(scope)
    const reply = await this.#ask({ op: 'purge', scope }, ANSWER_MS)
    if (reply !== PURGE_HEARD) throw new Error('the leader of the fleet runs an older version')
  }

  /** Another configuration from now on. Resolves when workers that it adds have been asked. */
  async configure(config: FleetConfig): Promise<void> {
    if (this.role() === 'follower') await this.#ownWorkers.catchUp()
    else await this.#state.opened?.configure(config)
  }

  /** Lets another process lead at once. */
  async close(): Promise<void> {
    this.#state.opened?.close()
    this.#ownWorkers.close()
    await this.#seat.close()
    this.#options.link.close()
  }

  #takeSeat(name: string): FleetSeat {
    return new FleetSeat({
      ...this.#options,
      name,
      takeOver: (seat) => this.#takeOver(seat),
      follow: (seat) => this.#follow(seat),
      tend: (seat) => this.#tend(seat),
      onRole: (role, cause) => {
        // Whoever holds the state holds it of all workers of its own configuration.
        if (role !== 'follower') this.#ownWorkers.close()
        this.#options.onRole(role, cause)
      },
    })
  }

  async #syncShared(report: HolderReport): Promise<FleetSnapshot> {
    if ((await this.#seat.leading()) !== null) return this.#state.open().sync(report)
    const limitMs = this.#hasShared ? ANSWER_MS : FIRST_ANSWER_MS
    // The leader may run an older version while a deployment rolls out.
    const snapshot = (await this.#ask({ op: 'sync', report }, limitMs)) as SentSnapshot
    this.#hasShared = true
    return this.#ownWorkers.join(completeSnapshot(snapshot), report)
  }

  async #ask(question: FleetQuestion, limitMs: number): Promise<unknown> {
    const seat = this.#seat.current
    if (seat === null || seat.isMine) throw new Error('the fleet has no leader at the moment')
    const { term, value } = await this.#bus.ask(seat.leader, question, limitMs)
    this.#seat.hear(term)
    return value
  }

  async #answer(question: FleetQuestion, from: string): Promise<FleetAnswer | null> {
    const leading = await this.#seat.leading()
    if (leading === null) return null
    return { term: leading.term, value: await this.#state.answer(question, from, leading) }
  }

  async #order(workerId: string, order: Order): Promise<void> {
    await this.#seat.started
    const own = this.#ownWorkers.stateOf(workerId)
    if (own === null) await this.#orders.place(workerId, order)
    else await carryOut(own, workerId, order)
  }

  /** Has the leader carry it out, which this process may be. */
  async #give(workerId: string, order: Order): Promise<void> {
    const leading = await this.#seat.leading()
    if (leading !== null) await this.#state.carryOut(workerId, order, leading)
    else await this.#ask({ ...order, workerId }, ANSWER_MS)
  }

  async #takeOver(seat: Seat): Promise<void> {
    // What a process knows that was never part of the fleet is worth less than what the fleet has kept.
    if (!this.#hasShared) this.#state.close()
    await this.#state.takeOver(seat)
    this.#hasShared = true
  }

  async #follow({ keptVersion }: Seat): Promise<void> {
    await this.#kept.catchUp(keptVersion)
    // Whoever is alone and up stays so until there is somebody to follow.
    if (this.role() === 'alone' && !this.#seat.isNew) await this.#ask({ op: 'hello' }, ANSWER_MS)
    await this.#orders.giveWaiting(async (workerId, order) => {
      await this.#ask({ ...order, workerId }, ANSWER_MS)
    })
    this.#state.close()
  }

  async #tend(seat: Seat): Promise<void> {
    await this.#orders.giveWaiting((workerId, order) => carryOut(this.#state.open(), workerId, order))
    await this.#state.tend(seat)
  }
}

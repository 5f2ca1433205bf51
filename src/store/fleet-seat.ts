// A process's place in a fleet over Redis: whether it leads, follows or is alone, looked at twice a second. What each place
// brings with it is done by redis-fleet.ts.

import { LeaderLock, type LeaderLockOptions, type Seat } from './leader-lock.ts'

/** How often a process says that it lives, and looks who leads. */
const TICK_MS = 500

/** Without a place for this long a process goes on by itself; until then, on what it heard last. */
const ALONE_AFTER_MS = 2_000

export type FleetRole = 'leader' | 'follower' | 'alone'

export interface FleetSeatOptions extends LeaderLockOptions {
  random(): number
  after(delayMs: number, task: () => void): () => void
  /** Before this process leads: when it rejects, it does not. */
  takeOver(seat: Seat): Promise<void>
  /** Before this process follows, and at each look while it does: when it rejects, it follows nobody yet. */
  follow(seat: Seat): Promise<void>
  /** At each look of a leader. */
  tend(seat: Seat): Promise<void>
  onRole(role: FleetRole, cause: unknown): void
}

export class FleetSeat {
  /** Resolves once the first look is over, whatever came of it. */
  readonly started: Promise<void>
  readonly #options: FleetSeatOptions
  readonly #lock: LeaderLock
  #looking: Promise<void> | null = null
  #role: FleetRole = 'alone'
  #toldRole: FleetRole | null = null
  #seat: Seat | null = null
  #highestTerm = 0
  #contactAtMs = Number.NEGATIVE_INFINITY
  #callOff: () => void = () => {}
  #isClosed = false

  constructor(options: FleetSeatOptions) {
    this.#options = options
    this.#lock = new LeaderLock(options)
    this.started = this.#tick()
  }

  get role(): FleetRole {
    return this.#role
  }

  /** Whether it has never been told what it is. */
  get isNew(): boolean {
    return this.#toldRole === null
  }

  /** Who leads, as last seen; null before the first look. */
  get current(): Seat | null {
    return this.#seat
  }

  /** Its seat where this process leads, made sure of where the lock may have expired; else null. */
  async leading(): Promise<Seat | null> {
    if (this.#role !== 'leader') return null
    if (!this.#lock.isHeld()) await this.#look()
    return this.#lock.isHeld() ? this.#seat : null
  }

  /** Whether it is for this process to ask the workers. */
  async mayProbe(): Promise<boolean> {
    if (this.#role === 'alone') return true
    try {
      return (await this.leading()) !== null
    } catch {
      // No Redis: everybody looks after itself.
      return this.isCutOff()
    }
  }

  /** Whether it has been without a place for so long that it goes on by itself. */
  isCutOff(): boolean {
    return this.#options.now() - this.#contactAtMs > ALONE_AFTER_MS
  }

  goAlone(cause: unknown): void {
    this.#setRole('alone', cause)
  }

  /** Throws at what a leader says whose successor has been heard of. */
  hear(term: number): void {
    if (term < this.#highestTerm) throw new Error('an earlier leader of the fleet answered')
    this.#highestTerm = term
  }

  /** Lets another process lead at once. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#callOff()
    // It may be about to take the lock.
    await this.#looking?.catch(() => {})
    await this.#lock.release().catch(() => {})
  }

  async #tick(): Promise<void> {
    try {
      await this.#look()
      const seat = await this.leading()
      if (seat !== null) await this.#options.tend(seat)
    } catch (cause) {
      if (this.isCutOff()) this.#setRole('alone', cause)
    }
    if (this.#isClosed) return
    this.#callOff = this.#options.after(TICK_MS * (0.9 + 0.2 * this.#options.random()), () => void this.#tick())
  }

  /** Finds out who leads, which may be this process from now on. Whoever asks meanwhile waits for the same answer. */
  #look(): Promise<void> {
    // A question that comes while the lock is being given up must not take it again.
    if (this.#isClosed) return Promise.reject(new Error('this process has left the fleet'))
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #lookNow(): Promise<void> {
    const seat = await this.#lock.claim()
    if (this.#isClosed) return
    const before = this.#seat
    this.#seat = seat
    this.#highestTerm = Math.max(this.#highestTerm, seat.term)
    if (!seat.isMine) {
      await this.#options.follow(seat)
      this.#setRole('follower', null)
    } else if (this.#role !== 'leader' || before?.term !== seat.term) {
      await this.#options.takeOver(seat)
      this.#setRole('leader', null)
    }
    this.#contactAtMs = this.#options.now()
  }

  #setRole(role: FleetRole, cause: unknown): void {
    if (role === this.#toldRole) return
    this.#role = role
    this.#toldRole = role
    this.#options.onRole(role, cause)
  }
}

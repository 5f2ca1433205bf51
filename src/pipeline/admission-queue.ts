// Places in a router that takes on so much at a time, and the queue for them, fair over groups of callers. A state
// machine over an injected clock: it starts no timer, and wakes nobody but those who asked to be called.

import { FairShares, type Share } from './fair-shares.ts'

/** Who wants a place. */
export interface Applicant {
  /** Callers that share one part of a full router. */
  readonly group: string
  /** The group's part relative to others, above zero. */
  readonly weight: number
}

/** The limits in force; they may change between two calls. */
export interface AdmissionLimits {
  readonly maxConcurrent: number
  readonly queueSize: number
}

/** A request's place in the router. */
export interface Place {
  /** Says that the request is still alive. */
  renew(): void
  /** Only the first call counts. */
  release(): void
}

/** `refused`: somebody with a better claim took its spot in the queue, or the router takes no more work. */
export type Turn = 'not_yet' | 'refused' | Place

/** A spot in the queue. Whoever has it asks for its turn, on a timer of its own or when it is called. */
export interface Waiter {
  /** Looks whether the turn has come. A place that is given here is the asker's. */
  turn(): Turn
  /** Gives up the spot, or the place that was not taken yet. Only the first call counts. */
  leave(): void
  /** Sets what is called when the turn has come, or won't come any more. */
  onTurn(call: () => void): void
}

export type Admission =
  | { readonly kind: 'admitted'; readonly place: Place }
  | { readonly kind: 'waiting'; readonly waiter: Waiter }
  | { readonly kind: 'full' }

/** How long a place lives that nobody renews: a runtime can drop a request without any of our code running. */
export const PLACE_TTL_MS = 120_000

/** How long somebody may take to notice that its turn has come, or keep from asking where it has to ask. */
export const NOTICE_MS = 5_000

/** How often those are looked for who are gone without a word. */
const SWEEP_MS = 1_000

/** Weight of the newest request in the usual time that a place is held. */
const NEWEST_SHARE = 0.1

interface Group extends Share {
  /** First come, first served. */
  readonly waiting: Entry[]
}

interface Entry {
  readonly group: Group
  state: 'waiting' | 'granted' | 'taken' | 'refused' | 'gone'
  /** When it was last heard of. */
  seenAtMs: number
  takenAtMs: number
  call: () => void
}

export interface AdmissionQueueOptions {
  now(): number
  /** Whether waiters have to ask for their turn; those that don't are gone. */
  readonly mustAsk: boolean
}

export class AdmissionQueue {
  readonly #now: () => number
  readonly #mustAsk: boolean
  readonly #shares: FairShares
  readonly #groups = new Map<string, Group>()
  /** Everybody with a place, noticed or not. */
  readonly #holders = new Set<Entry>()
  #limits: AdmissionLimits = { maxConcurrent: Number.POSITIVE_INFINITY, queueSize: 0 }
  #waiting = 0
  #sweptAtMs = Number.NEGATIVE_INFINITY
  #typicalHoldMs = 0

  constructor({ now, mustAsk }: AdmissionQueueOptions) {
    this.#now = now
    this.#mustAsk = mustAsk
    this.#shares = new FairShares(now)
  }

  enter(applicant: Applicant, limits: AdmissionLimits): Admission {
    this.#limits = limits
    this.#sweep()
    this.#serve()
    const group = this.#groupOf(applicant)
    const entry: Entry = { group, state: 'waiting', seenAtMs: this.#now(), takenAtMs: 0, call: () => {} }
    // Nobody overtakes those who wait.
    if (this.#waiting === 0 && this.#hasPlace()) {
      this.#grant(entry)
      return { kind: 'admitted', place: this.#take(entry) }
    }
    if (this.#waiting >= limits.queueSize && !this.#makeRoomFor(group)) return { kind: 'full' }
    this.#line(entry)
    return { kind: 'waiting', waiter: this.#toWaiter(entry) }
  }

  /** Sends everybody away who has no place yet: the router takes no more work. */
  refuseWaiting(): void {
    for (const { waiting } of this.#groups.values()) for (const entry of waiting.slice()) this.#refuse(entry)
  }

  /** Places in use, those included whose holders have not noticed yet. */
  running(): number {
    return this.#holders.size
  }

  waiting(): number {
    return this.#waiting
  }

  /** How long somebody who came now might wait, going by how long places were held lately. */
  expectedWaitMs(): number {
    return (this.#typicalHoldMs * (this.#waiting + 1)) / this.#limits.maxConcurrent
  }

  #hasPlace(): boolean {
    return this.#holders.size < this.#limits.maxConcurrent
  }

  #groupOf({ group: name, weight }: Applicant): Group {
    const known = this.#groups.get(name)
    const group = known ?? Object.assign(this.#shares.open(weight), { waiting: [] })
    if (known === undefined) this.#groups.set(name, group)
    this.#shares.setWeight(group, weight)
    return group
  }

  #line(entry: Entry): void {
    if (this.#waiting === 0) this.#shares.forget()
    const { group } = entry
    if (group.waiting.length === 0) this.#shares.begin(group)
    group.waiting.push(entry)
    this.#waiting += 1
  }

  #unline(entry: Entry): void {
    const { waiting } = entry.group
    waiting.splice(waiting.indexOf(entry), 1)
    this.#waiting -= 1
  }

  /** Gives free places to those whose turn it is. */
  #serve(): void {
    while (this.#waiting > 0 && this.#hasPlace()) {
      const waitingGroups = [...this.#groups.values()].filter(({ waiting }) => waiting.length > 0)
      const entry = this.#shares.next(waitingGroups)?.waiting[0]
      if (entry === undefined) return
      this.#unline(entry)
      this.#grant(entry)
      entry.call()
    }
  }

  #grant(entry: Entry): void {
    this.#shares.take(entry.group)
    this.#holders.add(entry)
    entry.state = 'granted'
    entry.seenAtMs = this.#now()
  }

  #take(entry: Entry): Place {
    entry.state = 'taken'
    entry.takenAtMs = this.#now()
    return {
      renew: () => {
        entry.seenAtMs = this.#now()
      },
      release: () => {
        if (!this.#holders.has(entry)) return
        this.#typicalHoldMs += NEWEST_SHARE * (this.#now() - entry.takenAtMs - this.#typicalHoldMs)
        this.#giveBack(entry)
      },
    }
  }

  #giveBack(entry: Entry): void {
    this.#holders.delete(entry)
    this.#shares.giveBack(entry.group)
    this.#serve()
  }

  #toWaiter(entry: Entry): Waiter {
    return {
      turn: () => {
        entry.seenAtMs = this.#now()
        // It may be waiting for the place of somebody who is gone.
        if (entry.state === 'waiting') this.#sweep()
        if (entry.state === 'waiting') return 'not_yet'
        return entry.state === 'granted' ? this.#take(entry) : 'refused'
      },
      leave: () => {
        const { state } = entry
        entry.state = 'gone'
        if (state === 'waiting') this.#unline(entry)
        if (state === 'granted') this.#giveBack(entry)
      },
      onTurn(call) {
        entry.call = call
      },
    }
  }

  /** A full queue makes room for a group that has less of it, for its part, than another: that one's last gives way. */
  #makeRoomFor(newcomer: Group): boolean {
    let last: Entry | undefined
    let most = (newcomer.waiting.length + 1) / newcomer.weight
    for (const { waiting, weight } of this.#groups.values()) {
      if (waiting.length / weight <= most) continue
      most = waiting.length / weight
      last = waiting.at(-1)
    }
    // A queue that is too long since its limit was lowered gets shorter by itself.
    if (last === undefined || this.#waiting > this.#limits.queueSize) return false
    this.#refuse(last)
    return true
  }

  #refuse(entry: Entry): void {
    this.#unline(entry)
    entry.state = 'refused'
    entry.call()
  }

  /** Takes places and spots from those who are gone without a word. Looks at everybody, so not every time. */
  #sweep(): void {
    const nowMs = this.#now()
    if ((this.#waiting === 0 && this.#hasPlace()) || nowMs - this.#sweptAtMs < SWEEP_MS) return
    this.#sweptAtMs = nowMs
    for (const entry of this.#holders) {
      const isUnnoticed = entry.state === 'granted'
      if (nowMs - entry.seenAtMs <= (isUnnoticed ? NOTICE_MS : PLACE_TTL_MS)) continue
      if (isUnnoticed) entry.state = 'refused'
      this.#giveBack(entry)
    }
    if (!this.#mustAsk) return
    for (const { waiting } of this.#groups.values()) {
      for (const entry of waiting.filter(({ seenAtMs }) => nowMs - seenAtMs > NOTICE_MS)) this.#refuse(entry)
    }
  }
}

// What the store knows of one tenant's limits: how much is free, and what each holder has. Plain data, so that it can be
// kept as it is; no I/O and no clock of its own.

import type { Holding, LimitLease, LimitReport, MeterLease, MeterReport } from './limit-report.ts'
import { type MeterLimit, type MeterName, meterLimit, METERS, type PerMeter, type TenantLimits } from './meters.ts'

/**
 * How long a lease of requests or tokens stands after a holder's last report. Holders stop using it earlier (LEASE_MS),
 * so what was not used by then is lost to everybody, and never used twice.
 */
export const LAPSE_MS = 3_000

/** A holder that has said nothing for this long is taken for dead; its slots come back. */
export const HOLDER_TTL_MS = 90_000

/** A holder that has not reported for this long has no part of what is spare. */
const CONTENDING_MS = 2_000

/** Of what is free, the part that may be leased ahead of need; the rest is for those that have none. */
const SPARE_PART = 1 / 2

/** When a slot may be free again: requests end without saying when. */
const SLOT_RETRY_MS = 100

/** A holder that got nothing does not ask again for this long: enough comes together for all that wait there. */
const LEAST_RETRY_MS = 50

/** Longest that a holder waits for its turn beyond the time until something is free. */
const MAX_TURN_MS = 500

export interface LimitState {
  /** Requests and tokens that nobody has leased; slots are worked out from what holders have. */
  readonly levels: PerMeter<Level>
  readonly holders: HolderState[]
}

export interface Level {
  /** Below zero it is debt. */
  amount: number
  /** When it was that; it has refilled since. */
  atMs: number
  /** Ever leased. */
  issued: number
}

export interface HolderState {
  readonly name: string
  revision: number
  seenAtMs: number
  /** False for one known from an earlier life of this state only: what it gave back may have been leased again by then. */
  isCounted: boolean
  readonly meters: PerMeter<HeldMeter>
}

interface HeldMeter extends Holding {
  granted: number
  returned: number
  readonly expected: number
}

export function createLimitState(): LimitState {
  return { levels: {}, holders: [] }
}

/** Files a holder's report and leases it what it needs and, out of what is spare, what it expects to need. */
export function leaseFrom(state: LimitState, report: LimitReport, nowMs: number): LimitLease {
  forgetSilent(state, report.limits, nowMs)
  // As things stood until now: what is reported may have happened this moment, and comes back from this moment on.
  settleLevels(state, report.limits, nowMs)
  const holder = file(state, report, nowMs)
  settleLevels(state, report.limits, nowMs)
  const meters: PerMeter<MeterLease> = {}
  for (const meter of METERS) {
    const limit = meterLimit(report.limits, meter)
    const asked = report.meters[meter]
    const held = holder.meters[meter]
    if (limit === null || asked === undefined || held === undefined) continue
    meters[meter] = lease(state, { meter, limit, asked, held, nowMs })
  }
  return { meters, holders: state.holders.length }
}

/** Slots that a holder has, in use or at hand. */
export function slotsHeld({ meters: { slots } }: HolderState): number {
  return slots === undefined ? 0 : slots.granted - slots.returned
}

function allSlotsHeld({ holders }: LimitState): number {
  return holders.reduce((sum, holder) => sum + slotsHeld(holder), 0)
}

function forgetSilent(state: LimitState, limits: TenantLimits, nowMs: number): void {
  const { holders } = state
  for (const holder of holders.filter(({ seenAtMs }) => nowMs - seenAtMs > LAPSE_MS).sort(bySeen)) {
    // They may have been used until then, so what takes their place comes back from then on.
    settleLevels(state, limits, holder.seenAtMs + LAPSE_MS)
    forfeit(holder)
    if (nowMs - holder.seenAtMs > HOLDER_TTL_MS) holders.splice(holders.indexOf(holder), 1)
  }
}

function bySeen(a: HolderState, b: HolderState): number {
  return a.seenAtMs - b.seenAtMs
}

/** Leases that lapsed are lost: what takes their place may be used by others. The holder is told in the next answer. */
function forfeit({ meters }: HolderState): void {
  for (const meter of METERS) {
    const held = meters[meter]
    if (held !== undefined && meter !== 'slots') held.returned += leftOf(held)
  }
}

function settleLevels(state: LimitState, limits: TenantLimits, nowMs: number): void {
  for (const meter of METERS) {
    const limit = meterLimit(limits, meter)
    if (limit === null || meter === 'slots') continue
    // Starts full: nobody has used a limit that nobody has reported about.
    const level = (state.levels[meter] ??= { amount: limit.capacity, atMs: nowMs, issued: 0 })
    const refilled = level.amount + Math.max(0, nowMs - level.atMs) * limit.refillPerMs
    // Leases count as if they lay in the bucket still: what all holders could use at once never exceeds it.
    level.amount = Math.min(refilled, limit.capacity - leased(state, meter))
    level.atMs = Math.max(level.atMs, nowMs)
  }
}

function leased({ holders }: LimitState, meter: MeterName): number {
  return holders.reduce((sum, { meters }) => {
    const held = meters[meter]
    return held === undefined ? sum : sum + leftOf(held)
  }, 0)
}

function leftOf({ granted, returned, used }: Holding): number {
  return Math.max(0, granted - returned - used)
}

/** Takes in what a holder says of itself, unless something newer was said before. */
function file(state: LimitState, report: LimitReport, nowMs: number): HolderState {
  const holder = state.holders.find(({ name }) => name === report.holder) ?? addHolder(state, report.holder)
  if (report.revision > holder.revision) {
    for (const meter of METERS) {
      const said = report.meters[meter]
      if (said !== undefined) fileMeter(state, holder, meter, said)
    }
    holder.revision = report.revision
    holder.isCounted = true
  }
  holder.seenAtMs = Math.max(holder.seenAtMs, nowMs)
  return holder
}

function addHolder({ holders }: LimitState, name: string): HolderState {
  const holder: HolderState = { name, revision: 0, seenAtMs: 0, isCounted: false, meters: {} }
  holders.push(holder)
  return holder
}

function fileMeter({ levels }: LimitState, holder: HolderState, meter: MeterName, said: MeterReport): void {
  const { used, refunded, expected } = said
  const before = holder.meters[meter]
  const granted = Math.max(said.granted, before?.granted ?? 0)
  const returned = Math.max(said.returned, before?.returned ?? 0)
  // Used beyond what was leased: paid for now, which may leave a debt.
  const unpaid = Math.max(0, returned + used - granted)
  holder.meters[meter] = { granted: granted + unpaid, returned, used, refunded, expected }
  const level = levels[meter]
  if (level === undefined) return
  level.amount -= unpaid
  if (before === undefined || !holder.isCounted) return
  level.amount += returned - before.returned + (refunded - before.refunded)
}

interface Asked {
  readonly meter: MeterName
  readonly limit: MeterLimit
  readonly asked: MeterReport
  readonly held: HeldMeter
  readonly nowMs: number
}

function lease(state: LimitState, { meter, limit, asked, held, nowMs }: Asked): MeterLease {
  const level = state.levels[meter]
  const free = level === undefined ? limit.capacity - allSlotsHeld(state) : level.amount
  const short = Math.max(0, asked.needed - leftOf(held))
  const given = toGive(short, asked.whole, free)
  const share = shareOfSpare(state, meter, held, nowMs)
  const spare = Math.floor(Math.max(0, free - given) * SPARE_PART * share)
  const ahead = Math.min(spare, Math.max(0, asked.needed + asked.expected - leftOf(held) - given))
  held.granted += given + ahead
  if (level !== undefined) {
    level.amount -= given + ahead
    level.issued += given + ahead
  }
  const left = free - given - ahead
  const { granted, returned } = held
  return { granted, returned, free: left, retryAfterMs: given < short ? untilNext(limit, left, share) : null }
}

/** Whole units of what is free; but while anything is, as much as one request needs, though it leaves a debt. */
function toGive(short: number, whole: number, free: number): number {
  const available = Math.floor(free)
  return available < 1 ? 0 : Math.min(short, Math.max(available, whole))
}

/** By what each holder expects to need: those that are idle hold nobody up. */
function shareOfSpare({ holders }: LimitState, meter: MeterName, held: HeldMeter, nowMs: number): number {
  const all = holders.reduce((sum, { seenAtMs, meters }) => {
    return nowMs - seenAtMs > CONTENDING_MS ? sum : sum + (meters[meter]?.expected ?? 0)
  }, 0)
  return all > held.expected ? held.expected / all : 1
}

/** Until there is one more, longer where others want it as well: it is not worth asking before. */
function untilNext({ refillPerMs }: MeterLimit, free: number, share: number): number {
  if (refillPerMs === 0) return SLOT_RETRY_MS
  const nextMs = Math.max(0, 1 - free) / refillPerMs
  const turnMs = Math.min(MAX_TURN_MS, share > 0 ? nextMs / share - nextMs : MAX_TURN_MS)
  return Math.max(LEAST_RETRY_MS, nextMs + turnMs)
}

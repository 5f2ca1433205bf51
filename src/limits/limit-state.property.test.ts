// The bounds that docs/limits.md states, over holders whose messages are late, lost, repeated and overtaken.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BucketWitness } from '../../test/support/bucket-witness.ts'
import { type Charge, LimitBook, type Ticket } from './limit-book.ts'
import type { LimitLease, LimitReport } from './limit-report.ts'
import { createLimitState, leaseFrom, type LimitState } from './limit-state.ts'
import { LimitKeeper, resumeLimits } from './limit-keeping.ts'
import type { TenantLimits } from './meters.ts'

const HOLDERS = 8

const UNLIMITED = Number.MAX_SAFE_INTEGER

/** Most tokens that a request is charged when it begins. */
const MOST_CHARGED = 60

type Step =
  | {
      readonly kind: 'arrive'
      readonly holder: number
      readonly tokens: number
      readonly isPrompt: boolean
      readonly count: number
    }
  | { readonly kind: 'end'; readonly pick: number; readonly usedPart: number }
  | { readonly kind: 'ask'; readonly holder: number; readonly keeps: 'expected' | 'nothing' }
  | { readonly kind: 'reach' | 'answer'; readonly pick: number; readonly fate: 'once' | 'twice' | 'lost' }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'evict' }

const holder = fc.nat(HOLDERS - 1)
const fate = fc.constantFrom('once', 'once', 'once', 'twice', 'lost')
const isPrompt = fc.constantFrom(true, true, true, false)
const count = fc.constantFrom(1, 1, 1, 4, 16)
const ms = fc.oneof(fc.nat(60), fc.nat(1_500), fc.nat(5_000))
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('arrive'), holder, tokens: fc.nat(MOST_CHARGED), isPrompt, count }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end'),
      pick: fc.nat(),
      usedPart: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('ask'), holder, keeps: fc.constantFrom('expected', 'nothing') }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('reach', 'answer'), pick: fc.nat(), fate }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass'), ms }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('evict') }) },
)

const limits: fc.Arbitrary<TenantLimits> = fc.record({
  rateLimitRps: fc.option(fc.constantFrom(0.5, 2.5, 8, 40)),
  maxConcurrent: fc.option(fc.constantFrom(1, 3, 20)),
  tokensPerMinute: fc.option(fc.constantFrom(1, 100, 3_000)),
})

interface Running {
  readonly book: LimitBook
  readonly ticket: Ticket
  readonly charged: number
}

class World {
  nowMs = 1_000_000
  readonly running: Running[] = []
  mostRunning = 0
  requestsOver = 0
  tokensOver = 0
  /** Tokens used so far beyond what the limit allows since the beginning. */
  totalOver = 0
  readonly #limits: TenantLimits
  readonly #isCrashing: boolean
  #state: LimitState = createLimitState()
  #keeper = new LimitKeeper()
  #kept: string | null = null
  readonly #books: LimitBook[]
  readonly #reports: { readonly from: LimitBook; readonly sentAtMs: number; readonly report: LimitReport }[] = []
  readonly #answers: { readonly to: LimitBook; readonly sentAtMs: number; readonly lease: LimitLease }[] = []
  readonly #startedAtMs = this.nowMs
  readonly #requests: BucketWitness
  readonly #tokens: BucketWitness
  #total = 0

  constructor(given: TenantLimits, isCrashing: boolean) {
    this.#limits = given
    this.#isCrashing = isCrashing
    this.#books = Array.from({ length: HOLDERS }, (_, at) => new LimitBook({ tenant: 't', holder: `h${at}` }, given))
    this.#requests = BucketWitness.of(given.rateLimitRps, 1, 1_000)
    this.#tokens = BucketWitness.of(given.tokensPerMinute, 0, 60_000)
  }

  do(act: Step): void {
    switch (act.kind) {
      case 'arrive':
        for (let arrived = 0; arrived < act.count; arrived++) this.#arrive(this.#book(act.holder), act)
        return
      case 'end':
        return this.#end(act)
      case 'ask':
        return this.#ask(this.#book(act.holder), null, act.keeps)
      case 'reach':
        return this.#reach(act)
      case 'answer':
        return this.#answer(act)
      case 'pass':
        this.nowMs += act.ms
        return
      case 'evict':
        if (!this.#isCrashing) return
        this.#state = this.#kept === null ? createLimitState() : resumeLimits(JSON.parse(this.#kept), this.nowMs)
        this.#keeper = new LimitKeeper()
    }
  }

  #book(at: number): LimitBook {
    const book = this.#books[at]
    if (book === undefined) throw new Error(`no holder ${at}`)
    return book
  }

  #arrive(book: LimitBook, { tokens, isPrompt }: { readonly tokens: number; readonly isPrompt: boolean }): void {
    const charge = { tokens }
    book.noteDemand(charge, this.nowMs)
    if (this.#take(book, charge)) return
    const stopWaiting = book.wait(charge, this.nowMs)
    this.#ask(book, charge, 'expected')
    stopWaiting()
    if (!isPrompt) return
    this.#reach({ pick: this.#reports.length - 1, fate: 'once' })
    this.#answer({ pick: this.#answers.length - 1, fate: 'once' })
    this.#take(book, charge)
  }

  #take(book: LimitBook, charge: Charge): boolean {
    const ticket = book.take(charge, this.nowMs)
    if (ticket === null) return false
    const { tokens } = charge
    this.running.push({ book, ticket, charged: tokens })
    this.mostRunning = Math.max(this.mostRunning, this.running.length)
    this.requestsOver = Math.max(this.requestsOver, this.#requests.take(1, this.nowMs))
    this.tokensOver = Math.max(this.tokensOver, this.#tokens.take(tokens, this.nowMs))
    this.#total += tokens
    const perMinute = this.#limits.tokensPerMinute ?? UNLIMITED
    this.totalOver = Math.max(this.totalOver, this.#total - perMinute * (1 + (this.nowMs - this.#startedAtMs) / 60_000))
    return true
  }

  #end({ pick, usedPart }: { readonly pick: number; readonly usedPart: number }): void {
    const [ended] = this.running.splice(pick % Math.max(1, this.running.length), 1)
    if (ended === undefined) return
    const used = Math.floor(ended.charged * usedPart)
    ended.book.charge(ended.ticket, used)
    ended.book.end(ended.ticket)
    this.#total -= ended.charged - used
  }

  #ask(from: LimitBook, asker: { tokens: number } | null, keeps: 'expected' | 'nothing'): void {
    this.#reports.push({ from, sentAtMs: this.nowMs, report: from.toReport(this.nowMs, { asker, keeps }) })
  }

  #reach({ pick, fate }: { readonly pick: number; readonly fate: 'once' | 'twice' | 'lost' }): void {
    const at = pick % Math.max(1, this.#reports.length)
    const sent = this.#reports[at]
    if (sent === undefined) return
    if (fate !== 'twice') this.#reports.splice(at, 1)
    if (fate === 'lost') return
    const lease = leaseFrom(this.#state, sent.report, this.nowMs)
    const kept = this.#keeper.toKeep(this.#state, this.#limits, this.nowMs)
    if (kept !== null) this.#kept = JSON.stringify(kept)
    this.#answers.push({ to: sent.from, sentAtMs: sent.sentAtMs, lease })
  }

  #answer({ pick, fate }: { readonly pick: number; readonly fate: 'once' | 'twice' | 'lost' }): void {
    const at = pick % Math.max(1, this.#answers.length)
    const sent = this.#answers[at]
    if (sent === undefined) return
    if (fate !== 'twice') this.#answers.splice(at, 1)
    if (fate !== 'lost') sent.to.accept(sent.lease, sent.sentAtMs, this.nowMs)
  }
}

function play(given: TenantLimits, steps: readonly Step[], isCrashing: boolean): World {
  const world = new World(given, isCrashing)
  for (const act of steps) world.do(act)
  return world
}

const steps = fc.array(step, { minLength: 100, maxLength: 500, size: 'max' })

describe.each([
  ['that lives on', false],
  ['that is put away at any time', true],
])('over 8 holders and a store %s', (_, isCrashing) => {
  test('no more requests pass than one bucket would let through, in any window', () => {
    fc.assert(
      fc.property(limits, steps, (given, acts) => {
        expect(play(given, acts, isCrashing).requestsOver).toBe(0)
      }),
      { numRuns: 120 },
    )
  })

  test('no more tokens are charged than one bucket would allow, but for the last request, which may leave a debt', () => {
    const exact = steps.map((acts) => acts.map((act) => (act.kind === 'end' ? { ...act, usedPart: 1 } : act)))
    fc.assert(
      fc.property(limits, exact, (given, acts) => {
        expect(play(given, acts, isCrashing).tokensOver).toBeLessThan(MOST_CHARGED)
      }),
      { numRuns: 120 },
    )
  })

  test('no more tokens are used than came back since the beginning, but for that last request', () => {
    fc.assert(
      fc.property(limits, steps, (given, acts) => {
        expect(play(given, acts, isCrashing).totalOver).toBeLessThan(MOST_CHARGED)
      }),
      { numRuns: 120 },
    )
  })

  test('no more requests run at a time than there are slots, while every holder is heard of', () => {
    const alive = steps.filter(
      (acts) => acts.reduce((sum, act) => sum + (act.kind === 'pass' ? act.ms : 0), 0) < 80_000,
    )
    fc.assert(
      fc.property(limits, alive, (given, acts) => {
        const { mostRunning } = play(given, acts, isCrashing)
        expect(mostRunning).toBeLessThanOrEqual(given.maxConcurrent ?? mostRunning)
      }),
      { numRuns: 120 },
    )
  })
})

// One router of the simulated fleet: it sees what a router sees (its own requests exactly, those of others and what workers
// say with their age), finds out what its policy asks for, and has `decide` choose.

import { decide, type FleetView } from '../../src/routing/decide.ts'
import type { CandidateView, Policy, ScrapedLoad } from '../../src/routing/policy.ts'
import type { VirtualClock } from '../../src/simulator/clock.ts'
import type { VirtualWorker } from './fleet.ts'
import type { CacheFacts, Knowledge } from './knowledge.ts'
import type { Outcome } from './outcome.ts'
import { MODEL, type PreparedRequest } from './prepared.ts'

/** A router's copy of the fleet is renewed when it is older than this and somebody asks. */
const REFRESH_AFTER_MS = 1_000

/** Between two looks at the workers' metrics. */
export const SCRAPE_EVERY_MS = 5_000

const MODELS: ReadonlySet<string> = new Set([MODEL])

/** What all routers of a fleet have in common. */
export interface SharedFleet {
  readonly clock: VirtualClock
  readonly workers: readonly VirtualWorker[]
  readonly policy: Policy
  /** Turns of round robin. */
  nextTicket(): number
  /** All routers, this one among them. */
  routers(): readonly VirtualRouter[]
}

interface Heard {
  readonly elsewhere: readonly number[]
  readonly atMs: number
}

interface Scraped {
  readonly running: number
  readonly waiting: number
  readonly kvUsage: number
  readonly ours: number
}

export class VirtualRouter {
  readonly inFlight: number[]
  readonly #fleet: SharedFleet
  readonly #knowledge: Knowledge
  #heard: Heard
  #scraped: { readonly loads: readonly Scraped[]; readonly atMs: number } | null = null

  constructor(fleet: SharedFleet, knowledge: Knowledge) {
    this.#fleet = fleet
    this.#knowledge = knowledge
    this.inFlight = fleet.workers.map(() => 0)
    this.#heard = { elsewhere: fleet.workers.map(() => 0), atMs: 0 }
  }

  /** Sends a request on its way; `done` hears what became of it. */
  handle(request: PreparedRequest, done: (outcome: Outcome) => void): void {
    const { clock } = this.#fleet
    const arrivedAtMs = clock.now()
    const lookup = this.#knowledge.lookupFor(request)
    const answered = { lookups: lookup.count, lookupMs: lookup.ms }
    const send = (): void => this.#send(request, arrivedAtMs, (outcome) => done({ ...outcome, ...answered }))
    if (lookup.ms === 0) send()
    else clock.after(lookup.ms, send)
  }

  #send(request: PreparedRequest, arrivedAtMs: number, done: (outcome: SentOutcome) => void): void {
    const { clock, workers } = this.#fleet
    const nowMs = clock.now()
    const facts = { prefix: null, lmcache: null, ...this.#knowledge.factsFor(request, nowMs) }
    const worker = this.#choose(request, facts)
    const { promptTokens, outputTokens } = request.trace
    const chosen = workers[worker ?? -1]
    if (worker === null || chosen === undefined) {
      return done({ worker: null, promptTokens, cachedTokens: 0, firstTokenMs: 0, betweenTokensMs: 0 })
    }
    this.#count(worker, 1)
    const attempt = this.#knowledge.begin(request, { workerId: chosen.id, facts, nowMs })
    let firstAtMs = 0
    chosen.submit(request, {
      firstToken: () => {
        firstAtMs = clock.now()
        attempt.firstToken(firstAtMs)
      },
      ended: (cachedTokens) => {
        this.#count(worker, -1)
        attempt.ended(cachedTokens)
        const betweenTokensMs = outputTokens > 1 ? (clock.now() - firstAtMs) / (outputTokens - 1) : 0
        done({ worker, promptTokens, cachedTokens, firstTokenMs: firstAtMs - arrivedAtMs, betweenTokensMs })
      },
    })
  }

  #count(worker: number, by: number): void {
    this.inFlight[worker] = (this.inFlight[worker] ?? 0) + by
  }

  #choose(request: PreparedRequest, facts: CacheFacts): number | null {
    const { policy, workers } = this.#fleet
    const { chosen } = decide(
      {
        model: MODEL,
        affinity: request.session,
        ticket: policy.needs.ticket === undefined ? null : this.#fleet.nextTicket(),
        tried: [],
        pinnedWorkerId: null,
        ...facts,
      },
      { policy },
      this.#view(),
      request.at,
    )
    return chosen === null ? null : workers.findIndex(({ id }) => id === chosen.id)
  }

  #view(): FleetView {
    const nowMs = this.#fleet.clock.now()
    const { elsewhere, atMs } = this.#hear(nowMs)
    const scraped = this.#scrape(nowMs)
    const candidates = this.#fleet.workers.map((worker, at) =>
      candidateOf(worker.id, {
        inFlightHere: this.inFlight[at] ?? 0,
        inFlightElsewhere: elsewhere[at] ?? 0,
        scraped: scraped[at] ?? null,
      }),
    )
    return { source: 'memory', ageMs: nowMs - atMs, candidates }
  }

  /** The copy as it was: it is renewed beside the request that finds it old, for those that follow. */
  #hear(nowMs: number): Heard {
    const heard = this.#heard
    if (nowMs - heard.atMs > REFRESH_AFTER_MS) {
      const others = this.#fleet.routers().filter((router) => router !== this)
      const elsewhere = this.#fleet.workers.map((_, at) =>
        others.reduce((sum, { inFlight }) => sum + (inFlight[at] ?? 0), 0),
      )
      this.#heard = { elsewhere, atMs: nowMs }
      if (nowMs - heard.atMs > 2 * REFRESH_AFTER_MS) return this.#heard
    }
    return heard
  }

  #scrape(nowMs: number): readonly ScrapedLoad[] {
    const last = this.#scraped
    const scraped = last === null || nowMs - last.atMs > SCRAPE_EVERY_MS ? this.#readMetrics(nowMs) : last
    this.#scraped = scraped
    const ageMs = nowMs - scraped.atMs
    return scraped.loads.map((load) => ({ ...load, ageMs }))
  }

  #readMetrics(nowMs: number): { readonly loads: readonly Scraped[]; readonly atMs: number } {
    const routers = this.#fleet.routers()
    const loads = this.#fleet.workers.map(({ engine: { stats, cache } }, at) => ({
      running: stats.running,
      waiting: stats.waiting,
      kvUsage: cache.usage,
      ours: routers.reduce((sum, { inFlight }) => sum + (inFlight[at] ?? 0), 0),
    }))
    return { loads, atMs: nowMs }
  }
}

type SentOutcome = Omit<Outcome, 'lookups' | 'lookupMs'>

type Loads = Pick<CandidateView, 'inFlightHere' | 'inFlightElsewhere' | 'scraped'>

function candidateOf(id: string, loads: Loads): CandidateView {
  return {
    id,
    workerId: id,
    rank: null,
    weight: 1,
    labels: {},
    models: MODELS,
    availability: 'up',
    hasPermit: false,
    share: 1,
    ...loads,
  }
}

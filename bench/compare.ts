// Measures targets in turn, round after round, under the same load: on a noisy machine only what happened side by side
// can be compared.

import type { LoadJob, LoadResult } from './generator/load.ts'
import type { LoadName } from './loads.ts'
import { cpuSecondsOf, peakMemoryMb } from './proc.ts'
import type { Partner } from './processes.ts'
import { medianOf, type Spread, spreadOf } from './statistics.ts'
import type { Target } from './targets.ts'

/** A target, and the one that it is held against; null for one that others are held against. */
export interface Contender {
  readonly target: Target
  readonly baseline: Target | null
}

export interface Bench {
  readonly generator: Partner
  /** The upstream as a target of its own: how fast the generator and it are with nothing between. */
  readonly upstream: Target
  readonly contenders: readonly Contender[]
}

export interface LoadPlan {
  readonly load: LoadName
  readonly connections: number
  /** Requests a second; null for as many as the connections take. */
  readonly rate: number | null
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
}

/** How one target did; each figure is the median of its rounds. */
export interface TargetFigures {
  readonly name: string
  readonly isUpstream: boolean
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Shares of all requests, over all rounds. */
  readonly refusedShare: number
  readonly failedShare: number
  /** Of answers after which the server closed the connection: a new one for each request is a cost of its own. */
  readonly closingShare: number
  readonly cpuSecondsPer1000: number
  readonly peakMemoryMb: number
  /** CPU used over time passed: 1 is a whole core. */
  readonly busy: { readonly target: number; readonly upstream: number; readonly generator: number }
}

/** One target over another, round by round. */
export interface Ratio {
  readonly name: string
  readonly baseline: string
  readonly requestsPerSecond: Spread
  readonly cpu: Spread
  readonly p99: Spread
  readonly addedP50Ms: Spread
}

export interface Comparison {
  readonly plan: LoadPlan
  readonly targets: readonly TargetFigures[]
  readonly ratios: readonly Ratio[]
  /** Who was at its limit when the fastest of the targets ran. */
  readonly limit: string
}

interface Leg extends LoadResult {
  readonly targetCpuSeconds: number
  readonly upstreamCpuSeconds: number
}

/** A core busier than this leaves no doubt who holds up the rest. */
const SATURATED = 0.85

/** Every target once under this load, so that its runtime has compiled what it will run; nothing is measured. */
export async function warmUp(bench: Bench, plan: LoadPlan): Promise<void> {
  for (const target of targetsOf(bench)) await measure(bench, target, plan, plan.warmUpSeconds)
}

function targetsOf({ contenders }: Bench): readonly Target[] {
  return [...new Set(contenders.map(({ target }) => target))]
}

export async function compare(bench: Bench, plan: LoadPlan): Promise<Comparison> {
  const { upstream, contenders } = bench
  const all = targetsOf(bench)
  await warmUp(bench, plan)
  const legs = new Map<Target, Leg[]>([...all, upstream].map((target) => [target, []]))
  for (let round = 0; round < plan.rounds; round += 1) {
    // The order changes so that a drift of the machine favours nobody.
    for (const target of round % 2 === 0 ? all : all.toReversed()) {
      legs.get(target)?.push(await measure(bench, target, plan, plan.seconds))
    }
    if (plan.rate === null) legs.get(upstream)?.push(await measure(bench, upstream, plan, plan.seconds / 2))
  }
  const measured = [...legs].filter(([, rounds]) => rounds.length > 0)
  const targets = measured.map(([target, rounds]) => toFigures(target, rounds, target === upstream))
  const ratios = contenders.flatMap(({ target, baseline }) =>
    baseline === null ? [] : [toRatio([target, baseline], legs)],
  )
  return { plan, targets, ratios, limit: limitOf(targets) }
}

async function measure(bench: Bench, target: Target, plan: LoadPlan, seconds: number): Promise<Leg> {
  const { port, headers, rewritesAnswers: isAnyLengthRight } = target
  const { load, connections, rate } = plan
  const job: LoadJob = { port, load, connections, seconds, rate, headers, isAnyLengthRight }
  const before = { target: cpuSecondsOf(target.pid), upstream: cpuSecondsOf(bench.upstream.pid) }
  const result = await bench.generator.ask<LoadResult>(job)
  return {
    ...result,
    targetCpuSeconds: cpuSecondsOf(target.pid) - before.target,
    upstreamCpuSeconds: cpuSecondsOf(bench.upstream.pid) - before.upstream,
  }
}

const rateOf = (leg: Leg) => leg.completed / leg.elapsedSeconds
const cpuPer1000 = (leg: Leg) => (leg.targetCpuSeconds / leg.completed) * 1_000

function toRatio([target, baseline]: readonly [Target, Target], legs: ReadonlyMap<Target, readonly Leg[]>): Ratio {
  const [ours = [], theirs = []] = [legs.get(target), legs.get(baseline)]
  const pairwise = (combine: (ours: Leg, theirs: Leg) => number) =>
    spreadOf(ours.map((leg, at) => (theirs[at] === undefined ? Number.NaN : combine(leg, theirs[at]))))
  return {
    name: target.name,
    baseline: baseline.name,
    requestsPerSecond: pairwise((a, b) => rateOf(a) / rateOf(b)),
    cpu: pairwise((a, b) => cpuPer1000(a) / cpuPer1000(b)),
    p99: pairwise((a, b) => a.p99Ms / b.p99Ms),
    addedP50Ms: pairwise((a, b) => a.p50Ms - b.p50Ms),
  }
}

function toFigures(target: Target, legs: readonly Leg[], isUpstream: boolean): TargetFigures {
  const median = (of: (leg: Leg) => number) => medianOf(legs.map(of))
  const total = (of: (leg: Leg) => number) => legs.reduce((sum, leg) => sum + of(leg), 0)
  const failed = total((leg) => leg.wrong + leg.broken + leg.unsent)
  const asked = total((leg) => leg.completed + leg.refused) + failed
  return {
    name: target.name,
    isUpstream,
    requestsPerSecond: median(rateOf),
    p50Ms: median((leg) => leg.p50Ms),
    p99Ms: median((leg) => leg.p99Ms),
    refusedShare: total((leg) => leg.refused) / asked,
    failedShare: failed / asked,
    closingShare: total((leg) => leg.closing) / asked,
    cpuSecondsPer1000: median(cpuPer1000),
    peakMemoryMb: peakMemoryMb(target.pid),
    busy: {
      target: median((leg) => leg.targetCpuSeconds / leg.elapsedSeconds),
      upstream: median((leg) => leg.upstreamCpuSeconds / leg.elapsedSeconds),
      generator: median((leg) => leg.cpuSeconds / leg.elapsedSeconds),
    },
  }
}

/** The faster a target is, the sooner the upstream or the generator would be its limit. */
function limitOf(targets: readonly TargetFigures[]): string {
  const [fastest] = targets
    .filter(({ isUpstream, requestsPerSecond }) => !isUpstream && requestsPerSecond > 0)
    .sort((a, b) => b.requestsPerSecond - a.requestsPerSecond)
  if (fastest === undefined) return 'unknown'
  const { busy, name } = fastest
  if (busy.target >= Math.max(busy.upstream, busy.generator)) return 'what is measured'
  if (Math.max(busy.upstream, busy.generator) < SATURATED) return 'nobody: waiting, as few connections do'
  return busy.upstream > busy.generator
    ? `THE UPSTREAM, for ${name}: what is compared with it looks better than it is`
    : `THE GENERATOR, for ${name}: what is compared with it looks better than it is`
}

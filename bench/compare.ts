// Measures targets in turn, round after round, under the same load: on a noisy machine only what happened side by side
// can be compared.

import type { LoadJob, LoadResult } from './generator/load.ts'
import type { LoadName } from './loads.ts'
import { cpuSecondsOf, peakMemoryMb } from './proc.ts'
import type { Partner } from './processes.ts'
import { medianOf, type Spread, spreadOf } from './statistics.ts'
import type { Target } from './targets.ts'

export interface Bench {
  readonly generator: Partner
  /** The upstream as a target of its own: how fast the generator and it are with nothing between. */
  readonly upstream: Target
  readonly passThrough: Target
  readonly router: Target
}

export interface LoadPlan {
  readonly load: LoadName
  readonly connections: number
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

export interface Comparison {
  readonly plan: LoadPlan
  readonly targets: readonly TargetFigures[]
  /** The router's requests per second over the pass-through's of the same round. */
  readonly ratio: Spread
  readonly cpuRatio: Spread
  readonly addedP50Ms: Spread
  /** Who was at its limit when the pass-through, the faster of the two, ran. */
  readonly limit: string
}

interface Leg extends LoadResult {
  readonly targetCpuSeconds: number
  readonly upstreamCpuSeconds: number
}

/** A core busier than this leaves no doubt who holds up the rest. */
const SATURATED = 0.85

export async function compare(bench: Bench, plan: LoadPlan): Promise<Comparison> {
  const { router, passThrough, upstream } = bench
  for (const target of [passThrough, router]) await measure(bench, target, plan, plan.warmUpSeconds)
  const legs = new Map<Target, Leg[]>([passThrough, router, upstream].map((target) => [target, []]))
  for (let round = 0; round < plan.rounds; round += 1) {
    // The order changes so that a drift of the machine favours nobody.
    const pair = round % 2 === 0 ? [passThrough, router] : [router, passThrough]
    for (const target of pair) legs.get(target)?.push(await measure(bench, target, plan, plan.seconds))
    legs.get(upstream)?.push(await measure(bench, upstream, plan, plan.seconds / 2))
  }
  const targets = [...legs].map(([target, rounds]) => toFigures(target, rounds, target === upstream))
  const [ours = [], bare = []] = [legs.get(router), legs.get(passThrough)]
  const pairwise = (combine: (ours: Leg, bare: Leg) => number) =>
    spreadOf(ours.map((leg, at) => (bare[at] === undefined ? Number.NaN : combine(leg, bare[at]))))
  return {
    plan,
    targets,
    ratio: pairwise((a, b) => rateOf(a) / rateOf(b)),
    cpuRatio: pairwise((a, b) => cpuPer1000(a) / cpuPer1000(b)),
    addedP50Ms: pairwise((a, b) => a.p50Ms - b.p50Ms),
    limit: limitOf(targets),
  }
}

async function measure(bench: Bench, target: Target, plan: LoadPlan, seconds: number): Promise<Leg> {
  const job: LoadJob = { port: target.port, load: plan.load, connections: plan.connections, seconds }
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

function toFigures(target: Target, legs: readonly Leg[], isUpstream: boolean): TargetFigures {
  const median = (of: (leg: Leg) => number) => medianOf(legs.map(of))
  const total = (of: (leg: Leg) => number) => legs.reduce((sum, leg) => sum + of(leg), 0)
  const failed = total((leg) => leg.wrong + leg.broken)
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

function limitOf(targets: readonly TargetFigures[]): string {
  const bare = targets.find(({ name }) => name === 'pass-through')
  if (bare === undefined) return 'unknown'
  const { busy } = bare
  if (busy.target >= Math.max(busy.upstream, busy.generator)) return 'what is measured'
  if (Math.max(busy.upstream, busy.generator) < SATURATED) return 'nobody: waiting, as few connections do'
  return busy.upstream > busy.generator
    ? 'THE UPSTREAM: ratios flatter the router'
    : 'THE GENERATOR: ratios flatter the router'
}

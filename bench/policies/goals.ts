// What cache awareness has to be worth, and whether it is.

import { BASELINE } from './contenders.ts'
import { GOAL_LOAD, GOAL_WORKERS } from './matrix.ts'
import { type DoneRun, findFigures, type Results } from './results.ts'

export interface Goal {
  readonly trace: string
  readonly name: string
  readonly found: string
  /** Null where the runs that it is about were not made. */
  readonly isMet: boolean | null
  /** How far off it is, and what is known to be behind it; empty where it is met. */
  readonly missed: string
}

/** What stands behind a miss of each kind, as far as the way in which the policies work says. */
const WHY = {
  oracle: 'the index knows what was sent, and not what was evicted since',
  random: 'prompts have little in common, or caches are too small to hold it until it is asked for again',
  lookup:
    'several names in an answer are parts of one chain, of which only some can be credited, and all of it is late',
  latency: 'prompts wait at the workers that hold their beginning',
}

const LOOKUP = 'lmcache_aware (prefix_lookup)'

/** All goals, for each trace. */
export function goalsOf({ extent, main }: Results): readonly Goal[] {
  return extent.traces.flatMap((trace) => [
    ...hitGoals(trace, main),
    ...extent.loads.map((load) => latencyGoal(trace, main, load)),
    improvementGoal(trace, main),
  ])
}

function hitGoals(trace: string, runs: readonly DoneRun[]): readonly Goal[] {
  const there = { trace, workers: GOAL_WORKERS, load: GOAL_LOAD }
  const hits = (contender: DoneRun['plan']['contender']) => findFigures(runs, { ...there, contender })?.hitShare ?? NaN
  const [ours, oracle, random, lookup] = [hits('cache_aware'), hits('oracle'), hits('random'), hits(LOOKUP)]
  const points = (lookup - ours) * 100
  return [
    goal(trace, 'cache_aware finds at least 90 % of what the oracle finds', ours / oracle, {
      isMet: ours >= 0.9 * oracle,
      found: `${((ours / oracle) * 100).toFixed(1)} %`,
      missed: `by ${(90 - (ours / oracle) * 100).toFixed(1)} points: ${WHY.oracle}`,
    }),
    goal(trace, 'cache_aware finds at least twice what random finds', ours / random, {
      isMet: ours >= 2 * random,
      found: `${(ours / random).toFixed(1)} times`,
      missed: `by ${(2 - ours / random).toFixed(2)} times: ${WHY.random}`,
    }),
    goal(trace, `${LOOKUP} finds at most 5 points less than cache_aware`, points, {
      isMet: points >= -5,
      found: `${points >= 0 ? '+' : ''}${points.toFixed(1)} points`,
      missed: `by ${(-5 - points).toFixed(1)} points: ${WHY.lookup}`,
    }),
  ]
}

function latencyGoal(trace: string, runs: readonly DoneRun[], load: number): Goal {
  const at = { trace, workers: GOAL_WORKERS, load }
  const ours = findFigures(runs, { ...at, contender: 'cache_aware' })?.firstTokenP90Ms ?? NaN
  const theirs = findFigures(runs, { ...at, contender: BASELINE })?.firstTokenP90Ms ?? NaN
  const name = `p90 of the first token no later than least_load's at ${(load * 100).toFixed(0)} %`
  return goal(trace, name, ours - theirs, {
    isMet: ours <= theirs,
    found: `${seconds(ours)} against ${seconds(theirs)}`,
    missed: `by ${seconds(ours - theirs)}: ${WHY.latency}`,
  })
}

function improvementGoal(trace: string, runs: readonly DoneRun[]): Goal {
  const at = { trace, workers: GOAL_WORKERS, load: GOAL_LOAD }
  const ours = findFigures(runs, { ...at, contender: 'cache_aware' })?.firstTokenP90Ms ?? NaN
  const theirs = findFigures(runs, { ...at, contender: BASELINE })?.firstTokenP90Ms ?? NaN
  const name = `p90 of the first token at least 25 % earlier than least_load's at ${(GOAL_LOAD * 100).toFixed(0)} %`
  const found = `${((1 - ours / theirs) * 100).toFixed(0)} % earlier`
  const missed = `by ${((ours / theirs) * 100 - 75).toFixed(0)} points: ${WHY.latency}`
  return goal(trace, name, ours / theirs, { isMet: ours <= 0.75 * theirs, found, missed })
}

function goal(
  trace: string,
  name: string,
  value: number,
  { isMet, found, missed }: { readonly isMet: boolean; readonly found: string; readonly missed: string },
): Goal {
  if (Number.isNaN(value)) return { trace, name, found: 'not run', isMet: null, missed: '' }
  return { trace, name, found, isMet, missed: isMet ? '' : missed }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}

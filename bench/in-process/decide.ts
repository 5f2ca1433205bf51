// What one call of decide() costs for every policy, at 4, 64 and 1,024 workers, with the most there is to read.

import { hash64 } from '../../src/routing/hash.ts'
import { decide, type DecisionInput, type FleetView } from '../../src/routing/decide.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import type { CandidateView, PolicyDefinition } from '../../src/routing/policy.ts'
import { measureMicroseconds, type RoundsOptions } from '../in-process.ts'
import type { Spread } from '../statistics.ts'
import { type BenchTable, microseconds } from './table.ts'

const SIZES = [4, 64, 1_024] as const

/** At 64 workers, for policies that have nothing to compare. */
const GOAL_US = 5
const FAST_POLICIES = new Set(['round_robin', 'consistent_hash'])

/** Sixteen times the workers may cost sixteen times as much; half as much again is what caches of the machine cost. */
const MAX_GROWTH = 1.5

/** A task that decides once under this policy among so many workers. */
export function decideTask(definition: PolicyDefinition, size: number): () => void {
  const policy = definition.create(definition.options.parse({}))
  const view = viewOf(size)
  const keys = Array.from({ length: 256 }, (_, at) => hash64(`session-${at}`))
  const caches = cachesOf(view)
  let turn = 0
  return () => {
    turn += 1
    const affinity = { source: 'header:x-session-id', hash: keys[turn % keys.length] ?? '' }
    const request = { model: 'bench/model', affinity, ticket: turn, tried: [], pinnedWorkerId: null }
    const input: DecisionInput = { ...request, ...caches }
    decide(input, { policy }, view, turn)
  }
}

export async function benchDecide(options: RoundsOptions): Promise<BenchTable> {
  const rows: string[][] = []
  const goals: { what: string; isMet: boolean }[] = []
  for (const [name, definition] of BUILT_IN_POLICIES) {
    const costs: Spread[] = []
    for (const size of SIZES) costs.push(await measureMicroseconds(decideTask(definition, size), options))
    const [, at64, at1024] = costs
    const growth = at64 === undefined || at1024 === undefined ? Number.NaN : at1024.min / at64.min / (1_024 / 64)
    rows.push([`\`${name}\``, ...costs.map(microseconds), growth.toFixed(2)])
    if (FAST_POLICIES.has(name)) {
      const least = at64?.min ?? Number.NaN
      goals.push({ what: `${name} at 64 workers: ${least.toFixed(2)} us, under ${GOAL_US}`, isMet: least < GOAL_US })
    }
    const isLinear = growth <= MAX_GROWTH
    if (!isLinear) goals.push({ what: `${name} grows faster than the number of workers`, isMet: false })
  }
  if (goals.every(({ isMet }) => isMet)) goals.push({ what: 'no policy grows faster than linearly', isMet: true })
  return {
    title: 'decide(), microseconds a call',
    about: 'Every worker serves the model, holds something of the prompt and has something to do.',
    head: ['policy', ...SIZES.map((size) => `${size} workers`), 'per worker, 1,024 / 64'],
    rows,
    goals,
  }
}

function viewOf(size: number): FleetView {
  const models = new Set(['bench/model'])
  const candidates = Array.from({ length: size }, (_, at): CandidateView => {
    const id = `http://10.0.${at >> 8}.${at & 255}:8000`
    const load = { hasPermit: false, share: 1, inFlightHere: at % 5, inFlightElsewhere: at % 7, scraped: null }
    return { id, workerId: id, rank: null, weight: 1, labels: {}, models, availability: 'up', ...load }
  })
  return { source: 'memory', ageMs: 250, candidates }
}

/** The most there is to read: everybody holds something of the prompt, and has something to do. */
function cachesOf({ candidates }: FleetView): Pick<DecisionInput, 'prefix' | 'lmcache'> {
  const tokens = (most: number) => Object.fromEntries(candidates.map(({ id }, at) => [id, 1 + (at % most)]))
  const shared = { promptTokens: 4_096, prefillMsPerToken: 0.2 }
  return {
    prefix: { ...shared, cachedTokens: tokens(4_096), backlogTokens: tokens(10_000) },
    lmcache: { ...shared, matchedTokens: tokens(4_000), chunkCounts: tokens(5_000) },
  }
}

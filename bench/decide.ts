// `node bench/decide.ts`: what one call of decide() costs for every policy, at 4, 64 and 1,024 workers, and what the
// view it is given costs. In one process, without I/O: CPU profiles come from `node --cpu-prof bench/decide.ts`.

import { hash64 } from '../src/routing/hash.ts'
import { decide, type DecisionInput, type FleetView } from '../src/routing/decide.ts'
import { BUILT_IN_POLICIES } from '../src/routing/policies/index.ts'
import type { CandidateView, PolicyDefinition } from '../src/routing/policy.ts'
import { measureMicroseconds } from './in-process.ts'
import type { Spread } from './statistics.ts'

const SIZES = [4, 64, 1_024] as const

/** Issue 9: round robin and hash under this many microseconds at 64 workers. */
const GOAL_US = 5

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

async function measure(definition: PolicyDefinition, size: number): Promise<Spread> {
  const policy = definition.create(definition.options.parse({}))
  const view = viewOf(size)
  const keys = Array.from({ length: 256 }, (_, at) => hash64(`session-${at}`))
  const caches = cachesOf(view)
  let turn = 0
  return measureMicroseconds(() => {
    turn += 1
    const affinity = { source: 'header:x-session-id', hash: keys[turn % keys.length] ?? '' }
    const request = { model: 'bench/model', affinity, ticket: turn, tried: [], pinnedWorkerId: null }
    const input: DecisionInput = { ...request, ...caches }
    decide(input, { policy }, view, turn)
  })
}

process.stdout.write(
  `decide(), microseconds per call: median (least) of rounds; goal at 64 workers: ${GOAL_US} for round_robin and consistent_hash\n\n`,
)
process.stdout.write(
  `${'policy'.padEnd(18)}${SIZES.map((size) => `${size} workers`.padStart(20)).join('')}   per worker, 1024 / 64\n`,
)
for (const [name, definition] of BUILT_IN_POLICIES) {
  const costs: Spread[] = []
  for (const size of SIZES) costs.push(await measure(definition, size))
  const [, at64, at1024] = costs
  const growth = at64 === undefined || at1024 === undefined ? Number.NaN : at1024.median / at64.median / (1_024 / 64)
  const cells = costs.map(({ median, min }) => `${median.toFixed(2)} (${min.toFixed(2)})`.padStart(20))
  process.stdout.write(`${name.padEnd(18)}${cells.join('')}   ${growth.toFixed(2)}\n`)
}

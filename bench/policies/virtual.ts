// All runs in virtual time: first what each fleet can do, then what each policy makes of it.

import { ceilingOf } from './ceiling.ts'
import { type Extent, fleetKey, fleetsOf, mainRuns, routerRuns, type RunPlan, smallCacheRuns } from './matrix.ts'
import type { DoneRun, Results, TraceFacts } from './results.ts'
import type { TraceSource } from './run.ts'
import type { TaskResult } from './thread.ts'
import { Threads } from './threads.ts'
import { readTrace } from './trace.ts'

export interface VirtualOptions {
  readonly source: TraceSource
  readonly extent: Extent
  readonly threads: number
  /** Only the runs of the main tables. */
  readonly isQuick: boolean
  onProgress(done: number, total: number): void
}

/** Which thread did what, and when, makes no difference to the results. */
export async function runVirtual(options: VirtualOptions): Promise<Results> {
  const { source, extent } = options
  const traces = extent.traces.map((name) => factsOf(name, source))
  const sections = options.isQuick
    ? [mainRuns(extent), [], []]
    : [mainRuns(extent), routerRuns(extent), smallCacheRuns(extent)]
  const runs = sections.flat()
  const fleets = fleetsOf(runs)
  const threads = new Threads(options.threads, source)
  let done = 0
  const onResult = (): void => options.onProgress(++done, fleets.length + runs.length)
  try {
    const rates = await threads.doAll(
      fleets.map((plan) => ({ kind: 'capacity' as const, plan })),
      onResult,
    )
    const capacities = new Map(fleets.map((plan, at) => [fleetKey(plan), numberOf(rates[at])]))
    const figures = await threads.doAll(
      runs.map((plan) => ({ kind: 'run' as const, plan, capacity: capacities.get(fleetKey(plan)) ?? 0 })),
      onResult,
    )
    let next = 0
    const take = (section: readonly RunPlan[]): DoneRun[] => section.map((plan) => toDone(plan, figures[next++]))
    const [main = [], routers = [], smallCaches = []] = sections.map(take)
    return { extent, traces, capacities, main, routers, smallCaches }
  } finally {
    await threads.close()
  }
}

function factsOf(name: string, { directory, limit }: TraceSource): TraceFacts {
  const requests = readTrace(directory, name, limit)
  const { tokenShare, blockShare, promptTokens } = ceilingOf(requests)
  const outputTokens = requests.reduce((sum, request) => sum + request.outputTokens, 0)
  return {
    name,
    requests: requests.length,
    meanPromptTokens: promptTokens / requests.length,
    meanOutputTokens: outputTokens / requests.length,
    ceiling: tokenShare,
    blockCeiling: blockShare,
  }
}

function numberOf(result: TaskResult | undefined): number {
  if (typeof result !== 'number') throw new Error('a thread answered a question about capacity with figures')
  return result
}

function toDone(plan: RunPlan, figures: TaskResult | undefined): DoneRun {
  if (typeof figures !== 'object') throw new Error('a thread answered a run with a number')
  return { plan, figures }
}

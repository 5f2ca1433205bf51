// The same slice of a trace twice: through a real router process over HTTP in real time, with simulated workers, and in
// virtual time. That the two agree is what makes the pages of virtual figures worth reading.

import { startSimulatedController, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { startTarget } from '../targets.ts'
import { ceilingOf } from './ceiling.ts'
import { BASELINE, type ContenderName, contenderOf } from './contenders.ts'
import { sendAll, type TimedAnswer } from './http-client.ts'
import { CACHE_BLOCKS, CONTROLLER_MODEL, engineModel, IN_FLIGHT_AT_CAPACITY, SEED } from './model.ts'
import { type Figures, figuresOf, percentileOf } from './outcome.ts'
import { MODEL, prepare, type PreparedTrace } from './prepared.ts'
import { measureRate, simulate } from './simulate.ts'
import { sliceOf } from './slice.ts'
import { atRate, readTrace, spreadArrivals, type TraceRequest } from './trace.ts'

export const SLICE = {
  trace: 'conversation_trace_first_half',
  requests: 240,
  maxPromptTokens: 16_384,
  outputTokens: 32,
}
export const HTTP_WORKERS = 4
export const HTTP_LOAD = 0.6

/** Of each contender what a configuration has to say. */
const POLICIES: readonly { readonly contender: ContenderName; policyYaml(controllerUrl: string): string }[] = [
  { contender: 'random', policyYaml: () => 'policy: random' },
  { contender: BASELINE, policyYaml: () => `policy: ${BASELINE}` },
  { contender: 'cache_aware', policyYaml: () => 'policy: cache_aware' },
  {
    contender: 'lmcache_aware (prefix_lookup)',
    policyYaml: (url) => `policy: { type: lmcache_aware, lookup_mode: prefix_lookup, controller_url: "${url}" }`,
  },
]

export interface HttpResult {
  readonly contender: ContenderName
  readonly virtual: Figures
  readonly real: RealFigures
}

export interface RealFigures {
  readonly failed: number
  readonly hitShare: number
  readonly firstTokenP50Ms: number
  readonly firstTokenP90Ms: number
}

export interface HttpResults {
  readonly requests: number
  readonly perSecond: number
  readonly ceiling: number
  readonly results: readonly HttpResult[]
}

interface Slice {
  readonly requests: readonly TraceRequest[]
  readonly trace: PreparedTrace
  readonly arrivals: readonly number[]
  readonly ceiling: number
}

/** About a minute for each policy. */
export async function runOverHttp(directory: string, onProgress: (words: string) => void): Promise<HttpResults> {
  const requests = sliceOf(readTrace(directory, SLICE.trace), SLICE)
  // In vLLM's own blocks: the slice is small, and the workers have them too.
  const trace = prepare(requests, 16)
  const capacity = measureRate(setUp(BASELINE, trace), IN_FLIGHT_AT_CAPACITY * HTTP_WORKERS)
  const perSecond = capacity * HTTP_LOAD
  const arrivals = atRate(spreadArrivals(requests, SEED), perSecond)
  const slice = { requests, trace, arrivals, ceiling: ceilingOf(requests).tokenShare }
  const results: HttpResult[] = []
  for (const { contender, policyYaml } of POLICIES) {
    onProgress(`${contender}: ${requests.length} requests over HTTP, ${perSecond.toFixed(1)} a second`)
    const virtual = figuresOf(simulate(setUp(contender, trace), arrivals), HTTP_WORKERS, slice.ceiling)
    results.push({ contender, virtual, real: await runReal(slice, policyYaml) })
  }
  return { requests: requests.length, perSecond, ceiling: slice.ceiling, results }
}

function setUp(contender: ContenderName, trace: PreparedTrace) {
  const { policy, isOmniscient } = contenderOf(contender)
  const engine = engineModel(CACHE_BLOCKS, 16)
  return { trace, policy, isOmniscient, workers: HTTP_WORKERS, routers: 1, engine, controller: CONTROLLER_MODEL }
}

async function runReal(slice: Slice, policyYaml: (controllerUrl: string) => string): Promise<RealFigures> {
  const { reportMs, lagMs } = CONTROLLER_MODEL
  const controller = await startSimulatedController({ port: 0, lagMs })
  const { blockTokens: _, ...engine } = engineModel(CACHE_BLOCKS, 16)
  const workers = await Promise.all(
    Array.from({ length: HTTP_WORKERS }, (_each, seed) => {
      const options = { port: 0, models: [MODEL], seed, outputTokens: SLICE.outputTokens, ...engine }
      return startSimulatedWorker({ ...options, lmcacheController: controller.url, lmcacheReportMs: reportMs })
    }),
  )
  try {
    const router = await startTarget('router', {
      runtime: 'node',
      upstreamPorts: workers.map(({ port }) => port),
      profileDirectory: null,
      extraConfig: policyYaml(controller.url),
    })
    try {
      return realFigures(await sendAll(`http://127.0.0.1:${router.port}`, slice.requests, slice.arrivals))
    } finally {
      await router.stop()
    }
  } finally {
    await Promise.all([...workers, controller].map((service) => service.close()))
  }
}

function realFigures(answers: readonly (TimedAnswer | null)[]): RealFigures {
  const answered = answers.filter((answer) => answer !== null)
  const firstTokens = answered.map(({ firstTokenMs }) => firstTokenMs).toSorted((a, b) => a - b)
  const promptTokens = answered.reduce((sum, answer) => sum + answer.promptTokens, 0)
  return {
    failed: answers.length - answered.length,
    hitShare: answered.reduce((sum, answer) => sum + answer.cachedTokens, 0) / promptTokens,
    firstTokenP50Ms: percentileOf(firstTokens, 0.5),
    firstTokenP90Ms: percentileOf(firstTokens, 0.9),
  }
}

// What can be measured of scale with real processes on one machine: a fleet of 1,024 workers with 200 models, 1,000 streams at
// a time through one process, eight isolates over one fleet.

import { startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import type { LoggedRequest } from '../../src/simulator/request-log.ts'
import { fetchWhole } from '../../test/support/http-client.ts'
import { startIsolates } from '../../test/support/workerd-isolates.ts'
import { type Comparison, compare } from '../compare.ts'
import { type Running, startPartner } from '../processes.ts'
import { PLAIN, type RuntimeName, startTarget } from '../targets.ts'
import { MODEL } from '../upstream/answers.ts'

export const LARGE_FLEET = { workers: 1_024, models: 200 } as const

export const STREAMS = 1_000

const SMALL_FLEET = 4

export interface RoundsPlan {
  readonly rounds: number
  readonly seconds: number
}

/** The same router with 4 workers and with 1,024, under the same chats. */
export async function benchLargeFleet(runtime: RuntimeName, rounds: RoundsPlan): Promise<Comparison> {
  return withUpstream(LARGE_FLEET.workers, async (ports, bench) => {
    const usual = { runtime, profileDirectory: null, extraConfig: '' }
    const small = bench.keep(await startTarget('router', { ...usual, upstreamPorts: ports.slice(0, SMALL_FLEET) }))
    const options = { ...usual, upstreamPorts: ports, workersYaml: largeFleet(ports) }
    const large = bench.keep(await startTarget('router', options))
    const contenders = [
      { target: { ...small, name: `${runtime}, 4 workers` }, baseline: null },
      { target: { ...large, name: `${runtime}, 1,024 workers and 200 models` }, baseline: null },
    ] as const
    const [first, second] = contenders
    const held = [first, { ...second, baseline: first.target }]
    return compare({ ...bench.parts, contenders: held }, { ...plan(rounds), load: 'chat-2kb', connections: 32 })
  })
}

/** Streams of 200 chunks, a thousand at a time, through the pass-through and the router. */
export async function benchStreams(runtime: RuntimeName, rounds: RoundsPlan): Promise<Comparison> {
  return withUpstream(SMALL_FLEET, async (upstreamPorts, bench) => {
    const options = { runtime, upstreamPorts, profileDirectory: null, extraConfig: '' }
    const bare = bench.keep(await startTarget('pass-through', options))
    const router = bench.keep(await startTarget('router', options))
    const contenders = [
      { target: bare, baseline: null },
      { target: router, baseline: bare },
    ]
    return compare({ ...bench.parts, contenders }, { ...plan(rounds), load: 'sse', connections: STREAMS })
  })
}

/** What a Worker's own request costs, for the table of costs. */
export async function benchWorkerdCpu(rounds: RoundsPlan): Promise<number> {
  return withUpstream(SMALL_FLEET, async (upstreamPorts, bench) => {
    const options = { runtime: 'workerd', upstreamPorts, profileDirectory: null, extraConfig: '' } as const
    const router = bench.keep(await startTarget('router', options))
    const contenders = [{ target: router, baseline: null }]
    const { targets } = await compare(
      { ...bench.parts, contenders },
      { ...plan(rounds), load: 'chat-2kb', connections: 32 },
    )
    return targets[0]?.cpuSecondsPer1000 ?? Number.NaN
  })
}

export interface IsolatesFigures {
  readonly isolates: number
  readonly requests: number
  readonly failed: number
  /** Of the requests, what each of the workers got under round robin. */
  readonly shares: readonly number[]
}

/** Isolates of a real workerd over the same objects: nothing fails, and turns are shared out over all of them. */
export async function benchIsolates(isolates: number, requestsEach: number): Promise<IsolatesFigures> {
  const atOnce = { port: 0, prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs: 0, itlJitter: 0, outputTokens: 4 }
  const workers = await Promise.all(
    Array.from({ length: 4 }, () => startSimulatedWorker({ ...atOnce, models: [MODEL], logRequests: 100_000 })),
  )
  const config = { workers: workers.map(({ url }, at) => ({ id: `w${at}`, url })), policy: 'round_robin' }
  const started = await startIsolates(isolates, JSON.stringify(config))
  let failed = 0
  try {
    const clients = started.urls.map(async (url) => {
      for (let turn = 0; turn < requestsEach; turn += 1) {
        const body = { model: MODEL, messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 }
        const { status } = await fetchWhole(`${url}/v1/chat/completions`, body)
        if (status !== 200) failed += 1
      }
    })
    await Promise.all(clients)
    const requests = isolates * requestsEach
    const asked = workers.map((worker) => worker.state().requests.filter(isChat).length)
    return { isolates, requests, failed, shares: asked.map((count) => count / requests) }
  } finally {
    await started.stop()
    await Promise.all(workers.map((worker) => worker.close()))
  }
}

const isChat = ({ target }: LoggedRequest) => target.startsWith('/v1/chat/completions')

const plan = ({ rounds, seconds }: RoundsPlan) => ({ rounds, seconds, rate: null, warmUpSeconds: seconds })

interface UpstreamBench {
  readonly parts: Pick<Parameters<typeof compare>[0], 'generator' | 'upstream'>
  keep<Part extends Running>(part: Part): Part
}

async function withUpstream<Result>(
  ports: number,
  run: (ports: readonly number[], bench: UpstreamBench) => Promise<Result>,
): Promise<Result> {
  const running: Running[] = []
  const keep = <Part extends Running>(part: Part): Part => {
    running.push(part)
    return part
  }
  try {
    const upstreamProcess = keep(startPartner('upstream/main.ts'))
    const listening = await upstreamProcess.ask<readonly number[]>(ports)
    const upstream = { ...PLAIN, ...upstreamProcess, name: 'straight to upstream', port: listening[0] ?? 0 }
    const generator = keep(startPartner('generator/main.ts'))
    return await run(listening, { parts: { generator, upstream }, keep })
  } finally {
    await Promise.all(running.map((part) => part.stop()))
  }
}

/** Every worker serves one of so many models, and the one that is asked for. */
function largeFleet(ports: readonly number[]): string {
  const workers = ports.map((port, at) => {
    const models = JSON.stringify([`org/model-${at % LARGE_FLEET.models}`, MODEL])
    return `  - {id: w${at}, url: "http://127.0.0.1:${port}", models: ${models}}`
  })
  return ['workers:', ...workers].join('\n')
}

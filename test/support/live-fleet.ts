// A router process in front of simulated workers for the tests of one `describe`: started once, ended with it.

import { afterAll, beforeAll } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import type { LoggedRequest } from '../../src/simulator/request-log.ts'
import type { SimulatedWorkerOptions } from '../../src/simulator/options.ts'
import { type LaunchedRouter, launchRouter, type RuntimeName } from './launch.ts'

export interface LiveFleet<Name extends string = string> {
  /** The router's address. */
  readonly url: string
  readonly router: LaunchedRouter
  worker(name: Name): StartedWorker
  /** Requests that reached any worker, the router's own probes left out. */
  calls(): readonly LoggedRequest[]
  /** The one request with this id that reached a worker; fails when there is none, or several. */
  call(requestId: string): LoggedRequest
}

export interface LiveFleetOptions<Name extends string> {
  readonly workers: Readonly<Record<Name, SimulatedWorkerOptions>>
  /** The configuration, given each worker's address. JSON is YAML. */
  readonly config: (urls: Readonly<Record<Name, string>>) => object | Promise<object>
  /** More arguments of `serve`. */
  readonly args?: readonly string[]
  /** More variables of the router's environment. */
  readonly env?: Readonly<Record<string, string>>
}

/** Answers at once: time is not what these suites look at. */
const AT_ONCE = { port: 0, prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs: 0, itlJitter: 0, outputTokens: 4 }

/** Registers start and end with the enclosing `describe`. */
export function liveFleet<Name extends string>(runtime: RuntimeName, options: LiveFleetOptions<Name>): LiveFleet<Name> {
  const workers = new Map<string, StartedWorker>()
  let router: LaunchedRouter | null = null

  beforeAll(async () => {
    for (const [name, own] of Object.entries<SimulatedWorkerOptions>(options.workers)) {
      workers.set(name, await startSimulatedWorker({ ...AT_ONCE, logRequests: 1_000, ...own }))
    }
    // Every name of `options.workers` has a worker by now.
    const urls = Object.fromEntries([...workers].map(([name, { url }]) => [name, url])) as Record<Name, string>
    router = await launchRouter(runtime, {
      config: JSON.stringify(withoutBreakers(await options.config(urls))),
      args: options.args ?? [],
      env: options.env ?? {},
    })
  })
  afterAll(async () => {
    await router?.stop()
    await Promise.all([...workers.values()].map((worker) => worker.close()))
  })

  const calls = () =>
    [...workers.values()]
      .flatMap((worker) => worker.state().requests)
      // Every request of a caller has an id by then; probes have none.
      .filter(({ headers }) => headers['x-request-id'] !== undefined)
  return {
    get router() {
      return present(router, 'the router')
    },
    get url() {
      return present(router, 'the router').url
    },
    worker: (name) => present(workers.get(name), name),
    calls,
    call(requestId) {
      const found = calls().filter(({ headers }) => headers['x-request-id'] === requestId)
      if (found.length !== 1) throw new Error(`${found.length} requests with id ${requestId} reached a worker`)
      return present(found[0], requestId)
    },
  }
}

/** One fault after the other is what many suites are made of; breakers are for those that configure them. */
function withoutBreakers(config: object): object {
  return 'circuit_breaker' in config ? config : { disable_circuit_breaker: true, ...config }
}

function present<Value>(value: Value | null | undefined, what: string): Value {
  if (value === null || value === undefined) throw new Error(`${what} has not been started`)
  return value
}

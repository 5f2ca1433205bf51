// A decision log as a router writes it, from requests through the whole pipeline in this process: thousands of them in a
// second, over workers that are made up.

import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/config.ts'
import { fromViewDocument, type SlowCandidate, type ViewDocument } from '../../src/record/view-document.ts'
import { policyRegistry } from '../../src/routing/policies/index.ts'
import type { PolicyRegistry } from '../../src/routing/policy.ts'
import type { DecisionLogStore } from '../../src/store/decision-log.ts'
import {
  type InProcessOptions,
  type InProcessRouter,
  inProcessRouter,
  sendFailure,
  type UpstreamCall,
} from './in-process-router.ts'

export interface DecidedLog {
  /** Lines without their line feeds. */
  readonly lines: readonly string[]
  /** By hash, as the documents beside a log have them. */
  readonly views: ReadonlyMap<string, ViewDocument>
  /** The candidates of a document; the same object for the same hash. */
  candidates(hash: string | undefined): readonly SlowCandidate[] | null
}

export interface DecidedLogOptions {
  readonly yaml: string
  readonly requests: number
  /** The n-th request; a chat for model `m` unless said otherwise. */
  request?(n: number): DecidedRequest
  /** Share of calls to workers that are refused. */
  readonly failing?: number
  /** Answers a call, or throws, in place of what workers do; null to leave it to them. */
  respond?(call: UpstreamCall): Response | null | Promise<Response | null>
  /** Before the n-th request. */
  before?(n: number, router: InProcessRouter): Promise<void> | void
  readonly policies?: PolicyRegistry
  /** Requests that are under way together, so that workers have loads. */
  readonly atOnce?: number
  readonly random?: () => number
  readonly loads?: InProcessOptions['loads']
}

export interface DecidedRequest {
  readonly path?: string
  readonly body: Readonly<Record<string, unknown>>
  readonly headers?: Record<string, string>
}

export async function decidedLog(options: DecidedLogOptions): Promise<DecidedLog> {
  const { yaml, requests, request, failing = 0, atOnce = 24, policies, random = Math.random, loads = {} } = options
  const lines: string[] = []
  const views = new Map<string, ViewDocument>()
  const store = collectingStore(lines, views)
  const underWay = new UnderWay(Math.floor(atOnce / 2))
  let next = 0
  const router = await inProcessRouter(
    yaml,
    async (call) => {
      const given = (await options.respond?.(call)) ?? null
      if (given !== null) return given
      if (next < requests) await underWay.wait()
      if (Math.random() < failing) throw sendFailure('not_sent', 'refused')
      // Without a body: streams would take half of the time, and no decision depends on what is answered.
      return new Response(null)
    },
    undefined,
    { decisionLog: store, random, loads, ...(policies === undefined ? {} : { policies }) },
  )
  async function ask(): Promise<void> {
    while (next < requests) {
      const n = next
      next += 1
      const asked: DecidedRequest = request?.(n) ?? { body: { model: 'm', user: `user-${n % 97}` } }
      const { path = '/v1/chat/completions', body, headers } = asked
      await options.before?.(n, router)
      await router.post(path, {
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      })
      if (n % 10 !== 0) continue
      router.advance(3)
      // Waits of retries are over in the next turn of the event loop, and this lets it come.
      await new Promise(setImmediate)
    }
    underWay.end()
  }
  await Promise.all(Array.from({ length: atOnce }, ask))
  await router.router.close()
  const candidates = new Map([...views].map(([hash, document]) => [hash, fromViewDocument(document)]))
  return { lines, views, candidates: (hash) => candidates.get(hash ?? '') ?? null }
}

/** Calls that workers are at: so many, each until a later one takes its place, some sooner than others. */
class UnderWay {
  readonly #room: number
  readonly #ends: (() => void)[] = []

  constructor(room: number) {
    this.#room = room
  }

  /** Resolves when this call is over. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#ends.push(resolve)
      if (this.#ends.length > this.#room) this.#endOne()
    })
  }

  end(): void {
    while (this.#ends.length > 0) this.#endOne()
  }

  #endOne(): void {
    const [over] = this.#ends.splice(Math.floor(Math.random() * this.#ends.length), 1)
    over?.()
  }
}

function collectingStore(lines: string[], views: Map<string, ViewDocument>): DecisionLogStore {
  return {
    append(records, documents) {
      for (const record of records) lines.push(JSON.stringify(record))
      for (const document of documents) views.set(document.view_hash, document)
      return null
    },
    noteOpen: null,
    close: async () => {},
    query: async () => ({ records: [], end: null }),
    find: async () => null,
    findView: async () => null,
    async *exportRange() {},
    status: async () => {
      return { kind: 'file', stored: lines.length, exported: 0, waiting: 0, lagMs: 0, lost: 0, failing: null }
    },
  }
}

/** A configuration from text, which must be good. */
export async function configOf(yaml: string, policies = policyRegistry(undefined)): Promise<Config> {
  const loaded = await loadConfig(yaml, { env: () => undefined, policies })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings, null, 2))
  return loaded.config
}

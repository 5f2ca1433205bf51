// A decision log as a router writes it, from requests through the whole pipeline in this process: thousands of them in a
// second, over workers that are made up.

import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/config.ts'
import { fromViewDocument, type SlowCandidate, type ViewDocument } from '../../src/record/view-document.ts'
import { policyRegistry } from '../../src/routing/policies/index.ts'
import type { DecisionLogStore } from '../../src/store/decision-log.ts'
import { inProcessRouter, sendFailure } from './in-process-router.ts'

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
  request?(n: number): { readonly body: Readonly<Record<string, unknown>>; readonly headers?: Record<string, string> }
  /** Share of calls to workers that are refused. */
  readonly failing?: number
}

/** Requests that are under way together, so that workers have loads. */
const AT_ONCE = 24

export async function decidedLog({ yaml, requests, request, failing = 0 }: DecidedLogOptions): Promise<DecidedLog> {
  const lines: string[] = []
  const views = new Map<string, ViewDocument>()
  const store = collectingStore(lines, views)
  const answer = JSON.stringify({
    object: 'chat.completion',
    choices: [],
    usage: { prompt_tokens: 3, total_tokens: 4 },
  })
  const router = await inProcessRouter(
    yaml,
    async () => {
      // Some take longer than others.
      for (let turn = Math.floor(Math.random() * 6); turn > 0; turn -= 1) await new Promise(setImmediate)
      if (Math.random() < failing) throw sendFailure('not_sent', 'refused')
      return new Response(answer, { headers: { 'content-type': 'application/json' } })
    },
    undefined,
    store,
  )
  let next = 0
  async function ask(): Promise<void> {
    while (next < requests) {
      const n = next
      next += 1
      const { body, headers = {} } = request?.(n) ?? { body: { model: 'm', user: `user-${n % 97}` } }
      await router.chat(body, { headers })
      if (n % 10 === 0) router.advance(3)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, ask))
  await router.router.close()
  const candidates = new Map([...views].map(([hash, document]) => [hash, fromViewDocument(document)]))
  return { lines, views, candidates: (hash) => candidates.get(hash ?? '') ?? null }
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
export async function configOf(yaml: string): Promise<Config> {
  const loaded = await loadConfig(yaml, { env: () => undefined, policies: policyRegistry(undefined) })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings, null, 2))
  return loaded.config
}

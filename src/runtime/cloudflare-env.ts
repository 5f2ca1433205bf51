// The bindings of the deployed Worker, and outgoing HTTP there.

import type { Fetcher, ModelBinding, Platform } from '../platform.ts'
import { toDecoded } from './decoded.ts'

export interface RouterEnv {
  /** Objects that isolates agree through. */
  readonly FLEET: DurableObjectNamespace
  /** Objects that hold tenants to their limits; without them each isolate keeps a share of its own. */
  readonly TENANTS?: DurableObjectNamespace
  /** Configuration documents. */
  readonly CONFIG?: KVNamespace
  /** Answers that are given again, where `cache: {backend: kv}` says so. */
  readonly RESPONSE_CACHE?: KVNamespace
  /** Objects that keep decision records; without them records are kept in the memory of each isolate alone. */
  readonly DECISION_LOG?: DurableObjectNamespace
  /** Objects that keep records of Router Replay. */
  readonly REPLAY_LOG?: DurableObjectNamespace
  /** A data point of each request for Workers Analytics Engine. */
  readonly ANALYTICS?: AnalyticsEngineDataset
  /** Where decision records are exported to. */
  readonly DECISIONS?: R2Bucket
  /** The configuration as YAML text, in place of the bundled one. */
  readonly ROUTER_CONFIG?: string
  /** `local` when the Worker runs under `serve` on somebody's machine and is no deployment. */
  readonly ROUTER_SERVE?: string
  /** Then also the address that `serve` listens on. */
  readonly ROUTER_HOST?: string
  /** And where requests leave through, past what stands before the global `fetch` there. */
  readonly ROUTER_OUTBOUND?: Pick<typeof globalThis, 'fetch'>
  /** Secrets and variables that `${NAME}` refers to, and service or VPC bindings. */
  readonly [name: string]: unknown
}

/** What workerd decodes as a body is read, whatever was asked for. */
const UNDONE_BY_FETCH = /^(?:gzip|br)$/

/** What both the Worker and its objects need to send requests. */
export function outgoing(env: RouterEnv): Pick<Platform, 'now' | 'after' | 'send' | 'binding' | 'modelBinding'> {
  const outbound = env.ROUTER_OUTBOUND ?? globalThis
  return {
    now: () => Date.now(),
    after(delayMs, task) {
      const timer = setTimeout(task, delayMs)
      return () => clearTimeout(timer)
    },
    // workerd has no connect phase of its own to time; `first_byte` covers it.
    async send(url, { method, headers, body, signal }) {
      return toDecoded(
        await outbound.fetch(url, { method, headers, body, signal, redirect: 'manual' }),
        UNDONE_BY_FETCH,
      )
    },
    binding(name) {
      const candidate = env[name]
      if (!isFetcher(candidate)) return null
      return { fetch: async (request) => toDecoded(await candidate.fetch(request), UNDONE_BY_FETCH) }
    },
    modelBinding(name) {
      const candidate = env[name]
      return isModelBinding(candidate) ? candidate : null
    },
  }
}

function isModelBinding(value: unknown): value is ModelBinding {
  return typeof value === 'object' && value !== null && 'run' in value && typeof value.run === 'function'
}

function isFetcher(value: unknown): value is Fetcher {
  return typeof value === 'object' && value !== null && 'fetch' in value && typeof value.fetch === 'function'
}

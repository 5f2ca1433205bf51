// A router with tenants for the suites on callers: who they are, what they may use, and the fleet behind.

import { createHash } from 'node:crypto'
import { type Answered, ask, chatBody, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

export const CHAT = '/v1/chat/completions'

export const KEYS = {
  /** May use everything; has three keys. */
  search: 'search-key-0123456789',
  searchToo: 'search-key-9876543210',
  searchHashed: 'search-key-by-its-digest',
  /** May use `alpha` and some names that lead elsewhere. */
  narrow: 'narrow-key-0123456789',
  /** May use `beta` only. */
  blind: 'blind-key-0123456789',
  off: 'off-key-0123456789',
  /** The key for all. */
  inbound: 'inbound-key-0123456789',
} as const

export type CallerName = keyof typeof KEYS

const TENANTS: readonly object[] = [
  { name: 'search', key: KEYS.search, metadata: { team: 'search' } },
  { name: 'search', key: KEYS.searchToo, metadata: { team: 'search' } },
  {
    name: 'search',
    key_sha256: createHash('sha256').update(KEYS.searchHashed).digest('hex'),
    metadata: { team: 'search' },
  },
  {
    name: 'narrow',
    key: KEYS.narrow,
    allowed_models: ['alpha', 'alias', 'to-beta', 'chain', 'dead-end', 'caf\u00e9', 'pre/*'],
  },
  { name: 'blind', key: KEYS.blind, allowed_models: ['beta'] },
  { name: 'off', key: KEYS.off, enabled: false },
]

const RULES: readonly object[] = [
  { match: 'for-search', when: { tenant: 'search' }, rewrite: 'beta' },
  { match: 'alias', rewrite: 'alpha' },
  { match: 'to-beta', rewrite: 'beta' },
  { match: 'chain', fallback: ['beta', 'gamma', 'alpha'], on_failure: true },
  { match: 'dead-end', fallback: ['beta', 'gamma'] },
]

export type CallerFleet = LiveFleet<'alpha' | 'beta' | 'gamma'>

/** Registers with the enclosing `describe`. A request that names no model is one for `alpha`. */
export function callerFleet(runtime: RuntimeName, settings: Readonly<Record<string, unknown>> = {}): CallerFleet {
  return liveFleet(runtime, {
    workers: {
      alpha: { models: ['alpha', 'caf\u00e9', 'pre/one'] },
      beta: { models: ['beta'] },
      gamma: { models: ['gamma'] },
    },
    config: (urls) => ({
      workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
      api_keys: TENANTS,
      inbound_api_key: KEYS.inbound,
      model_rules: RULES,
      default_model: 'alpha',
      passthrough_paths: ['/metrics'],
      ...settings,
    }),
  })
}

export const bearer = (caller: CallerName) => ({ authorization: `Bearer ${KEYS[caller]}` })

/** A chat request with headers of one's own. */
export function chatAs(
  { url }: Pick<CallerFleet, 'url'>,
  headers: Readonly<Record<string, string>>,
  model = 'alpha',
): Promise<Answered> {
  return postJson(url + CHAT, chatBody(model), headers)
}

export function getAs({ url }: Pick<CallerFleet, 'url'>, caller: CallerName, path: string): Promise<Answered> {
  return ask(url + path, { headers: bearer(caller) })
}

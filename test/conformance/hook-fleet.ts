// A router whose hooks hang on the model of a request, so that one process serves every case of a table: case, model and
// hook share a name.

import { afterAll } from 'vitest'
import { type Answered, postJson } from '../support/ask.ts'
import { type HookServer, startHookServer } from '../support/hook-server.ts'
import type { RuntimeName } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

export const CHAT = '/v1/chat/completions'

/** An entry of `pre_routing_hooks`; `path` is the behaviour of the hook server, null for an address nobody listens on. */
export interface HookEntry {
  readonly name: string
  readonly path: string | null
  readonly models?: readonly string[]
  readonly [option: string]: unknown
}

export interface HookFleet {
  readonly fleet: LiveFleet<'alpha' | 'beta'>
  readonly hooks: HookServer
  /** A chat request for a model; the id is its own. */
  chat(model: string, more?: Chat): Promise<Answered & { readonly id: string; readonly sent: string }>
  nextId(): string
  /** The hook server's calls for a request. */
  callsOf(id: string): ReturnType<HookServer['callsOf']>
  /** Whether the request reached a worker. */
  reached(id: string): boolean
}

export interface Chat {
  readonly route?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
}

/** Registers with the enclosing `describe`. `alpha` serves every model that a hook names, `beta` only `beta`. */
export function hookFleet(
  runtime: RuntimeName,
  entries: readonly HookEntry[],
  settings: Readonly<Record<string, unknown>> = {},
): HookFleet {
  let server: HookServer | null = null
  const named = entries.flatMap(({ name, models }) => models ?? [name])
  const models = [...new Set([...named, 'plain'])].filter((model) => model !== 'beta')
  const fleet = liveFleet(runtime, {
    workers: { alpha: { models }, beta: { models: ['beta'] } },
    async config(urls) {
      server = await startHookServer()
      const hooks = server
      return {
        workers: [
          { id: 'alpha', url: urls.alpha },
          { id: 'beta', url: urls.beta },
        ],
        pre_routing_hooks: entries.map(({ path, ...entry }) => ({
          // The default of 200 ms is for services next door, not for two cores under four runtimes.
          timeout_ms: 3_000,
          models: [entry.name],
          ...entry,
          url: path === null ? hooks.deadUrl : hooks.url(path),
        })),
        ...settings,
      }
    },
  })
  afterAll(() => server?.close())
  let count = 0
  const hooks = () => {
    if (server === null) throw new Error('the hook server has not been started')
    return server
  }
  const nextId = () => `${runtime}-hook-${(count += 1)}`
  return {
    fleet,
    get hooks() {
      return hooks()
    },
    async chat(model, { route = CHAT, headers = {}, body = {} } = {}) {
      const id = nextId()
      const sent = JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 2, ...body })
      const answer = await postJson(fleet.url + route, sent, { 'x-request-id': id, ...headers })
      return { ...answer, id, sent }
    },
    nextId,
    callsOf: (id) => hooks().callsOf(id),
    reached: (id) => fleet.calls().some(({ headers }) => headers['x-request-id'] === id),
  }
}

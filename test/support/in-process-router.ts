// A router in this process over a made-up upstream: for properties that take thousands of requests. Short waits pass at
// once, time limits never.

import { loadConfig } from '../../src/config/load.ts'
import type { DecisionRecord } from '../../src/pipeline/record.ts'
import type { Platform, SendRequestInit } from '../../src/platform.ts'
import { assembleRouter, type Router } from '../../src/router.ts'
import { policyRegistry } from '../../src/routing/policies/index.ts'
import { createMemoryFleetStore } from '../../src/store/memory.ts'

/** Waits from here on are time limits of the router and don't pass. */
const LIMIT_MS = 4_000

export interface UpstreamCall extends SendRequestInit {
  readonly url: string
  /** Host and port of the worker. */
  readonly worker: string
}

export interface InProcessRouter {
  readonly router: Router
  /** Posts a chat completion; resolves with the answer, its body read to the end. */
  chat(body: Readonly<Record<string, unknown>>, init?: RequestInit): Promise<{ response: Response; text: string }>
  records(): readonly DecisionRecord[]
  /** Moves the clock. */
  advance(ms: number): void
}

/** `respond` plays every worker; what it throws is a failure to send, classed by its `phase` property. */
export async function inProcessRouter(
  yaml: string,
  respond: (call: UpstreamCall) => Promise<Response>,
): Promise<InProcessRouter> {
  const loaded = await loadConfig(yaml, { env: () => undefined, policies: policyRegistry(undefined) })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings, null, 2))
  const { config } = loaded
  let nowMs = 1_000_000
  const now = () => nowMs
  const records: DecisionRecord[] = []
  const after: Platform['after'] = (delayMs, task) => {
    if (delayMs >= LIMIT_MS) return () => {}
    const timer = setImmediate(task)
    return () => clearImmediate(timer)
  }
  const fleet = createMemoryFleetStore({
    now,
    after: () => () => {},
    probe: async () => config.workers.map(({ id, models }) => ({ workerId: id, reachable: true, models, atMs: nowMs })),
    nextProbeMs: () => 1_000,
  })
  const router = assembleRouter(config, {
    now,
    after,
    fleet,
    random: () => Math.random(),
    randomId: () => crypto.randomUUID().replaceAll('-', ''),
    send: (url, init) => respond({ ...init, url, worker: new URL(url).host }),
    binding: () => null,
    writeLine: (line) => records.push(JSON.parse(line)),
    showsConnectPhase: true,
    defaultMaxPayloadBytes: 1_000_000,
    classifySendError: (error) => ({ phase: phaseOf(error), reason: 'made_up' }),
  })
  return {
    router,
    async chat(body, init) {
      const request = new Request('http://router/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...init?.headers },
        body: JSON.stringify(body),
        ...(init?.signal === undefined ? {} : { signal: init.signal }),
      })
      const response = await router.fetch(request, { waitUntil: () => {}, rawTarget: null })
      return { response, text: await response.text() }
    },
    records: () => records,
    advance(ms) {
      nowMs += ms
    },
  }
}

function phaseOf(error: unknown): 'not_sent' | 'maybe_sent' {
  const isUnsent = error instanceof Error && 'phase' in error && error.phase === 'not_sent'
  return isUnsent ? 'not_sent' : 'maybe_sent'
}

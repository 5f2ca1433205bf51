// Every metric moves: each is listed with something that happens to a real router and changes it. One that nobody lists fails.

import { describe, expect, test } from 'vitest'
import {
  inProcessRouter,
  type InProcessOptions,
  type InProcessRouter,
  sendFailure,
  type UpstreamCall,
} from '../../../test/support/in-process-router.ts'
import { createLosingLog } from '../../../test/support/lost-decisions.ts'
import { PrefixHintBook } from '../../store/prefix-hint-book.ts'
import { ALL_METRIC_NAMES, METRICS, type MetricName } from './definitions.ts'

const ADMIN_KEY = 'admin-key-0123456789'
const KEY = 'chat-key-0123456789'
const EMBEDDER = 'http://vectors:1'
const CONTROLLER = 'http://lmcache:1'

type Bed = InProcessRouter & { scrape(): Promise<string> }
type Short<Name> = Name extends `vllm_router_${infer Rest}` ? Rest : never

interface Scenario {
  readonly config?: object
  readonly options?: () => InProcessOptions
  /** Plays what is not a service of `service`; a plain answer where it is absent. */
  readonly respond?: (call: UpstreamCall) => Promise<Response>
  /** Resolves with what is to be done once everything has changed. */
  readonly act: (bed: Bed) => Promise<(() => void) | void>
  readonly changes: readonly Short<MetricName>[]
}

const MESSAGES = [{ role: 'user', content: 'Solve the equation' }]
const chat = (bed: Bed, more: object = {}, init: RequestInit = {}) =>
  bed.chat(
    { model: 'm', messages: MESSAGES, ...more },
    { ...init, headers: { authorization: `Bearer ${KEY}`, ...init.headers } },
  )

const usage = { prompt_tokens: 600, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 512 } }
const plain = async () =>
  Response.json({
    id: 'c',
    object: 'chat.completion',
    choices: [{ index: 0, message: { content: 'x' }, finish_reason: 'stop' }],
    usage,
  })
const EVENTS = [
  { choices: [{ index: 0, delta: { content: 'x' }, finish_reason: 'stop' }] },
  { choices: [], usage },
].map((event) => JSON.stringify(event))
const streamed = async () =>
  new Response([...EVENTS, '[DONE]'].map((data) => `data: ${data}\n\n`).join(''), {
    headers: { 'content-type': 'text/event-stream' },
  })
const refused = async (): Promise<Response> => {
  throw sendFailure('not_sent', 'refused')
}
const long = (name: string) => [{ role: 'user', content: `${name} ${'word '.repeat(2_000)}` }]
const rejecting = () => Promise.reject(new Error('out of reach'))

const SEMANTIC = { embeddings_url: EMBEDDER, embeddings_model: 'any', embedding_timeout_ms: 10_000 }
const CLUSTERS = (workers: readonly string[]) => ({
  semantic_cluster: { ...SEMANTIC, threshold: 0.3, clusters: [{ name: 'all', examples: ['any'], workers }] },
})
const LMCACHE = {
  policy: {
    type: 'lmcache_aware',
    controller_url: CONTROLLER,
    lookup_mode: 'prefix_lookup',
    lookup_budget_ms: 10_000,
    controller_timeout_ms: 10_000,
  },
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'an answer': {
    config: { trace_config: { otlp_traces_endpoint: 'http://collector:4318' } },
    act: async (bed) => void (await chat(bed)),
    changes: [
      'requests_total',
      'request_duration_seconds',
      'generate_duration_seconds',
      'answer_ends_total',
      'tokens_total',
      'worker_requests_total',
      'worker_request_duration_seconds',
      'processed_requests_total',
      'policy_decisions_total',
      'cb_outcomes_total',
      'tenant_requests_total',
      'tenant_request_duration_seconds',
      'tenant_tokens_total',
      'decision_log_records_total',
      'spans_sent_total',
    ],
  },
  'a stream': {
    respond: streamed,
    act: async (bed) => void (await chat(bed, { stream: true, stream_options: { include_usage: true } })),
    changes: ['time_to_first_token_seconds', 'inter_token_seconds'],
  },
  'a request that is under way': {
    respond: () => new Promise(() => {}),
    async act(bed) {
      const controller = new AbortController()
      void chat(bed, {}, { signal: controller.signal }).catch(() => {})
      return () => controller.abort()
    },
    changes: ['running_requests', 'requests_in_flight'],
  },
  'a client that leaves': {
    respond: ({ signal }) => {
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
    },
    async act(bed) {
      const controller = new AbortController()
      const asked = chat(bed, {}, { signal: controller.signal }).catch(() => {})
      await turns(50)
      controller.abort()
      await asked
    },
    changes: ['cancelled_upstreams_total'],
  },
  'workers that are gone': {
    config: { disable_circuit_breaker: false, circuit_breaker: { failure_threshold: 1 } },
    respond: refused,
    async act(bed) {
      await chat(bed)
      bed.advance(1_500)
      await chat(bed)
      bed.advance(1_500)
    },
    changes: [
      'request_errors_total',
      'retries_total',
      'retries_exhausted_total',
      'tenant_errors_total',
      'worker_health',
      'worker_availability',
      'cb_state',
      'cb_state_transitions_total',
    ],
  },
  'a budget of retries that is spent': {
    config: { retry: { budget: { ratio: 0, min_retries: 0 } } },
    respond: async () => new Response('', { status: 503 }),
    act: async (bed) => void (await chat(bed)),
    changes: ['retries_refused_total'],
  },
  'a key that is not known': {
    act: async (bed) => void (await bed.chat({ model: 'm', messages: MESSAGES })),
    changes: ['refused_requests_total'],
  },
  'a key service that is down': {
    config: { api_key_validation_urls: ['http://keys:1/check'] },
    respond: refused,
    act: async (bed) => void (await bed.chat({ model: 'm' }, { headers: { authorization: 'Bearer who-is-this' } })),
    changes: ['key_service_failures_total'],
  },
  'a tenant beyond its limit': {
    config: { api_keys: [{ name: 'chat', key: KEY, rate_limit_rps: 0.01 }] },
    async act(bed) {
      await chat(bed)
      await chat(bed)
    },
    changes: ['tenant_rate_limited_total'],
  },
  'a queue': {
    config: { max_concurrent_requests: 1, queue_size: 4, queue_timeout_secs: 60 },
    respond: async () => {
      await turns(20)
      return plain()
    },
    act: async (bed) => void (await Promise.all([chat(bed), chat(bed)])),
    changes: ['queue_duration_seconds'],
  },
  'a hook': {
    config: { pre_routing_hooks: [{ name: 'safety', url: 'http://hooks:1/check', timeout_ms: 10_000 }] },
    respond: async ({ url }) => (url.startsWith('http://hooks') ? Response.json({ action: 'allow' }) : plain()),
    act: async (bed) => void (await chat(bed)),
    changes: ['hook_requests_total'],
  },
  'caches of answers': {
    config: { cache: { ttl_secs: 60 }, semantic_cache: { ...SEMANTIC, threshold: 0.5 } },
    async act(bed) {
      await chat(bed, { temperature: 0 })
      await turns(20)
      await chat(bed, { temperature: 0 })
      await chat(bed, { temperature: 0, messages: [{ role: 'user', content: 'other words' }] })
    },
    changes: [
      'cache_hits_total',
      'cache_misses_total',
      'cache_similarity',
      'lookups_total',
      'lookup_duration_seconds',
      'embeddings_total',
      'embeddings_duration_seconds',
    ],
  },
  'a place for answers that is gone': {
    config: { cache: { backend: 'kv' } },
    options: () => ({ platform: () => ({ answerNamespace: { get: rejecting, put: rejecting, delete: rejecting } }) }),
    act: async (bed) => void (await chat(bed, { temperature: 0 })),
    changes: ['cache_failures_total'],
  },
  'a cluster': {
    config: CLUSTERS(['a']),
    act: (bed) => turnsOf(() => chat(bed)),
    changes: ['cluster_requests_total', 'cluster_similarity'],
  },
  'a server of vectors that is down': {
    config: { semantic_cache: { ...SEMANTIC, embeddings_url: 'http://down:1', threshold: 0.5 } },
    act: async (bed) => void (await chat(bed, { temperature: 0 })),
    changes: ['embeddings_errors_total'],
  },
  'a cluster whose worker serves other models': {
    config: CLUSTERS(['other']),
    act: (bed) => turnsOf(() => chat(bed)),
    changes: ['cluster_fallback_total'],
  },
  'a policy that goes by prefixes': {
    config: {
      policy: { type: 'cache_aware' },
      shared_prefix_routing: { backend: 'durable_object', write_probability: 1 },
    },
    options: () => {
      const book = new PrefixHintBook()
      return {
        platform: ({ now }) => ({
          prefixHints: {
            read: async (keys) => book.read(keys, now()).map((_, at) => (at === 0 ? told : null)),
            write: async () => {},
          },
        }),
      }
    },
    async act(bed) {
      await chat(bed, { messages: long('one') })
      await chat(bed, { messages: long('one') })
      await turns(20)
      told = 'a'
      await chat(bed, { messages: long('two') })
      told = 'a worker that has left'
      await chat(bed, { messages: long('three') })
      return () => (told = null)
    },
    changes: [
      'prefix_tokens_total',
      'shared_prefix_hits_total',
      'shared_prefix_misses_total',
      'shared_prefix_stale_total',
      'shared_prefix_writes_total',
    ],
  },
  'prompts that LMCache is asked for': {
    config: { ...LMCACHE, prompt_cache: { backend: 'memory' } },
    async act(bed) {
      await chat(bed, { messages: long('one') })
      await chat(bed, { messages: long('one') })
    },
    changes: ['token_cache_entries', 'token_cache_hits_total', 'token_cache_misses_total', 'tokenize_duration_seconds'],
  },
  'a control plane that never knows anything': {
    config: LMCACHE,
    // Workers and control plane have told each other whatever they had to.
    options: () => ({
      platform: ({ after }) => ({ after: (delayMs, task) => after(delayMs === 5_000 ? 0 : delayMs, task) }),
    }),
    async act(bed) {
      for (let count = 0; count < 70; count += 1) {
        await chat(bed, { messages: long(`prompt ${count}`) })
        await turns(20)
        bed.advance(1_500)
      }
    },
    changes: ['lmcache_probes_total', 'lmcache_blind'],
  },
  'a decision log that loses records': {
    options: () => ({ decisionLog: createLosingLog() }),
    act: async (bed) => void (await chat(bed)),
    changes: ['decision_log_lost_total', 'decision_log_lag_seconds'],
  },
  'a collector of metrics': {
    config: { metrics: { otlp: { endpoint: 'http://collector:4318', interval_secs: 1 } } },
    act: async () => {},
    changes: ['metric_pushes_total'],
  },
  'a collector that is down': {
    config: { trace_config: { otlp_traces_endpoint: 'http://down:4318' } },
    act: async (bed) => void (await chat(bed)),
    changes: ['spans_dropped_total'],
  },
  'a store of the fleet that is out of reach': {
    options: () => ({
      platform: ({ fleet }) => ({
        fleet: new Proxy(fleet, {
          get(of, name) {
            const part: unknown = Reflect.get(of, name)
            if (name === 'sync' && isOutOfReach) return rejecting
            return typeof part === 'function' ? part.bind(of) : part
          },
        }),
      }),
    }),
    async act(bed) {
      await chat(bed)
      isOutOfReach = true
      bed.advance(3_000)
      await chat(bed)
      return () => (isOutOfReach = false)
    },
    changes: ['fleet_sync_failures_total', 'fleet_age_seconds'],
  },
  'a store of limits that is out of reach': {
    config: { api_keys: [{ name: 'chat', key: KEY, rate_limit_rps: 5 }] },
    options: () => ({ platform: () => ({ limits: { leaseNow: null, lease: rejecting } }) }),
    act: async (bed) => void (await chat(bed)),
    changes: ['limit_store_failures_total'],
  },
  'a defect': {
    options: () => ({
      platform: ({ random }) => ({
        random() {
          if (isBroken) throw new Error('a defect')
          return random()
        },
      }),
    }),
    async act(bed) {
      isBroken = true
      await chat(bed).finally(() => (isBroken = false))
    },
    changes: ['defects_total'],
  },
}

/** Where prompts are, as other routers say. */
let told: string | null = null
let isBroken = false
let isOutOfReach = false

/** What services answer; null for a worker. */
async function service({ url, body }: UpstreamCall): Promise<Response | null> {
  if (url.startsWith('http://down')) return new Response('', { status: 500 })
  if (url.startsWith('http://collector')) return new Response('')
  if (url.startsWith(CONTROLLER)) return Response.json({ layout_info: {} })
  if (url.startsWith(EMBEDDER)) {
    const { input } = JSON.parse(new TextDecoder().decode(body as Uint8Array)) as { input: string[] }
    return Response.json({ data: input.map((_, index) => ({ index, embedding: [3, 4] })) })
  }
  if (url.endsWith('/render')) return new Response('', { status: 404 })
  if (url.endsWith('/tokenize')) return Response.json({ tokens: Array.from({ length: 600 }, (_, at) => at) })
  return null
}

async function bedOf({ config = {}, options, respond = plain }: Partial<Scenario>, workers = 3): Promise<Bed> {
  const yaml = JSON.stringify({
    workers: [
      { id: 'a', url: 'http://a:1', models: ['m'] },
      { id: 'b', url: 'http://b:1', models: ['m'] },
      { id: 'other', url: 'http://other:1', models: ['other'] },
    ].slice(0, workers),
    api_keys: [{ name: 'chat', key: KEY }],
    admin_api_key: ADMIN_KEY,
    disable_circuit_breaker: true,
    ...config,
  })
  const answer = async (call: UpstreamCall) => (await service(call)) ?? respond(call)
  const bed = await inProcessRouter(yaml, answer, undefined, options?.() ?? {})
  const headers = { 'x-admin-key': ADMIN_KEY }
  return {
    ...bed,
    async scrape() {
      const asked = new Request('http://router/metrics', { headers })
      const response = await bed.router.fetch(asked, { waitUntil() {}, rawTarget: null })
      expect(response.status).toBe(200)
      return response.text()
    },
  }
}

const turns = async (count: number) => {
  for (let at = 0; at < count; at += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Some requests, the first of which find what is computed beside them not ready yet. */
async function turnsOf(ask: () => Promise<unknown>): Promise<void> {
  for (let count = 0; count < 5; count += 1) {
    await ask()
    await turns(20)
  }
}

/** Metrics whose series are not what they were. */
function changedBetween(before: string, after: string): ReadonlySet<string> {
  const known = new Set(before.split('\n'))
  const changed = after.split('\n').filter((line) => line.startsWith('vllm_') && !known.has(line))
  return new Set(changed.map((line) => familyOf(/^\w+/.exec(line)?.[0] ?? '')))
}

function familyOf(series: string): string {
  return Object.hasOwn(METRICS, series) ? series : series.replace(/_(bucket|sum|count)$/, '')
}

describe('metrics that change with', () => {
  test.each(Object.entries(SCENARIOS))('%s', async (_name, scenario) => {
    const bed = await bedOf(scenario)
    const before = await bed.scrape()
    const wanted = scenario.changes.map((name) => `vllm_router_${name}`)
    const undo = await scenario.act(bed)
    let missing = wanted
    // Records are closed, and spans sent, beside the request.
    for (let turn = 0; missing.length > 0 && turn < 200; turn += 1) {
      await turns(1)
      const changed = changedBetween(before, await bed.scrape())
      missing = missing.filter((name) => !changed.has(name))
    }
    undo?.()
    expect(missing).toEqual([])
  })

  test('another configuration', async () => {
    const [one, three] = await Promise.all([bedOf({}, 1), bedOf({}, 3)])
    expect(changedBetween(await one.scrape(), await three.scrape())).toContain('vllm_router_active_workers')
  })

  test('what workers say of their load', async () => {
    const load = { running: 2, waiting: 1, kvUsage: 0.5, tokensTotal: null, atMs: 1_000_000 }
    const [silent, busy] = await Promise.all([bedOf({}), bedOf({ options: () => ({ loads: { a: load } }) })])
    expect(changedBetween(await silent.scrape(), await busy.scrape())).toContain('vllm_router_worker_load')
  })
})

test('no metric is left out', () => {
  const listed = Object.values(SCENARIOS).flatMap(({ changes }) => changes.map((name) => `vllm_router_${name}`))
  const levels = ['vllm_router_active_workers', 'vllm_router_worker_load']
  expect([...listed, ...levels].toSorted()).toEqual([...ALL_METRIC_NAMES].toSorted())
})

// /metrics: what each kind of request adds, who may read it, and that nothing a caller sends makes series without end.

import { execFile, spawnSync } from 'node:child_process'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type Answered, ask, postJson } from '../support/ask.ts'
import { type EmbeddingsServer, startEmbeddingsServer } from '../support/embeddings-server.ts'
import { send } from '../support/http-client.ts'
import { type HookServer, startHookServer } from '../support/hook-server.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { grownSince, readScrape, type Scrape } from '../support/metrics.ts'
import { lmcacheBench, promptOf } from './lmcache-bench.ts'

const CHAT = '/v1/chat/completions'
const ADMIN_KEY = 'admin-key-0123456789'
const HOOK_KEY = 'hook-key-0123456789'
const SEARCH_KEY = 'search-key-0123456789'
const CHAT_KEY = 'chat-key-0123456789'

const hasPromtool = spawnSync('promtool', ['--version']).status === 0

/** Levels and durations, which hold for every kind of request and are looked at elsewhere. */
const NOT_COUNTS =
  /^(worker_|running_|requests_in_flight|fleet_age|cb_state|active_|decision_log)|_(seconds|similarity)/

export function metricsConformance(runtime: RuntimeName): void {
  describe(`metrics on ${runtime}`, () => {
    let hooks: HookServer | null = null
    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m', 'n', 'hooked'] }, b: { models: ['m'] } },
      async config(urls) {
        hooks = await startHookServer()
        return {
          workers: [
            { id: 'a', url: urls.a },
            { id: 'b', url: urls.b },
          ],
          api_keys: [
            { name: 'search', key: SEARCH_KEY, rate_limit_rps: 0.01 },
            { name: 'chat', key: CHAT_KEY },
          ],
          admin_api_key: ADMIN_KEY,
          pre_routing_hooks: [
            { name: 'safety', url: hooks.url('/reject'), models: ['hooked'], timeout_ms: 3_000, api_key: HOOK_KEY },
          ],
          policy: 'round_robin',
        }
      },
    })
    afterAll(() => hooks?.close())

    const { scrape, addedBy } = counting(fleet)
    const post = (body: object, key = CHAT_KEY): Promise<Answered> =>
      postJson(
        `${fleet.url}${CHAT}`,
        { messages: [{ role: 'user', content: 'hi' }], max_tokens: 3, ...body },
        {
          authorization: `Bearer ${key}`,
        },
      )

    test('a plain answer', async () => {
      expect(await addedBy(() => post({ model: 'n' }))).toEqual({
        [`requests_total{route="${CHAT}",model="n",status="2xx"}`]: 1,
        [`answer_ends_total{route="${CHAT}",end="complete"}`]: 1,
        'tokens_total{model="n",kind="prompt"}': expect.any(Number),
        'tokens_total{model="n",kind="completion"}': 3,
        'processed_requests_total{worker="a"}': 1,
        'policy_decisions_total{policy="round_robin",worker="a"}': 1,
        'cb_outcomes_total{worker="a",outcome="success"}': 1,
        [`tenant_requests_total{tenant="chat",route="${CHAT}"}`]: 1,
        'tenant_tokens_total{tenant="chat",kind="prompt"}': expect.any(Number),
        'tenant_tokens_total{tenant="chat",kind="completion"}': 3,
      })
    })

    test('a stream', async () => {
      const before = await scrape()
      const added = await addedBy(() => post({ model: 'n', stream: true, stream_options: { include_usage: true } }))
      expect(added).toMatchObject({
        [`requests_total{route="${CHAT}",model="n",status="2xx"}`]: 1,
        [`answer_ends_total{route="${CHAT}",end="complete"}`]: 1,
        'tokens_total{model="n",kind="completion"}': 3,
      })
      expect(grownSince(before, await scrape())).toMatchObject({
        'time_to_first_token_seconds{model="n"}': 1,
        'inter_token_seconds{model="n"}': 1,
        [`request_duration_seconds{route="${CHAT}"}`]: 1,
        generate_duration_seconds: 1,
        'worker_request_duration_seconds{worker="a"}': 1,
        [`worker_requests_total{route="${CHAT}",worker="a",routing="policy"}`]: 1,
      })
    })

    test('one that is tried again', async () => {
      // One of the two goes to that worker, whoever's turn it is.
      await fleet.worker('a').setFaults({ status: 503, times: 1 })
      const added = await addedBy(() => Promise.all([post({ model: 'm' }), post({ model: 'm' })]))
      await fleet.worker('a').setFaults([])
      expect(added).toMatchObject({
        [`retries_total{route="${CHAT}"}`]: 1,
        'cb_outcomes_total{worker="a",outcome="failure"}': 1,
      })
    })

    test('one that a hook rejects', async () => {
      expect(await addedBy(() => post({ model: 'hooked' }))).toEqual({
        [`requests_total{route="${CHAT}",model="hooked",status="4xx"}`]: 1,
        [`request_errors_total{route="${CHAT}",error_type="hook_rejected"}`]: 1,
        'hook_requests_total{hook="safety",outcome="rejected"}': 1,
        [`tenant_requests_total{tenant="chat",route="${CHAT}"}`]: 1,
        [`tenant_errors_total{tenant="chat",route="${CHAT}",error_type="hook_rejected"}`]: 1,
      })
    })

    test('one whose stream is cut', async () => {
      await fleet.worker('a').setFaults({ die_mid_stream: { after_events: 2 }, times: 1 })
      const added = await addedBy(() => post({ model: 'n', stream: true, max_tokens: 50 }))
      expect(added).toMatchObject({
        [`request_errors_total{route="${CHAT}",error_type="truncated"}`]: 1,
        [`answer_ends_total{route="${CHAT}",end="truncated"}`]: 1,
      })
    })

    test('one whose client leaves', async () => {
      await fleet.worker('a').setFaults({ stall_mid_stream: { after_events: 2 }, times: 1 })
      const added = await addedBy(async () => {
        const body = { model: 'n', stream: true, max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }
        const { reply, leave } = send(`${fleet.url}${CHAT}`, body, { headers: { authorization: `Bearer ${CHAT_KEY}` } })
        await (await reply).next()
        leave()
      })
      expect(added).toMatchObject({
        [`answer_ends_total{route="${CHAT}",end="client_aborted"}`]: 1,
        'cancelled_upstreams_total{worker="a"}': 1,
      })
    })

    test('one for a model that nobody serves, whatever it is called', async () => {
      const names = Array.from({ length: 20 }, (_, at) => `made-up-${at}`)
      const added = await addedBy(async () => {
        for (const model of names) await post({ model })
      })
      const [series, ...others] = Object.keys(added).filter((name) => name.startsWith('requests_total'))
      expect(others).toEqual([])
      expect(series).toMatch(/status="4xx"/)
      expect(JSON.stringify(Object.keys(added))).not.toContain('made-up')
      expect(added).toMatchObject({ [`request_errors_total{route="${CHAT}",error_type="model_not_found"}`]: 20 })
    })

    test('one that a limit refuses', async () => {
      await post({ model: 'n' }, SEARCH_KEY)
      expect(await addedBy(() => post({ model: 'n' }, SEARCH_KEY))).toMatchObject({
        [`request_errors_total{route="${CHAT}",error_type="rate_limit_exceeded"}`]: 1,
        'tenant_rate_limited_total{tenant="search"}': 1,
      })
    })

    test('one without a good key, which leaves no record', async () => {
      const refused = { [`refused_requests_total{route="${CHAT}",error_type="invalid_api_key"}`]: 1 }
      expect(await addedBy(() => post({ model: 'n' }, 'nobody-s-key'))).toEqual(refused)
    })

    test('levels say how the fleet is', async () => {
      const now = await scrape()
      expect(Object.fromEntries(now)).toMatchObject({
        active_workers: 2,
        'worker_health{worker="b"}': 1,
        'worker_availability{worker="b",state="up"}': 1,
        'running_requests{worker="a"}': 0,
        'cb_state{worker="a"}': 0,
        requests_in_flight: 0,
        decision_log_lost_total: 0,
      })
    })

    // Debian has it in the package `prometheus`, which CI installs.
    test.skipIf(!hasPromtool && process.env['CI'] === undefined)('Prometheus finds nothing wrong', async () => {
      const { text } = await ask(`${fleet.url}/metrics`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
      const said = await new Promise<string>((resolve, reject) => {
        const child = execFile('promtool', ['check', 'metrics'], (error, _out, errors) =>
          error === null ? resolve(errors) : reject(error),
        )
        child.stdin?.end(text)
      })
      expect(said).toBe('')
    })

    test.each([{}, { authorization: `Bearer ${CHAT_KEY}` }])('is for operators: %j is refused', async (headers) => {
      const answer = await ask(`${fleet.url}/metrics`, { headers })
      expect([401, 403]).toContain(answer.status)
      expect(answer.text).not.toContain('vllm_router_')
    })

    test('holds no key, prompt or address', async () => {
      const { text, headers } = await ask(`${fleet.url}/metrics`, { headers: { 'x-admin-key': ADMIN_KEY } })
      expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
      for (const secret of [ADMIN_KEY, CHAT_KEY, SEARCH_KEY, HOOK_KEY, '127.0.0.1']) expect(text).not.toContain(secret)
    })
  })

  cachesAndClusters(runtime)

  describe(`public metrics on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['m'] } },
      config: (urls) => ({
        workers: [{ id: 'only', url: urls.only }],
        inbound_api_key: CHAT_KEY,
        admin_api_key: ADMIN_KEY,
        metrics: { public: true },
      }),
    })

    test('are for everybody, and nothing else is', async () => {
      const answer = await ask(`${fleet.url}/metrics`)
      expect(answer.status).toBe(200)
      expect(readScrape(answer.text).get('active_workers')).toBe(1)
      expect((await ask(`${fleet.url}/admin/stats`)).status).toBe(401)
    })
  })
}

/** Caches, and clusters of workers: requests that something else than a worker's turn decides about. */
function cachesAndClusters(runtime: RuntimeName): void {
  describe(`metrics of caches and clusters on ${runtime}`, () => {
    let embeddings: EmbeddingsServer | null = null
    const fleet = liveFleet(runtime, {
      workers: { code: { models: ['m'] }, other: { models: ['m'] } },
      async config(urls) {
        embeddings = await startEmbeddingsServer()
        const server = { embeddings_url: embeddings.url, embedding_timeout_ms: 5_000 }
        return {
          workers: [
            { id: 'code', url: urls.code },
            { id: 'other', url: urls.other },
          ],
          api_keys: [{ name: 'chat', key: CHAT_KEY }],
          admin_api_key: ADMIN_KEY,
          policy: 'round_robin',
          cache: {},
          semantic_cache: { ...server, threshold: 0.9 },
          semantic_cluster: {
            ...server,
            threshold: 0.3,
            clusters: [{ name: 'code', examples: ['Fix the bug in my python code'], workers: ['code'] }],
          },
        }
      },
    })
    afterAll(() => embeddings?.close())
    const { scrape, addedBy } = counting(fleet)
    const ADMITTED = { [`tenant_requests_total{tenant="chat",route="${CHAT}"}`]: 1 }
    const ANSWERED = {
      ...ADMITTED,
      [`requests_total{route="${CHAT}",model="m",status="2xx"}`]: 1,
      [`answer_ends_total{route="${CHAT}",end="complete"}`]: 1,
    }
    // A test that is tried again finds nothing of its first try.
    let run = 0
    beforeEach(() => void (run += 1))
    const post = (content: string, more: object = {}) =>
      postJson(
        `${fleet.url}${CHAT}`,
        { model: 'm', max_tokens: 3, temperature: 0, seed: run, messages: [{ role: 'user', content }], ...more },
        { authorization: `Bearer ${CHAT_KEY}` },
      )
    const QUESTION = 'How do I reset the password of my account?'
    const REWORDED = 'How is it that I reset the password of the account?'

    test('a miss, then an answer from the exact cache, then one from the semantic cache', async () => {
      expect(await addedBy(() => post(QUESTION))).toMatchObject({ ...ANSWERED, cache_misses_total: 1 })
      // No worker, no policy, no tokens, and no vector.
      expect(await addedBy(() => post(QUESTION))).toEqual({ ...ANSWERED, 'cache_hits_total{kind="exact"}': 1 })
      const added = await addedBy(() => post(REWORDED))
      expect(added).toMatchObject({ ...ANSWERED, 'cache_hits_total{kind="semantic"}': 1 })
      const others = Object.keys(added).filter((name) => !(name in ANSWERED))
      expect(others.filter((name) => !/^(cache_hits|cache_similarity|lookups)/.test(name))).toEqual([])
    })

    test('one that no cache has a word on is neither a hit nor a miss', async () => {
      const added = await addedBy(() => post(RECIPE, { temperature: 1, seed: null }))
      expect(added).toMatchObject({ ...ANSWERED, 'tokens_total{model="m",kind="completion"}': 3 })
      expect(Object.keys(added).filter((name) => name.startsWith('cache_'))).toEqual([])
    })

    test('one that goes to a cluster', async () => {
      const sent = () => post('Fix the bug in my python code, please', { temperature: 1, seed: null })
      await until(
        async () => (await sent()).headers.get('x-vllm-router-cluster') === 'code',
        30_000,
        () => 'the cluster is not known',
      )
      const before = await scrape()
      expect(await addedBy(sent)).toMatchObject({ ...ANSWERED, 'processed_requests_total{worker="code"}': 1 })
      expect(grownSince(before, await scrape())).toMatchObject({
        [`worker_requests_total{route="${CHAT}",worker="code",routing="cluster"}`]: 1,
        'cluster_requests_total{cluster="code",worker="code"}': 1,
      })
    })
  })

  describe(`metrics of LMCache lookups on ${runtime}`, () => {
    const bench = lmcacheBench(runtime, { config: () => ({ admin_api_key: ADMIN_KEY }) })
    const { addedBy } = counting(bench.fleet)

    test('a prompt that a worker has', async () => {
      const prompt = promptOf('counted', 3)
      const worker = await bench.warm(prompt)
      expect(await addedBy(() => bench.chat(prompt))).toMatchObject({
        'lookups_total{step="tokenize",outcome="ok"}': 1,
        'lookups_total{step="lookup",outcome="ok"}': 1,
        [`processed_requests_total{worker="${worker}"}`]: 1,
      })
    })
  })
}

const RECIPE = 'Recipe with tomatoes, garlic, olive oil'

function counting(fleet: Pick<LiveFleet, 'url'>) {
  async function scrape(): Promise<Scrape> {
    const answer = await ask(`${fleet.url}/metrics`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    expect(answer.status, answer.text).toBe(200)
    return readScrape(answer.text)
  }

  /** What requests added to counters, once the router has closed them. */
  async function addedBy(requests: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    const before = await scrape()
    const ended = (now: Scrape) => sumOf(now, 'requests_total') + sumOf(now, 'refused_requests_total')
    const closed = (now: Scrape) => ended(now) - ended(before)
    await requests()
    let now = before
    await until(
      async () => {
        now = await scrape()
        return closed(now) > 0
      },
      10_000,
      () => 'no request was counted',
    )
    return Object.fromEntries(Object.entries(grownSince(before, now)).filter(([name]) => !NOT_COUNTS.test(name)))
  }
  return { scrape, addedBy }
}

function sumOf(scrape: Scrape, name: string): number {
  let sum = 0
  for (const [series, value] of scrape) if (series.startsWith(`${name}{`)) sum += value
  return sum
}

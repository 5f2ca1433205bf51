// One of three worker processes is killed under load. At most the streams that ran on it fail, each told so in band;
// everything else is served, and within two seconds nothing is sent there any more.

import { afterEach, describe, expect, test } from 'vitest'
import { parseEvents } from '../conformance/dialect.ts'
import { fetchWhole, send } from '../support/http-client.ts'
import { type LaunchedRouter, launchRouter, type RuntimeName, until } from '../support/launch.ts'
import { startSimProcess } from '../support/sim-process.ts'

const STREAMS = 32
const OTHERS = 8
/** How soon after the kill nothing is sent there any more. */
const EJECTED_MS = 2_000
const CHAT = '/v1/chat/completions'

interface Ended {
  readonly id: string
  readonly worker: string
  readonly status: number
  /** The last event of a stream, the body of another answer. */
  readonly last: string
  readonly isStream: boolean
  readonly begunAtMs: number
  readonly endedAtMs: number
}

const started: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()))
})

async function launch(runtime: RuntimeName) {
  const flags = [
    '--model',
    'm',
    '--itl-ms',
    '20',
    '--output-tokens',
    '60',
    '--max-num-seqs',
    '64',
    '--log-requests',
    '0',
  ]
  const workers = await Promise.all(['1', '2', '3'].map((seed) => startSimProcess([...flags, '--seed', seed])))
  for (const worker of workers) started.push({ stop: () => worker.kill() })
  const router = await launchRouter(runtime, {
    config: JSON.stringify({
      workers: workers.map(({ url }, at) => ({ id: `w${at}`, url })),
      policy: 'round_robin',
      // What finds the dead one are requests, not probes.
      health_check: { check_interval_secs: 600 },
      retry: { budget: { min_retries: 1_000 } },
    }),
  })
  started.push(router)
  return { workers, router }
}

class Load {
  readonly ended: Ended[] = []
  readonly #url: string
  #isOver = false
  #count = 0
  readonly #clients: Promise<void>[]

  constructor(url: string) {
    this.#url = url
    this.#clients = [
      ...Array.from({ length: STREAMS }, () => this.#run(() => this.#stream())),
      ...Array.from({ length: OTHERS }, () => this.#run(() => this.#whole())),
    ]
  }

  /** Resolves once what is under way has ended. */
  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#clients)
  }

  async #run(ask: () => Promise<Ended>): Promise<void> {
    while (!this.#isOver) this.ended.push(await ask())
  }

  #request(isStream: boolean) {
    const id = `kill-${(this.#count += 1)}`
    const body = {
      model: 'm',
      messages: [{ role: 'user', content: 'hi' }],
      stream: isStream,
      max_tokens: isStream ? 60 : 4,
    }
    return { id, body, options: { headers: { 'x-request-id': id } }, begunAtMs: Date.now(), isStream }
  }

  async #stream(): Promise<Ended> {
    const { body, options, ...request } = this.#request(true)
    const { status, headers, rest } = await send(this.#url + CHAT, body, options).reply
    const last = parseEvents(await rest()).at(-1)?.data ?? ''
    const worker = String(headers['x-vllm-router-worker'])
    return { ...request, worker, status, last, endedAtMs: Date.now() }
  }

  async #whole(): Promise<Ended> {
    const { body, options, ...request } = this.#request(false)
    const { status, headers, text } = await fetchWhole(this.#url + CHAT, body, options)
    const worker = String(headers['x-vllm-router-worker'])
    return { ...request, worker, status, last: text, endedAtMs: Date.now() }
  }
}

/** When attempts at a worker began, by the records. */
function attemptsAt(router: LaunchedRouter, worker: string, load: Load): readonly number[] {
  const begun = new Map(load.ended.map(({ id, begunAtMs }) => [id, begunAtMs]))
  return router.records().flatMap((record) => {
    const attempts = record['attempts'] as readonly { worker: string }[]
    const atMs = begun.get(String(record['request_id']))
    return atMs !== undefined && attempts.some(({ worker: id }) => id === worker) ? [atMs] : []
  })
}

describe.each(['node', 'workerd'] as const)('kill -9 of one of three workers on %s', (runtime) => {
  test(`under ${STREAMS} streams and ${OTHERS} other clients`, { timeout: 120_000 }, async () => {
    const { workers, router } = await launch(runtime)
    const load = new Load(router.url)
    await until(
      () => load.ended.filter(({ isStream }) => isStream).length > STREAMS,
      30_000,
      () => 'no traffic',
    )
    const killedAtMs = Date.now()
    await workers[0]?.kill()
    const deadAtMs = Date.now()
    // Long enough for requests to have gone there, were it still used.
    await until(
      () => load.ended.filter(({ begunAtMs }) => begunAtMs > killedAtMs + EJECTED_MS).length > STREAMS,
      30_000,
      () => 'traffic has stopped',
    )
    await load.stop()

    const { ended } = load
    const failed = ended.filter(({ isStream, status, last }) => status !== 200 || (isStream && last !== '[DONE]'))
    expect(failed.filter(({ isStream }) => !isStream)).toEqual([])
    // Only what had begun on the dead one when it died, and told so in the stream.
    const running = ended.filter(
      ({ isStream, worker, begunAtMs, endedAtMs }) =>
        isStream && worker === 'w0' && begunAtMs <= deadAtMs && endedAtMs >= killedAtMs,
    )
    expect(running.length).toBeGreaterThan(0)
    expect(failed.map(({ id }) => id).filter((id) => !running.some((each) => each.id === id))).toEqual([])
    for (const { status, last } of failed) {
      expect([status, JSON.parse(last).error]).toEqual([
        200,
        { code: 'upstream_truncated', type: 'api_error', message: expect.any(String), param: null },
      ])
    }
    const last = ended.at(-1)?.id
    await router.record((record) => record['request_id'] === last)
    const late = attemptsAt(router, 'w0', load).filter((atMs) => atMs > killedAtMs + EJECTED_MS)
    expect(late).toEqual([])
    // Those who go on are served by the others, all the while.
    expect(ended.filter(({ begunAtMs }) => begunAtMs > killedAtMs).length).toBeGreaterThan(STREAMS)
  })
})

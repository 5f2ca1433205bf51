// Metrics as operators get them: who may read `/metrics`, what a collector is sent, and that no key or prompt is in either. What
// each kind of request adds is in counted-kinds.ts.

import { execFile, spawnSync } from 'node:child_process'
import { afterAll, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { ask, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { readScrape } from '../support/metrics.ts'
import { metricMessages, type ReceivedPoint, toScrape } from '../support/otlp-metrics.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { CHAT, countingOf } from './counted.ts'

const ADMIN_KEY = 'admin-key-0123456789'
const CHAT_KEY = 'chat-key-0123456789'
const COLLECTOR_KEY = 'collector-key-0123456789'
const MARKER = 'a-word-that-nobody-else-says'
const SECRETS = [ADMIN_KEY, CHAT_KEY, COLLECTOR_KEY, MARKER, '127.0.0.1']

const REQUESTS = `requests_total{route="${CHAT}",model="m",status="2xx"}`

const hasPromtool = spawnSync('promtool', ['--version']).status === 0

export function metricsConformance(runtime: RuntimeName): void {
  describe(`metrics on ${runtime}`, () => {
    let receiver: OtlpReceiver | null = null
    const collector = (): OtlpReceiver => {
      if (receiver === null) throw new Error('it has not started')
      return receiver
    }
    let config = {}
    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m'] } },
      async config(urls) {
        receiver = await startOtlpReceiver()
        config = {
          workers: [{ id: 'a', url: urls.a }],
          api_keys: [{ name: 'chat', key: CHAT_KEY }],
          admin_api_key: ADMIN_KEY,
          metrics: { otlp: pushed() },
          disable_circuit_breaker: true,
        }
        return config
      },
    })
    const pushed = () => ({
      endpoint: `127.0.0.1:${collector().port}`,
      headers: { 'x-api-key': COLLECTOR_KEY },
      interval_secs: 1,
      service_name: 'edge',
    })
    afterAll(() => receiver?.close())

    const { scrape, addedBy } = countingOf(() => fleet.url, { authorization: `Bearer ${ADMIN_KEY}` })
    const post = () =>
      postJson(
        `${fleet.url}${CHAT}`,
        { model: 'm', messages: [{ role: 'user', content: MARKER }], max_tokens: 3 },
        { authorization: `Bearer ${CHAT_KEY}` },
      )
    const lastMessage = () => metricMessages(collector()).at(-1) ?? []

    /** Waits for a message that says so. */
    async function sent(holds: (points: readonly ReceivedPoint[]) => boolean): Promise<readonly ReceivedPoint[]> {
      await until(
        () => holds(lastMessage()),
        30_000,
        () =>
          `the last of ${metricMessages(collector()).length} messages says ${JSON.stringify([...toScrape(lastMessage())])}`,
      )
      return lastMessage()
    }

    test('levels say how the fleet is', async () => {
      await addedBy(post)
      expect(Object.fromEntries(await scrape())).toMatchObject({
        active_workers: 1,
        'worker_health{worker="a"}': 1,
        'worker_availability{worker="a",state="up"}': 1,
        'running_requests{worker="a"}': 0,
        'cb_state{worker="a"}': 0,
        requests_in_flight: 0,
      })
    })

    test('a collector gets what a scrape says, however requests came', async () => {
      await addedBy(() => Promise.all([post(), post(), post()]), 3)
      const total = (await scrape()).get(REQUESTS)
      const points = await sent((now) => toScrape(now).get(REQUESTS) === total)
      expect(Object.fromEntries(toScrape(points))).toMatchObject({
        active_workers: 1,
        'worker_health{worker="a"}': 1,
        [`request_duration_seconds{route="${CHAT}"}`]: total,
      })
      for (const { kind, temporality, startNs, atNs, resource } of points) {
        expect(temporality).toBe(kind === 'gauge' ? null : 2)
        expect(startNs).toBeLessThanOrEqual(atNs)
        expect(resource).toMatchObject({ 'service.name': 'edge', 'service.instance.id': expect.any(String) })
      }
      expect(
        new Set(points.map(({ startNs, resource }) => `${startNs} ${String(resource['service.instance.id'])}`)).size,
      ).toBe(1)
      const [message] = collector().messages
      expect(message).toMatchObject({
        path: '/v1/metrics',
        headers: { 'x-api-key': COLLECTOR_KEY, 'content-type': 'application/x-protobuf' },
      })
    })

    test('a collector that fails costs no request anything, and gets the whole when it is back', async () => {
      collector().answerWith(500)
      const before = collector().messages.length
      expect(await addedBy(post)).toMatchObject({ [REQUESTS]: 1 })
      await until(
        () => collector().messages.length > before,
        30_000,
        () => 'nothing was sent',
      )
      collector().answerWith(200)
      expect(await addedBy(post)).toMatchObject({ [REQUESTS]: 1 })
      const total = (await scrape()).get(REQUESTS)
      const points = await sent((now) => toScrape(now).get(REQUESTS) === total)
      expect(toScrape(points).get('metric_pushes_total{outcome="failed"}')).toBeGreaterThan(0)
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

    test.each([{}, { authorization: `Bearer ${CHAT_KEY}` }])('are for operators: %j is refused', async (headers) => {
      const answer = await ask(`${fleet.url}/metrics`, { headers })
      expect([401, 403]).toContain(answer.status)
      expect(answer.text).not.toContain('vllm_router_')
    })

    test('hold no key, prompt or address', async () => {
      const { text, headers } = await ask(`${fleet.url}/metrics`, { headers: { 'x-admin-key': ADMIN_KEY } })
      expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
      const messages = Buffer.concat(collector().messages.map(({ bytes }) => bytes)).toString('latin1')
      for (const secret of SECRETS) for (const said of [text, messages]) expect(said).not.toContain(secret)
    })

    test('are open to everybody once the configuration says so, and nothing else is', async () => {
      const next = { ...config, metrics: { public: true, otlp: { ...pushed(), protocol: 'http/json' } } }
      expect((await adminClient(() => fleet.url, ADMIN_KEY).putConfig(next)).status).toBe(200)
      await until(
        async () => (await ask(`${fleet.url}/metrics`)).status === 200,
        15_000,
        () => 'it is still closed',
      )
      expect(readScrape((await ask(`${fleet.url}/metrics`)).text).get('active_workers')).toBe(1)
      expect((await ask(`${fleet.url}/admin/stats`)).status).toBe(401)
    })

    test('and are sent as it says from then on', async () => {
      expect((await post()).status).toBe(200)
      const total = (await scrape()).get(REQUESTS)
      await sent((now) => toScrape(now).get(REQUESTS) === total)
      expect(collector().messages.at(-1)?.headers['content-type']).toBe('application/json')
    })
  })
}

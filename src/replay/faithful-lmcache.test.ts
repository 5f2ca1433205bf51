// Decisions by what LMCache said, made by the whole pipeline and made again from their lines: lookups that hit, miss, fail and
// make no sense, and chains that end with each of their steps.

import { expect, test } from 'vitest'
import { configOf, decidedLog } from '../../test/support/decided-log.ts'
import type { InProcessRouter, UpstreamCall } from '../../test/support/in-process-router.ts'
import { recordsOf, replayLog } from '../../test/support/replayed-log.ts'

const REQUESTS = 3_000
const IDS = ['a', 'b', 'c', 'd']

const yaml = (options: string) => `
workers:
${IDS.map((id) => `  - {id: ${id}, url: "http://${id}", models: [m]}`).join('\n')}
log_level: error
policy:
  type: lmcache_aware
  controller_url: http://lmcache
  controller_timeout_ms: 5000
  lookup_budget_ms: 5000
  ${options}
`

/** What each prompt is, so that the made-up services can tell what they are asked about. */
function request(n: number) {
  const ids = Array.from({ length: 300 + (n % 5) * 300 }, () => n)
  if (n % 4 === 0) return { path: '/v1/completions', body: { model: 'm', prompt: ids } }
  if (n % 4 === 1) return { body: { model: 'm', messages: [{ role: 'user', content: 'short' }] } }
  return { body: { model: 'm', messages: [{ role: 'user', content: `${n} `.repeat(400) }] } }
}

function respond({ url, body }: UpstreamCall): Response | null {
  if (url.endsWith('/render')) return new Response(null, { status: 404 })
  if (url.endsWith('/tokenize')) {
    return Response.json({ tokens: Array.from({ length: 400 }, () => Math.floor(Math.random() * 9)) })
  }
  if (!url.endsWith('/lookup')) return null
  const { tokens } = JSON.parse(new TextDecoder().decode(body as Uint8Array)) as { readonly tokens: readonly number[] }
  const dice = Math.random()
  // Seldom enough to leave the breaker closed most of the time.
  if (dice < 0.1) return new Response('oh no', { status: 500 })
  const whole = Math.floor(tokens.length / 256) * 256
  const [one, other] = [IDS[Math.floor(Math.random() * 4)] ?? 'a', IDS[Math.floor(Math.random() * 4)] ?? 'a']
  const layout =
    dice < 0.3 ? {} : dice < 0.8 ? { [one]: ['cpu', whole] } : { [one]: ['cpu', 256], [other]: ['cpu', whole] }
  return Response.json({ event_id: 'e', layout_info: layout })
}

/** Now and then the control plane says how full caches are; in between that grows old. */
function before(n: number, { fleet, now }: InProcessRouter): void {
  if (n % 500 !== 0) return
  const instances = IDS.slice(1).map((instanceId) => ({
    instanceId,
    ip: null,
    chunks: Math.floor(Math.random() * 900),
  }))
  fleet.noteLmcache({ instances: n % 1_000 === 0 ? instances : [], saidAtMs: now(), lastPoll: 'ok' })
}

test.each(['fallback_policy: power_of_two', 'fallback_policy: round_robin', 'cache_weight: 1'])(
  'lookups with %s: every decision comes out the same again',
  { timeout: 180_000 },
  async (options) => {
    const text = yaml(`lookup_mode: prefix_lookup\n  ${options}`)
    const log = await decidedLog({ yaml: text, requests: REQUESTS, request, respond, before, failing: 0.02 })
    const methods = new Set(recordsOf(log).map(({ method }) => method))
    expect(methods).toContain('lmcache-prefix')
    expect(methods).toContain('policy')
    const occupied = recordsOf(log).filter(({ lmcache }) => lmcache?.chunks !== undefined)
    expect(occupied.length).toBeGreaterThan(REQUESTS / 10)
    const other = yaml(`lookup_mode: prefix_lookup\n  cache_weight: 0.05\n  fallback_policy: power_of_two`)
    const [own, alike, weighed] = replayLog(log, [
      await configOf(text),
      await configOf(`${text}shutdown_grace_secs: 7\n`),
      await configOf(other),
    ])
    expect(own).toMatchObject({ total: REQUESTS, different: 0, not_comparable: 0, modelled: { same: 0, different: 0 } })
    expect(own?.same_configuration).toEqual({ records: own?.same, different: 0 })
    expect(alike).toMatchObject({ different: 0, not_comparable: 0, modelled: { different: 0 } })
    expect(weighed).toMatchObject({ total: REQUESTS, not_comparable: 0 })
  },
)

// Fleets and requests out of the ordinary, decided live and decided again: breakers, panic, drains, tenants, hooks, hedges,
// more workers than a record lists, ranks, stored responses and policies of an operator's own.

import { describe, expect, test } from 'vitest'
import preferLabel from '../../test/fixtures/policies/prefer-label.ts'
import { configOf, type DecidedLog, type DecidedLogOptions, decidedLog } from '../../test/support/decided-log.ts'
import { recordsOf, replayLog } from '../../test/support/replayed-log.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import { policyRegistry } from '../routing/policies/index.ts'

const POLICIES = [
  'round_robin',
  'random',
  '{type: least_load}',
  'power_of_two',
  'consistent_hash',
  '{type: prefer_label, label: zone, value: x}',
]

const REQUESTS = 400

const registry = policyRegistry({ prefer_label: preferLabel })

const WORKERS = `workers:
  - {id: a, url: "http://a", models: [m, n], weight: 2}
  - {id: b, url: "http://b", models: [m], labels: {zone: x}}
  - {id: c, url: "http://c", models: [m, n]}
  - {id: d, url: "http://d", models: [n, m], data_parallel_size: 3}
log_level: error
`

interface Scene extends Partial<DecidedLogOptions> {
  readonly what: string
  readonly yaml: string
  /** Must be true of at least one record, or the scene shows nothing. */
  readonly shows: readonly ((record: StoredRecord) => boolean)[]
  /** What can't be compared with another configuration; none when absent. */
  readonly unknown?: (record: StoredRecord) => boolean
}

const noteOf = (note: string) => (record: StoredRecord) =>
  record.candidates?.some((candidate) => candidate.note === note) === true
const vetoOf = (veto: string) => (record: StoredRecord) =>
  record.candidates?.some((candidate) => candidate.veto === veto) === true

const answer = (body: object) => new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } })

const SCENES: readonly Scene[] = [
  {
    what: 'open breakers and permits to try again',
    yaml: `${WORKERS}circuit_breaker: {failure_threshold: 2, timeout_duration_secs: 1}\nretry: {max_retries: 3}\n`,
    respond: ({ worker }) => {
      if (worker === 'b' && Math.random() < 0.7) return new Response('no', { status: 500 })
      return null
    },
    before: (_, { advance }) => advance(40),
    shows: [vetoOf('open'), vetoOf('half_open'), noteOf('permit'), ({ tried }) => tried !== undefined],
  },
  {
    what: 'panic',
    yaml: `${WORKERS}circuit_breaker: {failure_threshold: 10000, error_rate: 0.2, minimum_volume: 5, timeout_duration_secs: 2, window_duration_secs: 5}\nhealth_check: {panic_threshold: 0.4}\n`,
    failing: 0,
    respond: ({ worker }) => {
      if (worker !== 'c' && Math.random() < 0.5) return new Response('no', { status: 500 })
      return null
    },
    before: (_, { advance }) => advance(15),
    shows: [({ panic }) => panic === true],
  },
  {
    what: 'last resorts',
    yaml: `${WORKERS}circuit_breaker: {failure_threshold: 2, timeout_duration_secs: 2, last_resort: true}\n`,
    failing: 0.8,
    before: (_, { advance }) => advance(15),
    shows: [noteOf('last_resort')],
  },
  {
    what: 'drains',
    yaml: WORKERS,
    before: async (n, { fleet, advance, now }) => {
      advance(30)
      if (n % 100 === 20) await fleet.drain('a', now() + 500)
      if (n % 100 === 70) await fleet.undrain('a')
    },
    shows: [vetoOf('draining'), vetoOf('parked')],
  },
  {
    what: 'tenants with models of their own',
    yaml: `${WORKERS}api_keys:
  - {name: wide, key: "key-of-wide-0123456789"}
  - {name: narrow, key: "key-of-narrow-0123456789", allowed_models: [n, "al*"]}
model_rules:
  - {match: alias, when: {tenant: narrow}, rewrite: n}
  - {match: alias, weights: {m: 3, n: 1}}
  - {match: "al-*", fallback: [m, n], on_failure: true}
`,
    request: (n) => ({
      body: { model: ['m', 'n', 'alias', 'al-1', 'gone'][n % 5] ?? 'm', user: `u${n % 31}` },
      headers: { authorization: `Bearer key-of-${n % 3 === 0 ? 'wide' : 'narrow'}-0123456789` },
    }),
    failing: 0.1,
    shows: [({ error }) => error === 'model_not_allowed', ({ split }) => split !== undefined],
  },
  {
    what: 'hooks that transform and reject',
    yaml: `${WORKERS}pre_routing_hooks:
  - {name: mask, url: "http://hook/mask", transform: true}
model_rules:
  - {match: "soft-*", weights: {m: 1, n: 1}}
`,
    respond: ({ worker, body }) => {
      if (worker !== 'hook') return null
      const { model, user } = JSON.parse(new TextDecoder().decode(body as Uint8Array))
      if (user === 'u1') return answer({ action: 'reject' })
      const to = { m: 'soft-1', n: 'm' }[model as 'm' | 'n']
      if (to === undefined) return answer({ action: 'allow' })
      return answer({ action: 'transform', body: { model: to, user: `${user}-masked` } })
    },
    request: (n) => ({ body: { model: ['m', 'n', 'soft-2', 'gone'][n % 4] ?? 'm', user: `u${n % 31}` } }),
    shows: [({ error }) => error === 'hook_rejected', ({ rule }) => rule !== undefined],
    // The name that a hook gave to a rule with a `*` is not recorded.
    unknown: ({ rule, hooks_ran: hooks }) =>
      rule?.endsWith('*') === true && hooks?.includes('mask:transformed') === true,
  },
  {
    what: 'hedges and retries',
    yaml: `${WORKERS}hedge: {after_ms: 1, max_share: 1}\nretry: {max_retries: 2, budget: {ratio: 1}}\n`,
    failing: 0.3,
    async respond() {
      for (let turn = Math.floor(Math.random() * 6); turn > 0; turn -= 1) await new Promise(setImmediate)
      return null
    },
    // The first of two was faster after all: what is recorded is its decision, not the later one.
    shows: [({ attempts = [], worker }) => attempts.length > 1 && attempts.at(-1)?.worker !== worker],
  },
  {
    what: 'more workers than a record lists',
    yaml: `workers:\n${Array.from({ length: 80 }, (_, n) => `  - {id: w${n}, url: "http://w${n}", models: [m], weight: ${1 + (n % 3)}, labels: {zone: "${n % 7 === 0 ? 'x' : 'y'}"}}`).join('\n')}\nlog_level: error\n`,
    failing: 0.2,
    shows: [({ candidates_omitted: omitted = 0 }) => omitted > 0, ({ others }) => others !== undefined],
  },
  {
    what: 'stored responses',
    yaml: WORKERS,
    respond: ({ url, worker }) =>
      url.endsWith('/v1/responses') ? answer({ id: `resp_${worker}_0`, object: 'response', output: [] }) : null,
    request: (n) => {
      const holder = ['a', 'b', 'c', 'd'][n % 4] ?? 'a'
      const previous = n < 100 || n % 2 === 0 ? {} : { previous_response_id: `resp_${holder}_0` }
      return { path: '/v1/responses', body: { model: 'm', input: 'x', user: `u${n % 31}`, ...previous } }
    },
    shows: [({ pinned }) => pinned !== undefined],
  },
]

function showsAll(log: DecidedLog, shows: Scene['shows']): boolean {
  const records = recordsOf(log)
  return shows.every((isShown) => records.some(isShown))
}

describe.each(SCENES)('$what', ({ yaml, shows, unknown, ...scene }) => {
  test.each(POLICIES)('%s: all the same again', { timeout: 60_000 }, async (policy) => {
    const text = `${yaml}policy: ${policy}\n`
    const play = () => decidedLog({ failing: 0.05, ...scene, yaml: text, requests: REQUESTS, policies: registry })
    let log = await play()
    // What befalls a scene is drawn: one that did not show all there is to show is played again.
    for (let again = 0; again < 4 && !showsAll(log, shows); again += 1) log = await play()
    const records = recordsOf(log)
    expect(records).toHaveLength(REQUESTS)
    shows.forEach((isShown, at) => expect(records.some(isShown), `what ${at} is to show`).toBe(true))
    const own = await configOf(text, registry)
    const alike = await configOf(`${text}shutdown_grace_secs: 7\n`, registry)
    const [same, also] = replayLog(log, [own, alike], records)
    const nothing = { total: REQUESTS, different: 0, not_comparable: 0, newly_refused: 0, newly_served: 0 }
    expect(same).toMatchObject({ ...nothing, exact: { different: 0 }, modelled: { same: 0, different: 0 } })
    expect(same?.same_configuration).toEqual({ records: same?.same, different: 0 })
    const unknowns = unknown === undefined ? 0 : records.filter(unknown).length
    expect(also).toMatchObject({ ...nothing, not_comparable: unknowns })
  })
})

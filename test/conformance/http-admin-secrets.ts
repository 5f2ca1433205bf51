// No secret comes out: a marker stands in every field that the schema marks, whichever these are, and is looked for in
// everything that the router says.

import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { configSchema } from '../../src/config/schema.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, ask, chatBody, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { digestLike, secretPlaces } from '../support/secret-paths.ts'

/** Told apart by what follows it. */
const MARKER = 's3cret-marker'

/** An address that nobody answers at. */
const NOBODY = 'http://127.0.0.1:9/'
const SIGNAL_SERVERS = ['embedding', 'domain', 'fact_check', 'user_feedback', 'preference']

/** Something in every list that has entries with secrets. */
function beginning(url: string) {
  return {
    workers: [{ id: 'only', url }],
    worker_api_keys: { only: 'x' },
    inbound_api_key: `${MARKER}-inbound`,
    api_keys: [
      { name: 'two', key_sha256: digestLike(MARKER) },
      { name: 'one', key: `${MARKER}-tenant` },
    ],
    admin_api_key: `${MARKER}-admin`,
    admin_api_keys: [{ label: 'ops', key: `${MARKER}-ops` }],
    pre_routing_hooks: [{ name: 'dead', url: 'http://127.0.0.1:9/', headers: { 'x-team': 'x' } }],
    signal_servers: Object.fromEntries(SIGNAL_SERVERS.map((family) => [family, { url: NOBODY }])),
    semantic_cache: { embeddings_url: NOBODY },
    allowed_worker_hosts: ['http://127.0.0.1:*'],
    allowed_service_hosts: ['127.0.0.1:*'],
    log_level: 'debug',
  }
}

type File = Readonly<Record<string, unknown>>

/** What can't stand beside the secret in this place. */
const INSTEAD: Readonly<Record<string, (file: File) => File>> = {
  'api_keys[].key': (file) => ({ ...file, api_keys: [{ name: 'only', key: `${MARKER}-key` }] }),
}

const PLACES = secretPlaces(configSchema)

const load = (file: object) => loadConfig(JSON.stringify(file), { env: () => undefined, policies: BUILT_IN_POLICIES })

/** A configuration with a secret in this place, as different from that of other places as can be. */
function withSecretIn({ path, put }: (typeof PLACES)[number], file: File): File {
  const marked = put(file, `${MARKER}-at-${PLACES.findIndex((place) => place.path === path)}`) as File
  return INSTEAD[path]?.(marked) ?? marked
}

/** Keys that this test itself comes with, and where the state of a fleet would be looked for at the start. */
const NOT_AT_START = /^(?:inbound_api_key|admin_api_key|api_keys|admin_api_keys|state\.)/

/** A configuration with a secret in every other place. */
function fullOfSecrets(url: string): File {
  const places = PLACES.filter(({ path }) => !NOT_AT_START.test(path))
  return places.reduce<File>((full, place) => withSecretIn(place, full), beginning(url))
}

/** Stores that nobody answers for, which have passwords in their addresses. */
const DEAD_STORES = {
  'Redis over sockets': {
    state: { redis_url: `redis://user:${MARKER}@127.0.0.1:9/0`, connect_timeout_secs: 0.5 },
    router_replay: { enabled: true, store_backend: 'redis', redis: { url: `redis://user:${MARKER}@127.0.0.1:9/0` } },
  },
  PostgreSQL: {
    router_replay: {
      enabled: true,
      store_backend: 'postgres',
      postgres: { url: `postgres://user:${MARKER}@127.0.0.1:9/db` },
    },
  },
  'Redis over HTTP': {
    router_replay: {
      enabled: true,
      store_backend: 'redis',
      redis: { rest_url: `http://user:${MARKER}@127.0.0.1:9`, token: MARKER },
    },
  },
}

function expectSilent({ text, headers }: Answered): void {
  const said = text + JSON.stringify([...headers])
  expect(said).not.toContain(MARKER)
  expect(said.toLowerCase()).not.toContain(digestLike(MARKER).slice(0, 2 * MARKER.length))
}

export function adminSecretsConformance(runtime: RuntimeName): void {
  describe(`secrets on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['m'] } },
      config: (urls) => fullOfSecrets(urls.only),
    })
    const admin = adminClient(() => fleet.url, `${MARKER}-admin`)

    test('every place of the schema has one in the configuration that this test starts with', () => {
      expect(PLACES.length).toBeGreaterThan(10)
      const full = JSON.stringify(fullOfSecrets('http://a'))
      const absent = PLACES.filter((_, at) => !new RegExp(`${MARKER}-at-${at}["@]`).test(full))
      expect(absent.filter(({ path }) => !NOT_AT_START.test(path)).map(({ path }) => path)).toEqual([])
    })

    test.each(PLACES)('$path: none comes out of a configuration that has it, or is refused for it', async (place) => {
      const file = withSecretIn(place, beginning(fleet.worker('only').url))
      const loaded = await load(file)
      expect(loaded.findings.filter(({ severity }) => severity === 'error')).toEqual([])
      // The key that this client comes with must stay one, or nothing more could be asked.
      const keep = {
        admin_api_keys: [...(file['admin_api_keys'] as object[]), { label: 'test', key: `${MARKER}-test` }],
      }
      const client = adminClient(() => fleet.url, `${MARKER}-test`)
      const taken = await admin.putConfig({ ...file, ...keep })
      const isHere = taken.status === 200
      // Some can't be had on some runtimes; then that is what the answer says.
      if (!isHere) expect(taken.json().error.findings, taken.text).toMatchObject([{ path: place.path }])
      const shown = await (isHere ? client : admin).get('/admin/config')
      if (isHere) expect(valueAt(shown.json().config, place.path), place.path).toBe('***')
      const answers = [
        taken,
        shown,
        await client.putConfig({ ...file, ...keep, prot: 1 }),
        await client.putConfig(
          JSON.stringify({ ...file, ...keep }).replaceAll(`${MARKER}-at`, `${MARKER} with spaces`),
        ),
        await client.putConfig({ ...file, ...keep, [place.path.replace(/\W.*/, '')]: [`${MARKER}-list`] }),
        await client.get('/admin/stats'),
        await client.get('/admin/config/versions'),
        await client.post('/admin/config/rollback'),
      ]
      for (const answer of answers) expectSilent(answer)
      expect(fleet.router.output()).not.toContain(MARKER)
    })

    test('none is in any admin answer, good or bad, nor in any error, record or line of the log', async () => {
      const config = fullOfSecrets(fleet.worker('only').url)
      expect((await admin.putConfig(config)).status).toBe(200)
      const key = { authorization: `Bearer ${MARKER}-inbound` }
      const answers = [
        await postJson(`${fleet.url}/v1/chat/completions`, chatBody('m'), key),
        await postJson(`${fleet.url}/v1/chat/completions`, chatBody('nope'), {
          authorization: `Bearer ${MARKER}-tenant`,
        }),
        await postJson(`${fleet.url}/v1/chat/completions`, chatBody('m'), { authorization: `Bearer ${MARKER}-wrong` }),
        await ask(`${fleet.url}/v1/models`, { headers: key }),
        await admin.putConfig({ ...config, log_level: 'info' }),
        // Refused for what stands beside a secret, and for the secret itself.
        await admin.putConfig({ ...config, prot: 1 }),
        await admin.putConfig({ ...config, api_key: `${MARKER} with spaces` }),
        await admin.putConfig({ ...config, inbound_api_key: [`${MARKER}-list`] }),
        await admin.putConfig({ ...config, admin_api_key: `${MARKER}-inbound` }),
        await admin.putConfig({ ...config, worker_api_keys: { nobody: `${MARKER}-nobody` } }),
        await admin.putConfig(`api_key: "${MARKER}`),
        await admin.putConfig(`api_kye: ${MARKER}\n`),
        await admin.putConfig({ ...config, workers: [{ url: `http://user:${MARKER}@127.0.0.1:1` }] }),
        await admin.putConfig({
          ...config,
          pre_routing_hooks: [{ name: 'x', url: `http://user:${MARKER}@127.0.0.1` }],
        }),
        await admin.post('/workers', { url: 'http://127.0.0.1:9', api_key: `${MARKER} x` }),
        await admin.post('/workers', { id: 'new', url: 'http://127.0.0.1:9', api_key: `${MARKER}-new`, models: ['m'] }),
        await admin.delete('/workers/new'),
        await admin.post('/admin/config/rollback'),
        await ask(`${fleet.url}/admin/config`, { headers: { 'x-admin-key': `${MARKER}-not-it` } }),
      ]
      for (const path of [
        'config',
        'config/versions',
        'stats',
        'decisions?limit=1000',
        'tenants',
        'drain/status?id=only',
      ]) {
        answers.push(await admin.get(`/admin/${path}`))
      }
      for (const path of ['', '/only', '/only/metrics', '/nobody']) answers.push(await admin.get(`/workers${path}`))
      expect(answers.filter(({ status }) => status === 200 || status === 201).length).toBeGreaterThan(8)
      for (const answer of answers) expectSilent(answer)
      await fleet.router.told('"event":"hook_failed"')
      expect(fleet.router.output()).not.toContain(MARKER)
    })
  })

  const stores = Object.entries(DEAD_STORES).filter(([name]) => runtime !== 'workerd' || name === 'Redis over HTTP')
  describe.each(stores)(`a store that can not be reached, %s, on ${runtime}`, (_, sections) => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['m'] } },
      config: (urls) => ({ workers: [{ id: 'only', url: urls.only }], log_level: 'debug', ...sections }),
    })

    test('keeps its password to itself', async () => {
      const answers = [
        await postJson(`${fleet.url}/v1/chat/completions`, chatBody('m')),
        await postJson(`${fleet.url}/v1/chat/completions`, { ...chatBody('m'), stream: true }),
        await ask(`${fleet.url}/readiness`),
        await ask(`${fleet.url}/v1/router_replay`),
        ...(await Promise.all(['config', 'stats', 'decisions'].map((path) => ask(`${fleet.url}/admin/${path}`)))),
        await ask(`${fleet.url}/workers`),
      ]
      for (const answer of answers) expectSilent(answer)
      await fleet.router.signal('SIGTERM')
      expect(fleet.router.output()).not.toContain(MARKER)
    })
  })
}

/** The value in a place such as `workers[].api_key`, of the first entry. */
function valueAt(value: unknown, path: string): unknown {
  return path
    .replaceAll(/\[\]|\{\}/g, '.*')
    .split('.')
    .reduce<unknown>((at, key) => {
      if (typeof at !== 'object' || at === null) return undefined
      return key === '*' ? Object.values(at)[0] : (at as Record<string, unknown>)[key]
    }, value)
}

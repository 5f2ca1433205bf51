// No secret comes out: a marker stands in every field that the schema marks, and is looked for in everything that the
// router says.

import { describe, expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { adminClient } from '../support/admin-client.ts'
import { ask, chatBody, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { secretPaths } from '../support/secret-paths.ts'

/** Told apart by what follows it. */
const MARKER = 's3cret-marker'
const DIGEST = '5ec4e7'.repeat(12).slice(0, 64)

/** A configuration with a secret in every place that the schema has for one. */
function fullOfSecrets(url: string) {
  return {
    workers: [{ id: 'only', url, api_key: `${MARKER}-worker` }],
    api_key: `${MARKER}-global`,
    worker_api_keys: { only: `${MARKER}-by-name` },
    inbound_api_key: `${MARKER}-inbound`,
    api_keys: [
      { name: 'one', key: `${MARKER}-tenant` },
      { name: 'two', key_sha256: DIGEST },
    ],
    admin_api_key: `${MARKER}-admin`,
    admin_api_keys: [{ label: 'ops', key: `${MARKER}-ops` }],
    pre_routing_hooks: [
      {
        name: 'dead',
        url: 'http://127.0.0.1:9/',
        api_key: `${MARKER}-hook`,
        headers: { 'x-team': `${MARKER}-header` },
      },
    ],
    allowed_worker_hosts: ['http://127.0.0.1:*'],
    log_level: 'debug',
  }
}

/** Paths of a value's leaves, with `[]` for a place in a list. */
function leavesOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => leavesOf(item, `${path}[]`))
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, item]) => leavesOf(item, path === '' ? key : `${path}.${key}`))
}

function isCovered(path: string, leaves: readonly string[]): boolean {
  const pattern = new RegExp(`^${path.replaceAll(/[[\].]/g, String.raw`\$&`).replaceAll('{}', String.raw`\.[^.]+`)}$`)
  return leaves.some((leaf) => pattern.test(leaf))
}

export function adminSecretsConformance(runtime: RuntimeName): void {
  describe(`secrets on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['m'] } },
      config: (urls) => fullOfSecrets(urls.only),
    })
    const admin = adminClient(() => fleet.url, `${MARKER}-admin`)

    test('the configuration of this test has one in every place there is', () => {
      const paths = secretPaths(configSchema)
      expect(paths.length).toBeGreaterThan(8)
      const leaves = leavesOf(fullOfSecrets('http://a'))
      expect(paths.filter((path) => !isCovered(path, leaves))).toEqual([])
    })

    test('none is in any admin answer, good or bad, nor in any error, record or line of the log', async () => {
      const config = fullOfSecrets(fleet.worker('only').url)
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
      for (const { text, headers } of answers) {
        const said = text + JSON.stringify([...headers])
        expect(said).not.toContain(MARKER)
        expect(said.toLowerCase()).not.toContain(DIGEST)
      }
      expect(fleet.router.output()).toContain('"event":"hook_failed"')
      expect(fleet.router.output()).not.toContain(MARKER)
    })
  })
}

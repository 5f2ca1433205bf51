// A router in a program of somebody's own: its configuration can be changed, for as long as it lives.

import { expect, test } from 'vitest'
import { createRouter } from './create-router.ts'
import type { Platform } from './platform.ts'
import { createServerFleet } from './server-fleet.ts'
import { loadConfig } from './config/load.ts'
import { createMemoryLimitStore } from './store/memory-limits.ts'
import { BUILT_IN_POLICIES } from './routing/policies/index.ts'

const START = 'workers: [{id: a, url: "http://a:1", models: [m]}]\nadmin_api_key: admin-key\n'

async function start() {
  const loaded = await loadConfig(START, { env: () => undefined, policies: BUILT_IN_POLICIES })
  if (!loaded.ok) throw new Error('the configuration of this test does not load')
  const outgoing = {
    now: () => Date.now(),
    after: () => () => {},
    random: () => 0.5,
    send: () => Promise.reject(new Error('nobody is there')),
    binding: () => null,
    randomId: () => crypto.randomUUID(),
  }
  const platform: Platform = {
    ...outgoing,
    fleet: createServerFleet(loaded.config, outgoing, null).store,
    limits: createMemoryLimitStore(outgoing.now),
    writeLog() {},
    showsConnectPhase: true,
    adminOpenTo: 'nobody',
    wakesAcrossRequests: true,
    defaultMaxPayloadBytes: 1_000,
    classifySendError: () => ({ phase: 'not_sent', reason: 'refused' }),
  }
  const router = await createRouter({ config: START, platform, env: () => undefined })
  async function call(method: string, path: string, body?: string) {
    const headers = { authorization: 'Bearer admin-key', 'content-type': 'application/yaml' }
    const request = new Request(`http://router${path}`, { method, headers, ...(body === undefined ? {} : { body }) })
    const response = await router.fetch(request, { waitUntil() {}, rawTarget: null })
    return { status: response.status, body: JSON.parse(await response.text()) }
  }
  return { router, call }
}

test('takes another configuration, goes back, and loads again what it was started with', async () => {
  const { router, call } = await start()
  const { hash } = router.config()
  const changed = await call('PUT', '/admin/config', `${START}default_model: m\n`)
  expect([changed.status, changed.body.changed]).toEqual([200, ['default_model']])
  expect(router.config().defaultModel).toBe('m')
  expect((await call('POST', '/admin/config/rollback')).body.hash).toBe(hash)
  await call('PUT', '/admin/config', `${START}default_model: m\n`)
  await router.reload('test')
  expect(router.config().hash).toBe(hash)
})

test('a configuration that can not be used is refused at the start, with every reason', async () => {
  const bad = createRouter({ config: 'workers: []\nprot: 1\n', platform: {} as Platform })
  await expect(bad).rejects.toThrow(/there is no worker[\s\S]*unknown key "prot"/)
})

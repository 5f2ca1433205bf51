// What a configuration through the admin API may do beside the running one.

import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { definePolicy, type PolicyDefinition } from '../routing/policy.ts'
import type { Config } from './config.ts'
import { loadConfig } from './load.ts'
import { hookUrl } from './worker-url.ts'

const VARIABLES: Readonly<Record<string, string>> = { LISTED: 'listed-value', HIDDEN: 'hidden-value' }
const RUNNING = `
workers: [{id: a, url: "http://10.0.0.7:8000"}, {id: b, url: "http://gpu:1", binding: NET}]
allowed_worker_hosts: ["http://10.0.0.*:8000", "other:9"]
config_env: [LISTED]
`

async function deliver(text: string, runningText = RUNNING) {
  const options = { env: (name: string) => VARIABLES[name], policies: BUILT_IN_POLICIES }
  const running = await loadConfig(runningText, options)
  if (!running.ok) throw new Error(JSON.stringify(running.findings))
  return loadConfig(text, { ...options, besides: running.config })
}

async function complaints(text: string, running?: string): Promise<string[]> {
  const { findings } = await deliver(text, running)
  return findings.map(({ line, path, message }) => `${line} ${path} ${message}`)
}

describe('a delivered configuration', () => {
  test('may keep and drop workers, and add those at listed hosts', async () => {
    expect(await complaints('workers: [{url: "http://10.0.0.9:8000"}, {id: x, url: "http://10.0.0.7:8000"}]')).toEqual(
      [],
    )
    expect(await complaints('mode: {type: regular, worker_urls: ["https://other:9/x"]}')).toEqual([])
  })

  test('may not add workers elsewhere, in whichever form', async () => {
    const text =
      'mode: {type: regular, worker_urls: ["http://evil:1"]}\nworkers:\n  - {id: c, url: "http://10.0.1.1:8000"}\n'
    expect(await complaints(text)).toEqual([
      expect.stringMatching(/^1 mode\.worker_urls\[0\] is at a host that is not in allowed_worker_hosts/),
      expect.stringMatching(/^3 workers\[0\]\.url is at a host that is not in allowed_worker_hosts/),
    ])
  })

  test('may not reach the same URL through another binding', async () => {
    expect(await complaints('workers: [{url: "http://gpu:1", binding: NET}]')).toEqual([])
    expect(await complaints('workers: [{url: "http://gpu:1", binding: OTHER}]')).toHaveLength(1)
    expect(await complaints('workers: [{url: "http://gpu:1"}]')).toHaveLength(1)
  })

  test('with nothing listed it may keep what runs', async () => {
    const running = 'workers: [{url: "http://10.0.0.7:8000"}]'
    expect(await complaints(`${running}\nport: 9`, running)).toEqual([])
    expect(await complaints('workers: [{url: "http://10.0.0.8:8000"}]', running)).toEqual([
      expect.stringContaining('which is empty'),
    ])
  })

  test('asks for listed variables only, with a default as without', async () => {
    const worker = 'workers: [{url: "http://10.0.0.7:8000"}]'
    const good = await deliver(`${worker}\napi_key: \${LISTED}`)
    expect(good.ok && good.config.workers[0]?.apiKey?.reveal()).toBe('listed-value')
    for (const value of ['${HIDDEN}', '${HIDDEN:-x}', 'a-${LISTED}-${HIDDEN}', '${NOT_SET:-x}']) {
      const [only, ...more] = await complaints(`${worker}\napi_key: "${value}"`)
      expect(more).toEqual([])
      expect(only).toMatch(/^2 api_key asks for the environment variable (?:HIDDEN|NOT_SET), which config_env/)
      expect(only).not.toContain('hidden-value')
    }
  })

  test('widens neither list that bounds it, in one step or in two', async () => {
    const worker = 'workers: [{url: "http://10.0.0.7:8000"}]\n'
    expect(await complaints(`${worker}config_env: [LISTED, HIDDEN]\n`)).toEqual([
      expect.stringMatching(/^2 config_env\[1\] is not in the list of the running configuration/),
    ])
    expect(await complaints(`${worker}allowed_worker_hosts: ["*"]\n`)).toEqual([
      expect.stringMatching(/^2 allowed_worker_hosts\[0\] is not in the list of the running configuration/),
    ])
    expect(await complaints(`${worker}allowed_worker_hosts: ["other:9"]\nconfig_env: []\n`)).toEqual([])
  })
})

describe('services of a delivered configuration', () => {
  const RUNNING_SERVICES = `
workers: [{url: "http://10.0.0.7:8000"}]
admin_api_key: ops
pre_routing_hooks: [{name: safety, url: "http://10.0.0.9:9000/check"}]
api_key_validation_urls: ["https://auth.internal/check"]
decision_log: {export_path: /var/log/decisions.jsonl}
allowed_worker_hosts: ["*:8000"]
allowed_service_hosts: ["https://*.internal", "http://10.0.1.*:9000"]
`
  const START = 'workers: [{url: "http://10.0.0.7:8000"}]\nadmin_api_key: ops\n'

  test('may stay, move to other places in the file, and go', async () => {
    const moved = `${START}pre_routing_hooks: [{name: x, url: "https://auth.internal/check"}, {name: y, url: "http://10.0.0.9:9000/check"}]`
    expect(await complaints(moved, RUNNING_SERVICES)).toEqual([])
    expect(await complaints(START, RUNNING_SERVICES)).toEqual([])
  })

  test('may be at listed hosts', async () => {
    const listed = `${START}pre_routing_hooks: [{name: x, url: "http://10.0.1.5:9000/any"}]\napi_key_validation_urls: ["https://keys.internal/v2"]`
    expect(await complaints(listed, RUNNING_SERVICES)).toEqual([])
  })

  test.each([
    ['pre_routing_hooks: [{name: x, url: "http://169.254.169.254/latest"}]', 'pre_routing_hooks[0].url'],
    ['pre_routing_hooks: [{name: x, url: "http://10.0.0.9:9000/other"}]', 'pre_routing_hooks[0].url'],
    ['pre_routing_hooks: [{name: x, url: "http://10.0.0.7:8000/v1"}]', 'pre_routing_hooks[0].url'],
    ['pre_routing_hooks: [{name: x, url: "http://x.internal/"}]', 'pre_routing_hooks[0].url'],
    [
      'api_key_validation_urls: ["https://auth.internal/check", "http://localhost:6379/"]',
      'api_key_validation_urls[1]',
    ],
  ])('may be nowhere else: %s', async (section, path) => {
    const found = await complaints(`${START}${section}\n`, RUNNING_SERVICES)
    expect(found).toEqual([expect.stringContaining(`${path} is at a host that is not in allowed_service_hosts`)])
  })

  test('with nothing listed may only stay', async () => {
    const running = `${START}pre_routing_hooks: [{name: x, url: "http://10.0.0.9:9000/check"}]\n`
    expect(await complaints(running, running)).toEqual([])
    const other = running.replace('10.0.0.9', '10.0.0.10')
    expect(await complaints(other, running)).toEqual([expect.stringContaining('which is empty')])
  })

  test('may not list their own hosts', async () => {
    const grown = `${START}allowed_service_hosts: ["*"]\n`
    expect(await complaints(grown, RUNNING_SERVICES)).toEqual([
      expect.stringMatching(/^3 allowed_service_hosts\[0\] is not in the list/),
    ])
  })

  test('a file may be the same one or none', async () => {
    const same = `${START}decision_log: {export_path: /var/log/decisions.jsonl, rotate_bytes: 1MiB}`
    expect(await complaints(same, RUNNING_SERVICES)).toEqual([])
    expect(await complaints(`${START}decision_log: {export_path: null}`, RUNNING_SERVICES)).toEqual([])
    const other = `${START}decision_log: {export_path: /root/.ssh/authorized_keys}`
    expect(await complaints(other, RUNNING_SERVICES)).toEqual([
      expect.stringMatching(/^3 decision_log\.export_path is not the file that the running configuration has/),
    ])
  })

  test('options of a policy are no way around', async () => {
    const options = z.strictObject({ controller: hookUrl() })
    const create = () => ({ name: 'led', needs: {}, score: () => [] })
    const led = definePolicy({ name: 'led', options, create })
    const policies = new Map<string, PolicyDefinition>([...BUILT_IN_POLICIES, ['led', led]])
    const load = (text: string, besides?: Config) =>
      loadConfig(text, { env: () => undefined, policies, ...(besides === undefined ? {} : { besides }) })
    const running = await load(RUNNING_SERVICES)
    const delivered = await load(
      `${START}policy: {type: led, controller: "http://evil:1/"}`,
      running.ok ? running.config : undefined,
    )
    expect(delivered.findings).toMatchObject([{ path: 'policy.controller', line: 3 }])
  })
})

describe('a worker behind a binding', () => {
  const RUNNING_BOUND = `
workers: [{id: a, url: "http://10.0.0.7:8000", binding: NET}]
allowed_worker_hosts: ["http://10.0.0.*:8000"]
`
  test('may come through one that is in use', async () => {
    const next = 'workers: [{id: b, url: "http://10.0.0.8:8000", binding: NET}]'
    expect(await complaints(next, RUNNING_BOUND)).toEqual([])
  })

  test('may not come through another, which leads to another network', async () => {
    const next = 'workers: [{id: b, url: "http://10.0.0.8:8000", binding: INTERNAL}]'
    expect(await complaints(next, RUNNING_BOUND)).toEqual([
      expect.stringMatching(/^1 workers\[0\]\.binding is a binding that no worker of the running configuration uses/),
    ])
  })
})

test('a configuration without any admin key is let through with a word on what that closes', async () => {
  const worker = 'workers: [{url: "http://10.0.0.7:8000"}]'
  const warned = await deliver(worker, `${worker}\nadmin_api_key: ops`)
  expect(warned.ok && warned.findings).toMatchObject([{ severity: 'warning', path: 'admin_api_key' }])
  expect(await complaints(worker, worker)).toEqual([])
})

// What a configuration through the admin API may do beside the running one.

import { describe, expect, test } from 'vitest'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

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
    expect(good.ok && good.config.workers[0]?.apiKey).toBe('listed-value')
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

// docs/admin.md says what the code does: every route has an example, and the examples are run against a router, in order.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ADMIN_SCOPES } from '../../src/access/admin-scopes.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ADMIN_ROUTES } from '../../src/routes/admin/catalogue.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import { liveFleet } from '../support/live-fleet.ts'

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')
const page = read('docs/admin.md')
const KEY = 'documented-0123456789'

interface Example {
  readonly name: string
  readonly command: string
  /** What the page says is answered; null where it only describes it. */
  readonly answer: unknown
}

const examples: readonly Example[] = page.split(/^### /m).flatMap((section) => {
  const [, command] = /```sh\n([\s\S]*?)```/.exec(section) ?? []
  const [, answer] = /```json\n([\s\S]*?)```/.exec(section) ?? []
  if (command === undefined) return []
  return [{ name: section.split('\n', 1)[0] ?? '', command, answer: answer === undefined ? null : JSON.parse(answer) }]
})

/** Keys and types of a value; of a list those of its first entry. Maps with keys of the operator's are `{}`. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]))
}

test('every route has an example, and every scope is named', () => {
  const missing = Object.values(ADMIN_ROUTES)
    .map(({ method, path }) => `${method} ${path.replace(':id', '{id}')}`)
    .filter((name) => !examples.some((example) => example.name === name))
  expect(missing).toEqual([])
  expect(ADMIN_SCOPES.filter((scope) => !page.includes(`| \`${scope}\` |`))).toEqual([])
})

describe('the examples', () => {
  const fleet = liveFleet('node', {
    workers: { a: { models: ['llama-3.1-8b'] }, b: { models: ['llama-3.1-8b'] }, c: { models: ['llama-3.1-8b'] } },
    config: (urls) => ({
      workers: [{ id: 'a', url: urls.a }],
      admin_api_key: KEY,
      allowed_worker_hosts: ['http://127.0.0.1:*'],
      config_env: ['ADMIN_KEY'],
      router_replay: { enabled: true },
      cache: {},
    }),
    env: { ADMIN_KEY: KEY },
  })

  /** Addresses of the page as those of this test. */
  function placed(text: string): string {
    const urls = [fleet.worker('a').url, fleet.worker('b').url, fleet.worker('c').url]
    return urls.reduce(
      (at, url, index) =>
        at
          .replaceAll(`http://10.0.0.${index + 7}:8000`, url)
          .replaceAll(encodeURIComponent(`http://10.0.0.${index + 7}:8000`), encodeURIComponent(url)),
      text.replaceAll('http://10.0.0.*:8000', 'http://127.0.0.1:*'),
    )
  }

  test.each(examples)('$name', async ({ command, answer }) => {
    const env = { ...process.env, ROUTER: fleet.url, ADMIN_KEY: KEY }
    const { stdout } = await promisify(execFile)('bash', ['-c', placed(command)], { env })
    expect(stdout).not.toMatch(/^{"error"/)
    if (answer === null) return
    const given = JSON.parse(stdout)
    // The page shows a part of the configuration, and of the counters those of a router that has done nothing.
    const shown = (value: object) => ({ ...value, ...('config' in value ? { config: {} } : {}), counters: {} })
    const documented = shapeOf(shown(answer as object))
    const loose = (shape: unknown) =>
      JSON.stringify(shape).replaceAll(/"null"|"string"|"number"|\{[^{}]*\}(?=,"breaker")/g, '"value"')
    expect(loose(shapeOf(shown(given)))).toBe(loose(documented))
  })
})

describe('configurations', () => {
  test('the one of the page loads', async () => {
    const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? []
    let keys = 0
    const result = await loadConfig(`workers: [{url: "http://10.0.0.7:8000"}]\n${yaml}`, {
      env: (name) => (name.includes('KEY') ? `key-${(keys += 1)}` : undefined),
      policies: BUILT_IN_POLICIES,
    })
    expect(result.findings).toEqual([])
    expect(result.ok && result.config.adminKeys.map(({ label }) => label)).toEqual([
      'admin_api_key',
      'dashboard',
      'deploy',
    ])
  })

  test('configs/admin.yaml loads with its keys, too', async () => {
    const text = read('configs/admin.yaml').replaceAll(/^# (?=admin_api_key|  - )/gm, '')
    let keys = 0
    const result = await loadConfig(text, {
      env: (name) => (name.includes('KEY') ? `key-${(keys += 1)}` : undefined),
      policies: BUILT_IN_POLICIES,
    })
    expect(result.findings).toEqual([])
    expect(result.ok && result.config.adminKeys).toHaveLength(3)
  })
})

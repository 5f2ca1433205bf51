// docs/router-replay.md says what the code does: its configuration loads, its commands run in the order of the page, and its
// tables have every key and field.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { routerReplaySchema } from '../../src/config/router-replay-schema.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import { chatBody, postJson } from '../support/ask.ts'
import { liveFleet } from '../support/live-fleet.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/router-replay.md'), 'utf8')
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block = '']) => block)
const KEY = 'documented-0123456789'

test('the configuration of the page loads', async () => {
  const [yaml = ''] = blocks('yaml')
  const result = await loadConfig(`workers: [{url: "http://10.0.0.7:8000"}]\n${yaml}`, {
    env: () => undefined,
    policies: BUILT_IN_POLICIES,
  })
  expect(result.findings).toEqual([])
})

test('every key is there', () => {
  expect(Object.keys(routerReplaySchema.shape).filter((key) => !page.includes(`\`${key}\``))).toEqual([])
})

describe('the commands', () => {
  const directory = mkdtempSync(join(tmpdir(), 'router-replay-docs-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const fleet = liveFleet('node', {
    workers: { a: { models: ['llama-3.1-8b'] } },
    config: (urls) => ({
      workers: [{ id: 'a', url: urls.a }],
      admin_api_key: KEY,
      router_replay: { enabled: true, capture_request_body: true, capture_response_body: true },
    }),
  })
  let outputs: readonly string[] = []

  beforeAll(async () => {
    for (let n = 0; n < 3; n += 1) await postJson(`${fleet.url}/v1/chat/completions`, chatBody('llama-3.1-8b'))
    await postJson(`${fleet.url}/v1/chat/completions`, chatBody('nobody'))
    const bin = join(root, 'bin/vllm-edge-router.js')
    const setUp = `vllm-edge-router() { "${process.execPath}" "${bin}" "$@"; }\nset -eu\n`
    const script = blocks('sh').join('\nprintf "\\n===\\n"\n')
    const env = { PATH: process.env['PATH'], ROUTER: fleet.url, ADMIN_KEY: KEY, ROUTER_API_KEY: 'any' }
    const { stdout } = await promisify(execFile)('bash', ['-c', setUp + script], { env, cwd: directory })
    outputs = stdout.split('\n===\n')
  })

  test('list', () => {
    const shown = JSON.parse(blocks('json')[0] ?? '{}')
    const given = JSON.parse(outputs[0] ?? '')
    expect(Object.keys(given)).toEqual(Object.keys(shown))
    expect(given).toMatchObject({ object: shown.object, count: 2, total: 3 })
  })

  test('show a record, each of whose fields the page names', () => {
    const record = JSON.parse(outputs[1] ?? '')
    expect(record.error).toBe('model_not_found')
    expect(Object.keys(record).filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })

  test('add up', () => {
    const sums = JSON.parse(outputs[2] ?? '')
    expect(sums.record_count).toBe(4)
    expect(Object.keys(sums).filter((name) => name !== 'object' && !page.includes(`\`${name}\``))).toEqual([])
  })

  test('send a request again', () => {
    expect(JSON.parse(outputs[3] ?? '')).toMatchObject({ object: 'chat.completion' })
    expect(outputs[4]).toContain('status  the same: 200')
  })
})

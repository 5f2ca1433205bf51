// docs/hooks.md says what the code does: outcomes, headers, error codes, and an example that loads.

import { Secret } from '../../src/secret.ts'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { readHookAnswer, toMetadataBytes } from '../../src/dialect/hook-answer.ts'
import { HOOK_OUTCOMES, toHookEntry } from '../../src/pipeline/hook-outcomes.ts'
import { HEADER_HOOKS } from '../../src/pipeline/routing-headers.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import { toHookHeaders } from '../../src/upstream/hook-headers.ts'

const text = readFileSync(fileURLToPath(new URL('../../docs/hooks.md', import.meta.url)), 'utf8')

test('names every outcome as the header does', () => {
  expect(HOOK_OUTCOMES.filter((outcome) => !text.includes(`\`${toHookEntry('name', outcome)}\``))).toEqual([])
  expect(text).toContain(`\`${HEADER_HOOKS}\``)
})

test('names every error code of hooks', () => {
  for (const code of ['hook_rejected', 'hook_rejected_request', 'hook_failed']) expect(text).toContain(`\`${code}\``)
})

test('names every header a hook gets', () => {
  const incoming = new Headers({ traceparent: '00', tracestate: 'a' })
  const options = {
    headers: {},
    apiKey: new Secret('key'),
    requestId: 'id',
    route: '/score',
    input: 'body',
    traceparent: null,
  } as const
  const names = [...toHookHeaders(incoming, options).keys()].filter((name) => name !== 'accept-encoding')
  expect(names.filter((name) => !text.includes(name))).toEqual([])
})

test('shows metadata byte for byte', () => {
  const example = text.match(/^\{"model":"whisper.*$/m)?.[0] ?? ''
  expect(new TextDecoder().decode(toMetadataBytes(JSON.parse(example)))).toBe(example)
})

test('shows answers that are understood', () => {
  const answers = [...text.matchAll(/^\{"action".*$/gm)].map(([line]) => new TextEncoder().encode(line))
  expect(answers.map((bytes) => readHookAnswer(bytes).kind)).toEqual(['allow', 'reject', 'transform'])
})

test('has an example that loads', async () => {
  const example = text.match(/```yaml\n([\s\S]*?)```/)?.[1] ?? ''
  const config = `workers: [{ url: "http://10.0.0.7:8000" }]\n${example}`
  const result = await loadConfig(config, { env: () => undefined, policies: BUILT_IN_POLICIES })
  expect(result.findings).toEqual([])
})

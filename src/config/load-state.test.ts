// `state`: what is taken, what is refused without showing a password, and what Workers say to it.

import { describe, expect, test } from 'vitest'
import { diffConfigs } from '../control/config-diff.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { type LoadOptions, loadConfig } from './load.ts'

const load = (state: string, options: Partial<LoadOptions> = {}) =>
  loadConfig(`workers: [{url: "http://a:8000"}]\n${state === '' ? '' : `state: ${state}\n`}`, {
    env: (name) => (name === 'REDIS_URL' ? 'rediss://u:s3cret@redis:6380/1' : undefined),
    policies: BUILT_IN_POLICIES,
    ...options,
  })

async function configOf(state: string) {
  const loaded = await load(state)
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings))
  return loaded.config
}

describe('state', () => {
  test('is in this process where nothing is said', async () => {
    expect((await configOf('')).sharedState).toBeNull()
  })

  test('is in a Redis that is named, with times that can be changed', async () => {
    expect((await configOf('{redis_url: "${REDIS_URL}"}')).sharedState).toEqual({
      url: 'rediss://u:s3cret@redis:6380/1',
      keyPrefix: 'vllm-router',
      connectTimeoutMs: 2_000,
      commandTimeoutMs: 500,
    })
    const given =
      '{redis_url: "redis://redis", key_prefix: "{edge}", connect_timeout_secs: 5, command_timeout_secs: 0.2}'
    expect((await configOf(given)).sharedState).toMatchObject({
      keyPrefix: '{edge}',
      connectTimeoutMs: 5_000,
      commandTimeoutMs: 200,
    })
  })

  test.each([
    '{redis_url: "http://u:s3cret@redis"}',
    '{redis_url: "u:s3cret"}',
    '{redis_url: [s3cret]}',
    '{redis_url: "***"}',
    '{redis_uri: "redis://u:s3cret@redis"}',
    '{redis_url: "redis://u:s3cret%@redis"}',
    '{redis_url: "redis://u:s3cret@redis/fleet"}',
    '{redis_url: "redis://u:s3cret@redis", key_prefix: "a b"}',
    '{redis_url: "redis://u:s3cret@redis", connect_timeout_secs: 0}',
  ])('%s is refused, and its password not shown', async (state) => {
    const { ok, findings } = await load(state)
    expect(ok).toBe(false)
    expect(JSON.stringify(findings)).not.toContain('s3cret')
  })

  test('is an error on Workers, which have Durable Objects for it', async () => {
    const { ok, findings } = await load('{redis_url: "redis://redis"}', { hasSockets: false })
    expect(ok).toBe(false)
    expect(findings).toMatchObject([{ path: 'state.redis_url', message: expect.stringContaining('Durable Objects') }])
    expect((await load('{key_prefix: vllm-router}', { hasSockets: false })).ok).toBe(true)
  })

  test('a prefix without a Redis is remarked on', async () => {
    const { ok, findings } = await load('{key_prefix: mine}')
    expect(ok).toBe(true)
    expect(findings).toMatchObject([{ severity: 'warning', path: 'state.key_prefix' }])
  })

  test('counts in the hash, by a digest, and its change waits for a restart', async () => {
    const [before, after] = [await configOf('{redis_url: "redis://one"}'), await configOf('{redis_url: "redis://two"}')]
    expect(after.hash).not.toBe(before.hash)
    expect(diffConfigs(before, after)).toMatchObject({ changed: ['state'], needsRestart: ['state'] })
    expect(after.document.shown['state']).toMatchObject({ redis_url: '***', key_prefix: 'vllm-router' })
  })
})

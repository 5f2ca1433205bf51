// Nobody can print a secret of a configuration by accident: a marker stands in every field that the schema of the
// configuration, or of a policy, marks as one, and the whole of what is loaded from it is printed.

import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { secretPlaces } from '../../test/support/secret-paths.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'
import { configSchema } from './schema.ts'

const MARK = 's3cret-marker'
const NOBODY = 'http://127.0.0.1:9/'

const FAMILIES = ['embedding', 'domain', 'fact_check', 'user_feedback', 'preference']

/** What sections with secrets can't be without. */
const BESIDE: Readonly<Record<string, unknown>> = {
  workers: [{ id: 'only', url: 'http://10.0.0.7:8000' }],
  pre_routing_hooks: [{ name: 'one', url: NOBODY }],
  semantic_cache: { embeddings_url: NOBODY },
  semantic_cluster: { embeddings_url: NOBODY, clusters: [{ name: 'c', examples: ['e'], workers: ['only'] }] },
  trace_config: { otlp_traces_endpoint: NOBODY },
  metrics: { otlp: { endpoint: NOBODY } },
  worker_api_keys: { only: 'x' },
  signal_servers: Object.fromEntries(FAMILIES.map((family) => [family, { url: NOBODY }])),
}

const PLACES = secretPlaces(configSchema)

type File = Readonly<Record<string, unknown>>

async function printed(file: File): Promise<string | null> {
  const loaded = await loadConfig(JSON.stringify(file), { env: () => undefined, policies: BUILT_IN_POLICIES })
  if (!loaded.ok) return null
  const { config } = loaded
  return `${JSON.stringify(config)}\n${inspect(config, { depth: Number.POSITIVE_INFINITY, showHidden: true })}`
}

describe('a configuration that is printed shows no secret', () => {
  test.each(PLACES.map(({ path, put }) => [path, put] as const))('%s', async (path, put) => {
    const [section = ''] = path.split(/[.[{]/)
    const { workers, [section]: own } = BESIDE
    const text = await printed(put({ workers, ...(own === undefined ? {} : { [section]: own }) }, MARK) as File)
    expect(text).toContain('10.0.0.7')
    expect(text).not.toContain(MARK)
  })

  test('nor that of a policy', async () => {
    const lmcache = { controller_url: NOBODY, controller_api_key: MARK }
    const text = await printed({ workers: BESIDE['workers'], policy: { type: 'lmcache_aware', ...lmcache } })
    expect(text).toContain('controllerApiKey')
    expect(text).not.toContain(MARK)
  })
})

// The documentation says what the code does: examples load, every key and header is listed.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { OWN_PATHS } from '../../src/config/http-values.ts'
import { loadConfig } from '../../src/config/load.ts'
import { configSchema } from '../../src/config/schema.ts'
import { ERROR_CODES } from '../../src/errors/codes.ts'
import { ALL_EXPLAINABILITY_HEADERS } from '../../src/pipeline/routing-headers.ts'
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from '../../src/runtime/workerd-process.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import { INFERENCE_ROUTES, OWN_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { ROUTER_VERSION } from '../../src/version.ts'

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')

describe('README.md', () => {
  const yamlBlocks = [...read('README.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = '']) => block)

  test('has a configuration for two vLLM servers', () => {
    expect(yamlBlocks).toHaveLength(1)
  })

  test.each(yamlBlocks)('a configuration in it loads without a word of complaint', async (text) => {
    const env = (name: string) => (name === 'ROUTER_API_KEY' ? 'a-key' : undefined)
    const result = await loadConfig(text, { env, policies: BUILT_IN_POLICIES })
    expect(result.findings).toEqual([])
    expect(result.ok && result.config.workers).toHaveLength(2)
  })

  test('lists every path of the catalogue', () => {
    const text = read('README.md')
    const missing = [...INFERENCE_ROUTES, ...STORED_RESPONSE_ROUTES, ...OWN_ROUTES]
      .map(({ path }) => path.replace(':id', '{id}').replace('/*', '/{id}'))
      .filter((path) => !text.includes(path))
    expect(missing).toEqual([])
  })
})

describe('docs/', () => {
  test('configuration.md has every key of the schema', () => {
    const text = read('docs/configuration.md')
    expect(
      Object.keys(configSchema.shape).filter((key) => !text.includes(`\`${key}\``) && !text.includes(`\`${key}:`)),
    ).toEqual([])
  })

  test('records.md has every header', () => {
    const text = read('docs/records.md')
    expect(ALL_EXPLAINABILITY_HEADERS.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })
})

describe('constants that have to agree', () => {
  test('the version', () => {
    expect(JSON.parse(read('package.json')).version).toBe(ROUTER_VERSION)
  })

  test('what wrangler deploys and what `serve --runtime workerd` runs', () => {
    const toml = read('wrangler.toml')
    expect(toml).toContain(`compatibility_date = "${COMPATIBILITY_DATE}"`)
    expect(toml).toContain(`compatibility_flags = ${JSON.stringify(COMPATIBILITY_FLAGS)}`)
  })

  test('the paths that passthrough_paths may not open cover every route', () => {
    const covers = (path: string) =>
      OWN_PATHS.some((own) => own === path || (own.endsWith('/*') && path.startsWith(own.slice(0, -1))))
    const routes = [...INFERENCE_ROUTES, ...STORED_RESPONSE_ROUTES, ...OWN_ROUTES].map(({ path }) => path)
    expect(routes.filter((path) => !covers(path.replace(':id', 'x')))).toEqual([])
  })

  test('error codes have statuses a Response can carry', () => {
    for (const { status } of Object.values(ERROR_CODES)) expect(() => new Response(null, { status })).not.toThrow()
  })
})

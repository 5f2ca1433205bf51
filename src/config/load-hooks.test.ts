// `pre_routing_hooks`: what a file's entries become, and what is said about bad ones.

import { describe, expect, test } from 'vitest'
import { load as loadText } from '../../test/support/load-config.ts'
import { INFERENCE_ROUTES, STORED_RESPONSE_ROUTES } from '../routes/catalogue.ts'
import { HOOKABLE_PATHS } from './http-values.ts'

const ONE = 'workers: [{url: "http://a:8000"}]\n'
const SECRET = 's3cret-s3cret'

function load(hooks: string, variables: Readonly<Record<string, string>> = {}) {
  return loadText(`${ONE}pre_routing_hooks:\n${hooks}\n`, { variables })
}

async function good(hooks: string, env: Readonly<Record<string, string>> = {}) {
  const result = await load(hooks, env)
  if (!result.ok) throw new Error(JSON.stringify(result.findings, null, 1))
  expect(result.findings).toEqual([])
  return result.config
}

describe('a good hook', () => {
  test('gets every default', async () => {
    const { hooks } = await good('  - {name: safety, url: "http://10.0.0.9:9000/check"}')
    expect(hooks).toEqual([
      {
        name: 'safety',
        url: 'http://10.0.0.9:9000/check',
        timeoutMs: 200,
        onError: 'pass',
        onReject: 'block403',
        mayTransform: false,
        headers: {},
        apiKey: null,
        routes: null,
        models: null,
        send: 'body',
        isParallel: false,
        exposesReason: false,
      },
    ])
  })

  test('says everything it can, header names in lower case, secrets from the environment', async () => {
    const { hooks } = await good(
      `  - name: pii.mask-2_x
    url: https://hooks.example.com/a/
    timeout_ms: 1500
    on_error: block
    on_reject: pass
    transform: true
    headers: {X-Team: search, X-Auth: "Basic \${KEY}"}
    api_key: \${KEY}
    routes: [/v1/chat/completions, "/v1/responses/:id", /v1/audio/transcriptions]
    models: [llama, "openai/*"]
    send: metadata
    expose_reason: true`,
      { KEY: SECRET },
    )
    expect(hooks[0]).toEqual({
      name: 'pii.mask-2_x',
      url: 'https://hooks.example.com/a/',
      timeoutMs: 1_500,
      onError: 'block',
      onReject: 'pass',
      mayTransform: true,
      headers: { 'x-team': 'search', 'x-auth': `Basic ${SECRET}` },
      apiKey: SECRET,
      routes: ['/v1/chat/completions', '/v1/responses/:id', '/v1/audio/transcriptions'],
      models: ['llama', 'openai/*'],
      send: 'metadata',
      isParallel: false,
      exposesReason: true,
    })
  })

  test('changes the hash with its secrets, which are not in it', async () => {
    const text = '  - {name: a, url: "http://h", api_key: "${KEY}", headers: {x-a: "${VALUE}"}}'
    const hashes = []
    for (const env of [
      { KEY: 'a', VALUE: 'a' },
      { KEY: 'b', VALUE: 'a' },
      { KEY: 'a', VALUE: 'b' },
    ]) {
      hashes.push((await good(text, env)).hash)
    }
    expect(new Set(hashes).size).toBe(3)
  })

  test('may be for every inference route there is', () => {
    const catalogue = [...INFERENCE_ROUTES, ...STORED_RESPONSE_ROUTES].map(({ path }) => path)
    expect([...HOOKABLE_PATHS].sort()).toEqual([...new Set(catalogue)].sort())
  })

  test.each(['/metrics', '/metrics*', '/met*'])('may be for a path that passthrough_paths opens: %s', async (route) => {
    const hook = `{name: a, url: "http://h", routes: ["${route}"]}`
    const text = `${ONE}passthrough_paths: [/metrics]\npre_routing_hooks: [${hook}]`
    expect(await loadText(text)).toMatchObject({ ok: true })
  })

  test.each(['/v1/*', '*', '/v1/responses/*', '/v1/chat/completions*', '/tok*'])(
    'may be for every route that begins like %s',
    async (route) => {
      const { hooks } = await good(`  - {name: a, url: "http://h", routes: ["${route}"]}`)
      expect(hooks[0]?.routes).toEqual([route])
    },
  )
})

describe('a bad hook', () => {
  test.each([
    ['{url: "http://h"}', 'pre_routing_hooks[0].name', /is missing/],
    ['{name: "a,b", url: "http://h"}', 'pre_routing_hooks[0].name', /1 to 64 letters, digits or \. _ -/],
    ['{name: "a:b", url: "http://h"}', 'pre_routing_hooks[0].name', /1 to 64 letters/],
    ['{name: -a, url: "http://h"}', 'pre_routing_hooks[0].name', /starting with a letter or digit/],
    [`{name: ${'a'.repeat(65)}, url: "http://h"}`, 'pre_routing_hooks[0].name', /1 to 64 letters/],
    ['{name: a}', 'pre_routing_hooks[0].url', /is missing/],
    ['{name: a, url: "grpc://h"}', 'pre_routing_hooks[0].url', /must start with http:\/\/ or https:\/\//],
    ['{name: a, url: "h:9000"}', 'pre_routing_hooks[0].url', /must start with http|has no scheme/],
    ['{name: a, url: "http://u:p@h"}', 'pre_routing_hooks[0].url', /put the key in api_key of the hook/],
    ['{name: a, url: "http://h/?key=1"}', 'pre_routing_hooks[0].url', /in its headers/],
    ['{name: a, url: "http://h", timeout_ms: 0}', 'pre_routing_hooks[0].timeout_ms', /from 1 to 60000/],
    ['{name: a, url: "http://h", on_reject: block_403}', 'pre_routing_hooks[0].on_reject', /did you mean block403\?/],
    ['{name: a, url: "http://h", on_reject: block_400}', 'pre_routing_hooks[0].on_reject', /did you mean block400\?/],
    ['{name: a, url: "http://h", on_error: fail}', 'pre_routing_hooks[0].on_error', /one of pass, block/],
    ['{name: a, url: "http://h", on_eror: block}', 'pre_routing_hooks[0].on_eror', /did you mean on_error\?/],
    ['{name: a, url: "http://h", send: headers}', 'pre_routing_hooks[0].send', /one of body, metadata/],
    ['{name: a, url: "http://h", routes: []}', 'pre_routing_hooks[0].routes', /remove the line/],
    [
      '{name: a, url: "http://h", routes: [/v1/chat]}',
      'pre_routing_hooks[0].routes[0]',
      /no inference route is called/,
    ],
    [
      '{name: a, url: "http://h", routes: [/v1/chat/completion]}',
      'pre_routing_hooks[0].routes[0]',
      /did you mean \/v1\/chat\/completions\?/,
    ],
    ['{name: a, url: "http://h", routes: [/health]}', 'pre_routing_hooks[0].routes[0]', /no inference route/],
    [
      '{name: a, url: "http://h", routes: ["/v1/chats/*"]}',
      'pre_routing_hooks[0].routes[0]',
      /no inference route begins with "\/v1\/chats\/"; routes: \/v1\/chat\/completions, /,
    ],
    [
      '{name: a, url: "http://h", routes: ["/metrics*"]}',
      'pre_routing_hooks[0].routes[0]',
      /no inference route begins with "\/metrics"; routes/,
    ],
    [
      '{name: a, url: "http://h", routes: ["/v1/*/completions"]}',
      'pre_routing_hooks[0].routes[0]',
      /may have a \* at its end only, as in \/v1\/\*/,
    ],
    ['{name: a, url: "http://h", models: []}', 'pre_routing_hooks[0].models', /remove the line/],
    ['{name: a, url: "http://h", models: ["a*b"]}', 'pre_routing_hooks[0].models[0]', /at its end only/],
    ['{name: a, url: "http://h", headers: {"x y": b}}', 'pre_routing_hooks[0].headers["x y"]', /is no header name/],
    [
      '{name: a, url: "http://h", headers: {Content-Type: b}}',
      'pre_routing_hooks[0].headers.Content-Type',
      /set by the router/,
    ],
    ['{name: a, url: "http://h", headers: {x-a: b, X-A: c}}', 'pre_routing_hooks[0].headers.X-A', /twice/],
    [
      '{name: a, url: "http://h", api_key: k, headers: {Authorization: b}}',
      'pre_routing_hooks[0].headers.Authorization',
      /keep one of the two/,
    ],
    [
      '{name: a, url: "http://h", parallel: true, transform: true}',
      'pre_routing_hooks[0].parallel',
      /all see the same body/,
    ],
    [
      '{name: a, url: "http://h"}\n  - {name: a, url: "http://i"}',
      'pre_routing_hooks[1].name',
      /already names pre_routing_hooks\[0\]/,
    ],
    ['safety', 'pre_routing_hooks[0]', /must be a map such as/],
  ])('%s', async (hook, path, message) => {
    const { ok, findings } = await load(`  - ${hook}`)
    expect(ok).toBe(false)
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({ severity: 'error', path, line: expect.any(Number) })
    expect(findings[0]?.message).toMatch(message)
  })

  test.each([
    `{name: a, url: "http://h", api_key: "${SECRET} x"}`,
    `{name: a, url: "http://h", headers: {x-a: "${SECRET}\\n"}}`,
    `{name: a, url: "http://h", headers: ["${SECRET}"]}`,
    `{name: a, url: "http://me:${SECRET}@h"}`,
  ])('its secrets are not shown: %s', async (hook) => {
    const result = await load(`  - ${hook}`)
    expect(result.ok).toBe(false)
    expect(JSON.stringify(result)).not.toContain(SECRET)
  })
})

// Bad input through the admin API: addresses that lead elsewhere, documents that are bombs or typing errors, pages that
// ride on an operator's browser (B45 to B65 of the reliability bar).

import { expect, test } from 'vitest'
import { type AdminClient, adminClient } from '../support/admin-client.ts'
import { type Answered, ask, expectRefusal } from '../support/ask.ts'
import { type HttpWorker, says, startHttpWorker } from '../support/http-worker.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'
import { ADMIN_KEY } from './bad-input-callers.ts'
import type { CallerFleet } from './caller-fleet.ts'

/** Hosts that nobody listed, in every spelling of an address there is. */
const ELSEWHERE: readonly string[] = [
  'http://169.254.169.254/latest/meta-data',
  'http://10.0.0.1',
  'http://metadata.google.internal',
  'http://localhost:1',
  'http://localhost.:1',
  'http://127.0.0.1.nip.example:1',
  'http://127.0.0.1@evil.example',
  'https://127.0.0.1:1',
  'http://0.0.0.0:1',
]

const SPELLINGS: readonly string[] = [
  'http://[::1]:1',
  'http://[::]:1',
  'http://[::ffff:10.0.0.1]:1',
  'http://[64:ff9b::a00:1]:1',
  'http://0xa.0.0.1:1',
  'http://167772161:1',
  'http://\u2460\u24ea.0.0.1:1',
  'http://\u24dbocalhost:1',
  'http://10.0.0.1.:1/',
]

const NO_URLS: readonly string[] = [
  'file:///etc/passwd',
  'data:text/plain,x',
  'unix:/run/worker.sock',
  'javascript:alert(1)',
  'gopher://127.0.0.1:1',
  'ftp://127.0.0.1',
  'http:127.0.0.1',
  'http://user:canary@127.0.0.1:1',
  'http://127.0.0.1:1/?a=b',
  'http://127.0.0.1:1/#a',
  'http://127.0.0.1:99999',
  'http://127.0.0.1 :1',
  'http:\\\\127.0.0.1',
  '//127.0.0.1',
  '',
]

const YAML_BOMB = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghij'
  .split('')
  .map((name, at) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[at]}`).join(', ')}]`)
  .join('\n')}\n`

const DOCUMENTS: readonly (readonly [string, string])[] = [
  ['aliases that multiply', YAML_BOMB],
  ['twenty thousand levels', '['.repeat(20_000)],
  ['a key twice', 'log_level: info\nlog_level: warn\n'],
  ['a tag', 'workers: !!js/function "function () {}"\n'],
  ['a merge key', 'base: &base {url: "http://127.0.0.1:1"}\nworkers: [{<<: *base}]\n'],
  ['a list', '- workers\n'],
  ['two documents', 'workers: []\n---\nworkers: []\n'],
  ['nothing', ''],
  ['an unfinished text', 'workers: "'],
  ['tabs', 'workers:\n\t- url: http://127.0.0.1:1\n'],
]

/** Keys with a typing error each, and the key that is meant. */
const TYPOS: readonly (readonly [string, string])[] = [
  ['wokers', 'workers'],
  ['polcy', 'policy'],
  ['inbound_api_keys', 'inbound_api_key'],
  ['api_key', 'api_keys'],
  ['timeout', 'timeouts'],
  ['max_payload', 'max_payload_size'],
  ['model_rule', 'model_rules'],
  ['retrys', 'retry'],
  ['health_checks', 'health_check'],
  ['circuit_braker', 'circuit_breaker'],
]

/** Registers with the enclosing `describe`. The router's `allowed_worker_hosts` are those of its workers, one by one. */
export function operatorInput(fleet: CallerFleet): void {
  const admin = adminClient(() => fleet.url, ADMIN_KEY)
  addresses(admin)
  documents(admin)
  pages(fleet)

  test('B47 a redirect of a worker is not followed, and its target gets neither request nor key', async () => {
    const inside: HttpWorker = await startHttpWorker(says('inside'))
    const outside = await startHttpWorker((_, response) => void response.writeHead(302, { location: inside.url }).end())
    const listed = await admin.post('/workers', {
      id: 'redirecting',
      url: outside.url,
      models: ['moved'],
      api_key: 'worker-key',
    })
    expect(listed.status, listed.text).toBe(201)
    const answer = await ask(`${fleet.url}/workers/redirecting/metrics`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    await admin.delete('/workers/redirecting')
    expect(inside.paths).toEqual([])
    await Promise.all([inside.close(), outside.close()])
  })
}

function addresses(admin: AdminClient): void {
  async function refusals(url: string): Promise<readonly Answered[]> {
    return [
      await admin.post('/workers', { id: 'evil', url }),
      await admin.putConfig({ workers: [{ url }], admin_api_key: ADMIN_KEY }),
    ]
  }
  const cases = [
    ...ELSEWHERE.map((url) => ['B45', url] as const),
    ...SPELLINGS.map((url) => ['B46', url] as const),
    ...NO_URLS.map((url) => ['B49', url] as const),
  ]
  test.each(cases)('%s no worker is at %s', async (_, url) => {
    for (const answer of await refusals(url)) {
      expect([answer.status, answer.json().error.code], answer.text).toEqual([400, 'config_refused'])
      expect(answer.text).not.toContain('canary')
    }
  })
}

function documents(admin: AdminClient): void {
  test.each(DOCUMENTS)('B50 a document with %s', async (_, text) => {
    const begunAtMs = performance.now()
    const answer = await admin.putConfig(text)
    expect(answer.status, answer.text.slice(0, 300)).toBe(400)
    expect(performance.now() - begunAtMs).toBeLessThan(3_000)
    expect(answer.text.length).toBeLessThan(20_000)
  })

  test.each(TYPOS)('B52 %s for %s', async (written, meant) => {
    const answer = await admin.putConfig(`workers: [{url: "http://127.0.0.1:1"}]\n${written}: 1\n`)
    expectRefusedAt(answer, written)
    expect(answer.text).toContain(meant)
  })

  test.each(['${PATH}', '${HOME:-x}', '${ADMIN}', 'a${SECRET}b'])(
    'B53 the environment is out of reach: %s',
    async (value) => {
      const answer = await admin.putConfig({
        workers: [{ url: 'http://127.0.0.1:1', api_key: value }],
        admin_api_key: ADMIN_KEY,
      })
      expect([answer.status, answer.json().error.code]).toEqual([400, 'config_refused'])
      expect(answer.text).not.toContain(process.env['PATH'] ?? '/usr/bin')
    },
  )
}

function expectRefusedAt(answer: Answered, path: string): void {
  expect([answer.status, answer.json().error.code], answer.text).toEqual([400, 'config_refused'])
  expect(answer.json().error.findings.map((finding: { path: string }) => finding.path)).toContain(path)
}

function pages(fleet: CallerFleet): void {
  test.each([
    ['a form', ['Content-Type: application/x-www-form-urlencoded']],
    ['plain text', ['Content-Type: text/plain']],
    ['no type', []],
    ['a cookie', ['Content-Type: application/json', `Cookie: admin_api_key=${ADMIN_KEY}`]],
  ])('B65 a page can change nothing by %s', async (name, headers) => {
    const body = '{"id":"alpha"}'
    const key = name === 'a cookie' ? [] : [`Authorization: Bearer ${ADMIN_KEY}`]
    const sent = ['Origin: https://evil.example', `Content-Length: ${body.length}`, ...headers, ...key]
    const answer = await sendRaw(fleet.url, rawRequest('POST /admin/drain', sent, body))
    expect([401, 403, 415]).toContain(answer.status)
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    const { drain } = (
      await ask(`${fleet.url}/workers/alpha`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    ).json()
    expect(drain).toBeNull()
  })

  test('B65 a key in the query opens nothing', async () => {
    expectRefusal(
      await ask(`${fleet.url}/admin/config?key=${ADMIN_KEY}&admin_api_key=${ADMIN_KEY}`),
      'invalid_admin_key',
    )
  })
}

// What `explain` asks, of whom, and how it prints what it hears.

import { expect, test } from 'vitest'
import { explained } from '../../test/support/explained-decision.ts'
import { candidateOf } from '../../test/conformance/policy.ts'
import { recordNumber } from '../../test/support/made-up-records.ts'
import { explain } from './explain.ts'
import type { Host } from './host.ts'

const EXPLANATION = explained({ policy: 'round_robin', candidates: [candidateOf('a'), candidateOf('b')] })

interface Ran {
  readonly code: number
  readonly out: string
  readonly error: string
  readonly asked: readonly { readonly url: string; readonly init: RequestInit }[]
}

interface World {
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly answer?: () => Response
  /** Columns of the terminal; none for a pipe. */
  readonly columns?: number
  readonly input?: string
}

async function run(args: readonly string[], world: World = {}): Promise<Ran> {
  const { files = {}, env = {}, answer = () => Response.json(EXPLANATION), columns, input = '' } = world
  const ran = { out: '', error: '', asked: [] as { url: string; init: RequestInit }[] }
  const bytesOf = (path: string) => (files[path] === undefined ? null : new TextEncoder().encode(files[path]))
  const host: Partial<Host> = {
    env: (name) => env[name],
    outTerminal: columns === undefined ? null : { columns },
    writeOut: (text) => void (ran.out += text),
    writeError: (text) => void (ran.error += text),
    async readFile(path) {
      if (files[path] === undefined) throw new Error(`cannot read ${path} (ENOENT)`)
      return files[path]
    },
    findFiles: async () => null,
    async *standardInput() {
      yield new TextEncoder().encode(input)
    },
    logFiles: {
      size: async (path: string) => bytesOf(path)?.length ?? null,
      read: async (path: string) => bytesOf(path),
      async openRead(path: string) {
        const bytes = bytesOf(path)
        return (
          bytes && {
            read: async (from: number, length: number) => bytes.slice(from, from + length),
            close: async () => {},
          }
        )
      },
    } as Partial<Host['logFiles']> as Host['logFiles'], // all of it that a reader uses
    async fetch(url, init) {
      ran.asked.push({ url, init })
      return answer()
    },
  }
  const code = await explain(host as Host, args) // all of it that the command uses
  return { code, ...ran }
}

function bodyOf(asked: Ran['asked'][number] | undefined): unknown {
  const body = asked?.init.body
  return JSON.parse(typeof body === 'string' ? body : 'null')
}

test('asks a router, with the admin key of the flag or the environment', async () => {
  const { code, out, asked } = await run(['req 1', '--url', 'http://r:3001/', '--worker', 'a b', '--admin-key', 'k1'])
  expect(code).toBe(0)
  expect(asked[0]?.url).toBe('http://r:3001/admin/explain/req%201?worker=a%20b')
  expect(asked[0]?.init.headers).toMatchObject({ authorization: 'Bearer k1' })
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(EXPLANATION)))
  const other = await run(['--url=http://r', 'x'], { env: { ROUTER_ADMIN_KEY: 'k2' } })
  expect(other.asked[0]).toMatchObject({
    url: 'http://r/admin/explain/x',
    init: { headers: { authorization: 'Bearer k2' } },
  })
})

test('in a terminal text in colour, elsewhere JSON, and what was asked for before both', async () => {
  const ask = ['x', '--url', 'http://r']
  // oxlint-disable-next-line no-control-regex -- escape sequences are what is looked for
  const colour = /\u001b\[/
  const shown = (await run(ask, { columns: 120 })).out
  expect(shown).toMatch(colour)
  expect(shown).toContain('Candidates')
  const env = { NO_COLOR: '1' }
  expect((await run(ask, { columns: 120, env })).out).not.toMatch(colour)
  expect((await run(ask, { columns: 120, env: { NO_COLOR: '' } })).out).toMatch(colour)
  expect((await run(ask, { columns: 120, env: { TERM: 'dumb' } })).out).not.toMatch(colour)
  expect((await run([...ask, '--json'], { columns: 120 })).out).toMatch(/^\{/)
  const piped = (await run([...ask, '--text'])).out
  expect(piped).not.toMatch(colour)
  expect(piped).toContain('Candidates')
})

test('sends a request that might be made as a dry run', async () => {
  const files = { 'body.json': '{"model":"m"}' }
  const { code, asked } = await run(
    [
      '--request',
      'body.json',
      '--url',
      'http://r',
      '--header',
      'X-Session-Id: s: 1',
      '--route',
      '/v1/rerank',
      '--tenant',
      'acme',
      '--seed',
      '7',
      '--ask-hooks',
      '--worker',
      'b',
    ],
    { files },
  )
  expect(code).toBe(0)
  expect(asked[0]).toMatchObject({ url: 'http://r/admin/explain', init: { method: 'POST' } })
  expect(bodyOf(asked[0])).toEqual({
    body: { model: 'm' },
    headers: { 'x-session-id': 's: 1' },
    route: '/v1/rerank',
    tenant: 'acme',
    seed: 7,
    ask_hooks: true,
    worker: 'b',
  })
  const piped = await run(['--request', '-', '--url', 'http://r'], { input: '{"model":"n"}' })
  expect(bodyOf(piped.asked[0])).toMatchObject({ body: { model: 'n' } })
})

test('goes by a configuration alone, without reaching anybody', async () => {
  const files = {
    'router.yaml':
      'workers: [{id: a, url: "http://a.test", models: [m]}, {id: b, url: "http://b.test"}]\npolicy: round_robin\ninbound_api_key: ${KEY}\nadmin_api_key: ${ADMIN}\nmodel_rules: [{match: alias, rewrite: m}]\ndecision_log: {export_path: /nowhere/log.jsonl}\n',
    'body.json': '{"model":"alias"}',
  }
  const env = { KEY: 'sesame-0123456789', ADMIN: 'admin-0123456789' }
  const { code, out, error, asked } = await run(['--config', 'router.yaml', '--request', 'body.json'], { files, env })
  expect(error).toBe('')
  expect([code, asked]).toEqual([0, []])
  const told = JSON.parse(out)
  expect(told).toMatchObject({ worker: 'a', policy: 'round_robin', record: { model: 'm', ticket: 0 } })
  expect(told.sentences.join('\n')).toContain('It lists no models for `b`: it is taken to serve whatever is asked for.')
  const unknown = JSON.parse(
    (await run(['--config', 'router.yaml', '--request', 'body.json', '--key', 'wrong-0123456789'], { files, env })).out,
  )
  expect(unknown.record).toMatchObject({ status: 401, error: 'invalid_api_key' })
})

test('a worker that lists no models serves those of decisions, too', async () => {
  const files = {
    'router.yaml':
      'workers: [{id: a, url: "http://a.test"}]\ndefault_model: small\nsignals: {keywords: [{name: maths, keywords: [equation]}]}\ndecisions: [{name: maths, rules: {type: keyword, name: maths}, modelRefs: [{model: large}]}]\n',
    'body.json': '{"model":"auto","messages":[{"role":"user","content":"Solve the equation."}]}',
  }
  const { out } = await run(['--config', 'router.yaml', '--request', 'body.json'], { files })
  expect(JSON.parse(out).record).toMatchObject({ decision: 'maths', model: 'large' })
})

test('finds a decision in a log: by its id, and of a request id the newest', async () => {
  const lines = [0, 1, 2].map((n) => JSON.stringify(recordNumber(n, { request_id: n === 0 ? 'else' : 'same' })))
  const files = { 'log.jsonl': `${lines.join('\n')}\ncut off {"decision` }
  const found = async (id: string) => JSON.parse((await run(['--decisions', 'log.jsonl', '--id', id], { files })).out)
  expect(await found(recordNumber(0).decision_id)).toMatchObject({ worker: 'gpu-a' })
  expect(await found('same')).toMatchObject({ decision_id: recordNumber(2).decision_id, worker: 'gpu-c' })
  expect(await run(['nobody', '--decisions', 'log.jsonl'], { files })).toMatchObject({ code: 1, out: '' })
})

test.each([
  [[], 'what to ask'],
  [['x'], 'what to ask'],
  [['x', '--url', 'http://r', '--decisions', 'f'], 'what to ask'],
  [['--url', 'http://r'], 'give the ID'],
  [['x', '--url', 'ftp://r'], '--url takes an address'],
  [['x', '--url', 'http://r', '--request', 'body.json'], 'not both'],
  [['x', '--config', 'c'], '--config goes with --request'],
  [['--request', 'gone.json', '--url', 'http://r'], 'cannot read gone.json'],
  [['--request', 'bad.json', '--url', 'http://r'], 'bad.json is no JSON'],
  [['--request', 'body.json', '--url', 'http://r', '--header', 'nothing'], '--header takes'],
  [['--request', 'body.json', '--url', 'http://r', '--seed', 'x'], '--seed takes'],
  [['--request', 'body.json', '--config', 'bad.yaml'], 'bad.yaml can not be used'],
  [['--request', 'body.json', '--config', 'bad.yaml', '--ask-hooks'], '--ask-hooks goes with --url'],
  [['x', '--decisions', 'gone.jsonl'], 'gone.jsonl'],
  [['x', 'y', '--url', 'http://r'], 'unknown argument y'],
])('%j is refused', async (args, says) => {
  const files = { 'body.json': '{}', 'bad.json': '{', 'bad.yaml': 'workers: 3' }
  const { code, error, out } = await run(args, { files })
  expect([code, out]).toEqual([2, ''])
  expect(error).toContain(says)
})

test('says what a router answered that does not explain', async () => {
  const refused = () =>
    Response.json({ error: { message: 'No decision.', code: 'decision_not_found' } }, { status: 404 })
  expect(await run(['x', '--url', 'http://r'], { answer: refused })).toMatchObject({
    code: 1,
    out: '',
    error: 'vllm-edge-router explain: 404: No decision.\n',
  })
  const strange = await run(['x', '--url', 'http://r'], { answer: () => new Response('<html>') })
  expect([strange.code, strange.out]).toEqual([1, ''])
})

test('--help explains itself', async () => {
  const { code, out } = await run(['--help'])
  expect(code).toBe(0)
  expect(out).toMatch(/^Usage: vllm-edge-router explain ID/)
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
})

test('what a router says of itself does nothing to a terminal, and a missing key is helped along', async () => {
  const message = 'No \u001b[31mkey\u001b[0m.'
  const answer = () => Response.json({ error: { message, code: 'invalid_admin_key' } }, { status: 401 })
  const { code, error } = await run(['d-1', '--url', 'http://router.test'], { answer })
  expect(code).toBe(1)
  expect(error).toBe(
    'vllm-edge-router explain: 401: No \\u{1b}[31mkey\\u{1b}[0m. Give it with --admin-key, or in the variable ROUTER_ADMIN_KEY.\n',
  )
})

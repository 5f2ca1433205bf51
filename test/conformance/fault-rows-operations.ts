// The fault table: what operators do, and do wrong, while requests run.

import { expect } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { parseEvents } from './dialect.ts'
import { type FaultRow, NO_WORKER } from './fault-row.ts'

const ADMIN_KEY = 'operator-0123456789'
const KEY = 'caller-0123456789'
const NEXT_KEY = 'caller-9876543210'
const CHAT = '/v1/chat/completions'

type Name = 'a' | 'b'

export interface OperationsBench {
  readonly fleet: LiveFleet<Name>
  readonly admin: ReturnType<typeof adminClient>
  /** The configuration it was started with, and what is to be different. */
  config(more?: object): object
}

/** Registers start and end with the enclosing `describe`. Streams take a second or so. */
export function operationsBench(runtime: RuntimeName): OperationsBench {
  const options = { itlMs: 10, outputTokens: 150 }
  const base = (urls: Readonly<Record<Name, string>>, more: object = {}) => ({
    workers: [
      { id: 'a', url: urls.a },
      { id: 'b', url: urls.b },
    ],
    admin_api_key: ADMIN_KEY,
    api_keys: [{ name: 'caller', key: KEY }],
    allowed_worker_hosts: ['http://127.0.0.1:*'],
    health_check: { check_interval_secs: 600 },
    circuit_breaker: { failure_threshold: 3, timeout_duration_secs: 600 },
    ...more,
  })
  const fleet = liveFleet<Name>(runtime, {
    workers: { a: { ...options, models: ['m', 'only-a'] }, b: { ...options, models: ['m', 'only-b'] } },
    config: (urls) => base(urls),
  })
  return {
    fleet,
    admin: adminClient(() => fleet.url, ADMIN_KEY),
    config: (more) => base({ a: fleet.worker('a').url, b: fleet.worker('b').url }, more),
  }
}

const authorised = (key = KEY) => ({ authorization: `Bearer ${key}` })

async function startStream({ fleet }: OperationsBench, model: string, tokens = 150) {
  const body = { ...chatBody(model), stream: true, max_tokens: tokens }
  const reply = await send(fleet.url + CHAT, body, { headers: authorised() }).reply
  await reply.until('data:')
  return async () => parseEvents(await reply.rest()).at(-1)?.data
}

async function brokenReload({ admin, config, fleet }: OperationsBench): Promise<void> {
  const { hash } = (await admin.get('/admin/config')).json()
  const bad = await admin.putConfig({ ...config(), prot: 1, log_level: 'loud' })
  expect([bad.status, bad.json().error.code]).toEqual([400, 'config_refused'])
  expect(bad.json().error.findings).toHaveLength(2)
  expect((await admin.get('/admin/config')).json().hash).toBe(hash)
  expect((await postJson(fleet.url + CHAT, chatBody('m'), authorised())).status).toBe(200)
  const good = await admin.putConfig(config({ log_level: 'debug' }))
  expect(good.json()).toMatchObject({ status: 'ok', changed: ['log_level'] })
}

async function reloadsAtOnce({ admin, config }: OperationsBench): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, at) => admin.putConfig(config({ responses: { ttl_secs: 1_000 + at } }))),
  )
  const won = answers.filter(({ status }) => status === 200)
  expect(won.length).toBeGreaterThan(0)
  for (const lost of answers.filter((answer) => !won.includes(answer))) expectRefusal(lost, 'config_conflict')
  const hashes = won.map((answer) => String(answer.json().hash))
  expect(hashes).toContain((await admin.get('/admin/config')).json().hash)
}

async function hooksAndRules({ admin, config, fleet }: OperationsBench): Promise<void> {
  const next = { model_rules: [{ match: 'renamed', rewrite: 'only-a' }], forward_headers: ['x-team'] }
  const changed = await admin.putConfig(config(next))
  expect(changed.json().changed).toEqual(expect.arrayContaining(['model_rules', 'forward_headers']))
  const answer = await postJson(fleet.url + CHAT, chatBody('renamed'), {
    ...authorised(),
    'x-team': 'blue',
    'x-request-id': 'all',
  })
  expect(answer.status, answer.text).toBe(200)
  expect([fleet.call('all').headers['x-team'], JSON.parse(fleet.call('all').body).model]).toEqual(['blue', 'only-a'])
  await admin.putConfig(config())
  expectRefusal(await postJson(fleet.url + CHAT, chatBody('renamed'), authorised()), 'model_not_found')
}

async function drain(bench: OperationsBench): Promise<void> {
  const { admin, fleet } = bench
  const rest = await startStream(bench, 'only-a')
  await admin.post('/admin/drain', { id: 'a', timeout_secs: 60 })
  await until(
    async () => (await postJson(fleet.url + CHAT, chatBody('only-a'), authorised())).status === 503,
    5_000,
    () => 'it still gets new work',
  )
  expect(await rest()).toBe('[DONE]')
  await until(
    async () => (await admin.get('/workers/a')).json().availability === 'parked',
    25_000,
    () => 'it is not parked',
  )
  expect((await admin.get('/workers/a')).json().drain).toMatchObject({ in_flight: 0, left_running: null })
  await admin.post('/admin/undrain', { id: 'a' })
}

async function drainTooLong(bench: OperationsBench): Promise<void> {
  const { admin } = bench
  const rest = await startStream(bench, 'only-b')
  await admin.post('/admin/drain', { id: 'b', timeout_secs: 0.1 })
  await until(
    async () => (await admin.get('/workers/b')).json().availability === 'parked',
    25_000,
    () => 'it is not parked',
  )
  expect((await admin.get('/workers/b')).json().drain.left_running).toBe(1)
  expect(await rest()).toBe('[DONE]')
  await admin.post('/admin/undrain', { id: 'b' })
}

async function removedAndBack({ admin, fleet }: OperationsBench): Promise<void> {
  const chat = () => postJson(fleet.url + CHAT, chatBody('only-b'), authorised())
  await fleet.worker('b').setFaults({ status: 500 })
  for (let at = 0; at < 3; at += 1) await chat()
  expect((await admin.get('/workers/b')).json().breaker.state).toBe('open')
  await fleet.worker('b').setFaults([])
  await admin.delete('/workers/b')
  expectRefusal(await chat(), 'model_not_found')
  await admin.post('/workers', { id: 'b', url: fleet.worker('b').url })
  await until(
    async () => (await chat()).status === 200,
    10_000,
    () => 'it is not used',
  )
  expect((await admin.get('/workers/b')).json()).toMatchObject({ load: 0, breaker: { state: 'closed' } })
}

async function rotation(bench: OperationsBench): Promise<void> {
  const { admin, config, fleet } = bench
  const status = async (key: string) => (await postJson(fleet.url + CHAT, chatBody('m'), authorised(key))).status
  const rest = await startStream(bench, 'only-a')
  const tenants = (...keys: readonly string[]) => ({ api_keys: keys.map((key, at) => ({ name: `caller-${at}`, key })) })
  await admin.putConfig(config(tenants(KEY, NEXT_KEY)))
  expect([await status(KEY), await status(NEXT_KEY)]).toEqual([200, 200])
  await admin.putConfig(config(tenants(NEXT_KEY)))
  expect([await status(KEY), await status(NEXT_KEY)]).toEqual([401, 200])
  expect(await rest()).toBe('[DONE]')
  await admin.putConfig(config())
}

export const OPERATIONS_ROWS: readonly FaultRow<OperationsBench>[] = [
  {
    id: 'F65',
    fault: 'a configuration with mistakes is loaded',
    client: 'nothing: what runs goes on',
    record: 'the operator gets 400 `config_refused` with every mistake and its line',
    ...NO_WORKER,
    prove: brokenReload,
  },
  {
    id: 'F66',
    fault: 'fifty configurations are loaded at once',
    client: 'nothing',
    record: 'one wins each step; the others get 409 `config_conflict`',
    ...NO_WORKER,
    prove: reloadsAtOnce,
  },
  {
    id: 'F67',
    fault: 'a configuration changes hooks, rules and headers',
    client: 'all of it from the answer on, or none',
    record: 'the operator is told what has changed; records have the hash they ran under',
    ...NO_WORKER,
    prove: hooksAndRules,
  },
  {
    id: 'F68',
    fault: 'a worker is drained while it streams',
    client: 'its stream to the end; new requests go elsewhere',
    record: '`/workers/{id}`: `draining`, then `parked`',
    retried: '–',
    breaker: 'nothing',
    limitMs: 60_000,
    prove: drain,
  },
  {
    id: 'F69',
    fault: 'a drain takes longer than it may',
    client: 'its stream to the end all the same: nothing is cut',
    record: '`/workers/{id}`: `parked`, with how many it left running',
    retried: '–',
    breaker: 'nothing',
    limitMs: 60_000,
    prove: drainTooLong,
  },
  {
    id: 'F71',
    fault: 'a worker is removed and added again',
    client: '404 `model_not_found` meanwhile, where nobody else serves the model',
    record: 'load and breaker as of a new worker',
    retried: '–',
    breaker: 'closed: what was held against it is forgotten',
    prove: removedAndBack,
  },
  {
    id: 'F72',
    fault: 'a key is exchanged while a stream runs on the old one',
    client: 'both keys work while both are configured; the stream ends whole',
    record: 'as any',
    retried: '–',
    breaker: 'nothing',
    prove: rotation,
  },
]

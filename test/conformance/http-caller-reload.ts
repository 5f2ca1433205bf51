// Callers under a configuration that changes: keys are rotated, tenants are switched off and limited, and what runs
// already ends as it began.

import { describe, expect, test } from 'vitest'
import { type AdminClient, adminClient } from '../support/admin-client.ts'
import { ask, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'

const CHAT = '/v1/chat/completions'
const ADMIN_KEY = 'admin-key-0123456789'
const OLD = 'old-key-0123456789'
const NEW = 'new-key-0123456789'
const INBOUND = 'inbound-key-0123456789'

/** The answer of a worker to `max_tokens: 40` takes two seconds. */
const WORKER = { models: ['m', 'other'], itlMs: 50, outputTokens: 4 }

interface Bench {
  readonly fleet: LiveFleet<'only'>
  readonly admin: AdminClient
  /** Loads the configuration with these tenants. */
  change(tenants: readonly object[], more?: object): Promise<void>
  chat(key: string, model?: string): ReturnType<typeof postJson>
}

export function callerReloads(runtime: RuntimeName): void {
  describe(`callers that change on ${runtime}`, () => {
    const configOf = (url: string, tenants: readonly object[], more: object = {}) => ({
      workers: [{ id: 'only', url }],
      disable_circuit_breaker: true,
      allowed_worker_hosts: ['http://127.0.0.1:*'],
      admin_api_key: ADMIN_KEY,
      inbound_api_key: INBOUND,
      api_keys: tenants,
      ...more,
    })
    const fleet = liveFleet(runtime, { workers: { only: WORKER }, config: ({ only }) => configOf(only, []) })
    const admin = adminClient(() => fleet.url, ADMIN_KEY)
    const bench: Bench = {
      fleet,
      admin,
      async change(tenants, more) {
        const answer = await admin.putConfig(configOf(fleet.worker('only').url, tenants, more))
        expect(answer.status, answer.text).toBe(200)
      },
      chat: (key, model = 'm') => postJson(fleet.url + CHAT, chatBody(model), { authorization: `Bearer ${key}` }),
    }
    rotation(bench)
    changedTenants(bench)
    heldBodies(bench)
  })
}

function rotation({ fleet, change, chat }: Bench): void {
  test('a key is rotated without a refused request, and what runs under the old one ends in order', async () => {
    await change([{ name: 'search', key: OLD }])
    expect([(await chat(OLD)).status, (await chat(NEW)).status]).toEqual([200, 401])
    const { reply } = send(
      fleet.url + CHAT,
      { ...chatBody('m'), max_tokens: 40, stream: true },
      { headers: { authorization: `Bearer ${OLD}` } },
    )
    const running = await reply
    await running.next()
    await change([
      { name: 'search', key: OLD },
      { name: 'search', key: NEW },
    ])
    expect([(await chat(OLD)).status, (await chat(NEW)).status]).toEqual([200, 200])
    await change([{ name: 'search', key: NEW }])
    expectRefusal(await chat(OLD), 'invalid_api_key')
    expect((await chat(NEW)).status).toBe(200)
    expect((await running.rest()).toString()).toContain('data: [DONE]')
  })

  test('a stored response stays its tenant’s under every key it ever has, and nobody else’s', async () => {
    const respond = (key: string) =>
      postJson(`${fleet.url}/v1/responses`, { model: 'm', input: 'hi' }, { authorization: `Bearer ${key}` })
    const read = (key: string, id: string) =>
      ask(`${fleet.url}/v1/responses/${id}`, { headers: { authorization: `Bearer ${key}` } })
    await change([{ name: 'search', key: OLD }])
    const { id } = (await respond(OLD)).json()
    await change([
      { name: 'search', key: NEW },
      { name: 'other', key: OLD },
    ])
    expect((await read(NEW, id)).status).toBe(200)
    expectRefusal(await read(OLD, id), 'response_not_found')
    expectRefusal(await read(INBOUND, id), 'response_not_found')
    // vLLM lists no input items; were it to, this would be a tenant's as well.
    expectRefusal(await read(NEW, `${id}/input_items`), 'not_found')
  })
}

function changedTenants({ change, chat }: Bench): void {
  test('a tenant that is switched off, and what it may not use any more, is refused from the next request on', async () => {
    await change([{ name: 'search', key: OLD }])
    expect((await chat(OLD, 'other')).status).toBe(200)
    await change([{ name: 'search', key: OLD, allowed_models: ['m'] }])
    expectRefusal(await chat(OLD, 'other'), 'model_not_allowed')
    await change([{ name: 'search', key: OLD, enabled: false }])
    expectRefusal(await chat(OLD), 'tenant_disabled')
    await change([{ name: 'search', key: OLD }])
    expect((await chat(OLD, 'other')).status).toBe(200)
    await change([])
    expectRefusal(await chat(OLD), 'invalid_api_key')
    expect((await chat(INBOUND)).status).toBe(200)
  })

  test('the admin key is no key of a caller', async () => {
    expectRefusal(await chat(ADMIN_KEY), 'invalid_api_key')
  })
}

function heldBodies({ fleet, change }: Bench): void {
  /** Sends headers and the beginning of a body, and keeps the rest back. */
  const knock = (key: string) => {
    const head = [`Authorization: Bearer ${key}`, 'Content-Type: application/json', 'Content-Length: 1000000']
    return sendRaw(fleet.url, rawRequest(`POST ${CHAT}`, head) + '{"model":"m",')
  }

  test('nobody is waited for who may not come in: the answer is there before the body', async () => {
    await change([
      { name: 'off', key: OLD, enabled: false },
      { name: 'slow', key: NEW, rate_limit_rps: 0.001 },
    ])
    const chat = () => postJson(fleet.url + CHAT, chatBody('m'), { authorization: `Bearer ${NEW}` })
    await until(
      async () => (await chat()).status === 429,
      5_000,
      () => 'never refused',
    )
    const answers = await Promise.all(['nobody-0123456789', OLD, NEW].map(knock))
    expect(answers.map(({ status }) => status)).toEqual([401, 403, 429])
    expect(answers.map((answer) => answer.json())).toMatchObject([
      { error: { code: 'invalid_api_key' } },
      { error: { code: 'tenant_disabled' } },
      { error: { code: 'rate_limit_exceeded' } },
    ])
  })
}

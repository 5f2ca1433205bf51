// Bad input from callers: keys that are none, models they may not use, names that would not fit a header, and what must
// never come out again (B24, B55 to B78 of the reliability bar).

import { expect, test } from 'vitest'
import { INFERENCE_ROUTES } from '../../src/routes/catalogue.ts'
import { ADMIN_ROUTES } from '../../src/routes/admin/catalogue.ts'
import { ask, audioForm, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { ODD_NAMES } from './bad-input-headers.ts'
import { bearer, type CallerFleet, chatAs, getAs, KEYS } from './caller-fleet.ts'

export const ADMIN_KEY = 'operator-0123456789'
const CHAT = '/v1/chat/completions'

const NO_KEYS: readonly Readonly<Record<string, string>>[] = [
  ...[
    'undefined',
    'null',
    'None',
    'nil',
    'NaN',
    "' OR '1'='1",
    '../../etc/passwd',
    '${KEY}',
    '{{7*7}}',
    '<script>',
  ].map((key) => ({ authorization: `Bearer ${key}` })),
  { authorization: 'Bearer' },
  { authorization: 'Bearer ' },
  { authorization: 'bearer\t' },
  { authorization: `Basic ${KEYS.search}` },
  { authorization: `Bearer ${KEYS.search} ${KEYS.narrow}` },
  { authorization: `Bearer ${KEYS.search.slice(0, -1)}` },
  { authorization: `Bearer ${KEYS.search}0` },
  { authorization: `Bearer ${'k'.repeat(9_000)}` },
  { 'x-api-key': '' },
  { 'x-router-key': '%00' },
]

/** Of the big list of naughty strings (MIT, Max Woolf), one of each kind: https://github.com/minimaxir/big-list-of-naughty-strings */
const NAUGHTY: readonly string[] = [
  'undefined',
  '1E+02',
  '0x0',
  'NaN',
  "'; DROP TABLE users--",
  '<img src=x onerror=alert(1)>',
  '\u202etest\u202e',
  'Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮̺̪̹̱̤',
  '👩🏽‍👧🏾 ﷽ ﺍ',
  '\ud800',
  '$(touch /tmp/x)',
  '%s%n%x',
  '{% print 1 %}',
  '../../../etc/passwd',
  'CON',
  'ﾟ･✿ヾ╲(｡◕‿◕｡)╱✿･ﾟ',
  '__proto__',
  '\u0000\u0001\u001b[31m',
  '=cmd|calc!A1',
  'x'.repeat(5_000),
]

/** Fields that a router or worker reads, and one that neither knows. */
const FIELDS = [
  'model',
  'user',
  'session_id',
  'previous_response_id',
  'prompt',
  'metadata',
  'tool_choice',
  'x',
] as const

/** Registers with the enclosing `describe`. */
export function callerInput(fleet: CallerFleet): void {
  keys(fleet)
  models(fleet)
  others(fleet)
}

function keys(fleet: CallerFleet): void {
  test('B55 what is no key gets the same words, however it is offered', async () => {
    const texts = new Set<string>()
    for (const headers of NO_KEYS) {
      const answer = await chatAs(fleet, headers)
      expectRefusal(answer, 'invalid_api_key')
      texts.add(answer.text)
    }
    expect(texts.size).toBe(1)
  })

  test('B56 words for nothing are no keys, in any header', async () => {
    for (const word of ['undefined', 'null', 'None', '', ' ', 'false']) {
      for (const name of ['authorization', 'x-api-key', 'x-router-key', 'x-admin-key']) {
        const value = name === 'authorization' ? `Bearer ${word}` : word
        expectRefusal(await chatAs(fleet, { [name]: value }), 'invalid_api_key')
        const admin = await ask(`${fleet.url}/admin/config`, { headers: { [name]: value } })
        expectRefusal(admin, 'invalid_admin_key')
      }
    }
  })

  test("B58 a caller's key opens no admin route", async () => {
    // This fleet's /metrics is a worker's, which `passthrough_paths` opens to callers.
    for (const { method, path } of Object.values(ADMIN_ROUTES).filter((route) => route.path !== '/metrics')) {
      for (const caller of ['search', 'inbound'] as const) {
        const answer = await ask(fleet.url + path.replace(':id', 'alpha'), { method, headers: bearer(caller) })
        expect([`${method} ${path}`, [401, 403, 404].includes(answer.status)]).toEqual([`${method} ${path}`, true])
      }
    }
  })

  test('B62 keys that share a long beginning are told apart', async () => {
    for (const end of ['', '0', '-', KEYS.search]) {
      const status = (await chatAs(fleet, { authorization: `Bearer ${KEYS.search}${end}` })).status
      expect([end, status]).toEqual([end, end === '' ? 200 : 401])
    }
  })

  test('B64 no page of another origin is let in, by preflight or by answer', async () => {
    for (const origin of ['https://evil.example', 'null', 'http://localhost:1']) {
      const asked = { origin, 'access-control-request-method': 'POST' }
      for (const path of [CHAT, '/admin/config', '/workers']) {
        const preflight = await ask(fleet.url + path, { method: 'OPTIONS', headers: asked })
        expect([path, preflight.status >= 400]).toEqual([path, true])
        const answer = await getAs(fleet, 'search', '/v1/models')
        for (const { headers } of [preflight, answer]) {
          expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
        }
      }
    }
  })
}

function models(fleet: CallerFleet): void {
  test.each(['Alpha', 'alpha ', ' alpha', 'alph\u0430', 'alpha\u200b', 'beta', 'gamma', 'pre', '*', 'chain2'])(
    'B59 a name that is not on the list of its caller: %j',
    async (model) => {
      const answer = await chatAs(fleet, bearer('narrow'), model)
      // What it may not use and what there is not look alike, or nearly: neither is served.
      expect([403, 404]).toContain(answer.status)
      expect(answer.headers.get('x-vllm-router-worker')).toBeNull()
    },
  )

  test('B60 what one route refuses, every route refuses', async () => {
    const before = fleet.calls().length
    for (const { path, body } of INFERENCE_ROUTES) {
      const fields = {
        model: 'beta',
        messages: [],
        prompt: 'x',
        input: 'x',
        query: 'x',
        documents: [],
        text_1: 'x',
        text_2: 'x',
      }
      const json = {
        headers: { ...bearer('narrow'), 'content-type': 'application/json' },
        body: JSON.stringify(fields),
      }
      const form = { headers: bearer('narrow'), body: audioForm('beta') }
      const answer = await ask(fleet.url + path, { method: 'POST', ...(body === 'json' ? json : form) })
      expect([path, answer.status]).toEqual([path, 403])
    }
    expect(fleet.calls()).toHaveLength(before)
  })

  test('B24 names that are no ASCII are written one way, in headers, on every runtime', async () => {
    const answer = await chatAs(fleet, bearer('search'), 'caf\u00e9')
    expect([answer.status, answer.headers.get('x-vllm-router-model')], answer.text).toEqual([200, 'caf%C3%A9'])
    for (const model of ODD_NAMES) expectRefusal(await chatAs(fleet, bearer('search'), `${model}!`), 'model_not_found')
  })

  test('B78 naughty strings in every field: an answer each, and no defect', async () => {
    for (const field of FIELDS) {
      const statuses = await Promise.all(
        NAUGHTY.map(async (text) => {
          const body = { ...chatBody('alpha'), [field]: text }
          return (await postJson(fleet.url + CHAT, body, { ...bearer('search'), 'x-session-id': encodeURI('a') }))
            .status
        }),
      )
      for (const status of statuses) expect([field, [200, 400, 404].includes(status)]).toEqual([field, true])
    }
    expect(fleet.router.output()).not.toContain('"event":"defect"')
  })
}

function others(fleet: CallerFleet): void {
  test("B70 another tenant's stored responses do not exist", async () => {
    const created = await postJson(`${fleet.url}/v1/responses`, { model: 'alpha', input: 'hi' }, bearer('search'))
    const { id } = created.json()
    expect((await getAs(fleet, 'search', `/v1/responses/${id}`)).status).toBe(200)
    for (const caller of ['narrow', 'blind', 'inbound'] as const) {
      expectRefusal(await getAs(fleet, caller, `/v1/responses/${id}`), 'response_not_found')
    }
    const others = Array.from({ length: 100 }, (_, at) => `${id.slice(0, -2)}${String(at).padStart(2, '0')}`)
    const statuses = await Promise.all(
      others
        .filter((other) => other !== id)
        .map(async (other) => (await getAs(fleet, 'search', `/v1/responses/${other}`)).status),
    )
    expect(new Set(statuses)).toEqual(new Set([404]))
  })

  test('B71 no word of a prompt is in the log, a record or an admin answer', async () => {
    const canary = 'canary-in-a-prompt'
    const fields = Object.fromEntries(
      ['prompt', 'input', 'user', 'metadata', 'suffix', 'stop', 'instructions', 'system', 'tools'].map((name) => [
        name,
        canary,
      ]),
    )
    const body = { ...chatBody('alpha'), messages: [{ role: 'user', content: canary }], ...fields }
    const headers = { ...bearer('search'), 'x-session-id': canary, 'x-request-id': 'with-canary' }
    for (const path of [CHAT, '/v1/completions', '/v1/responses']) await postJson(fleet.url + path, body, headers)
    await fleet.router.record((record) => record['request_id'] === 'with-canary')
    const admin = { headers: { authorization: `Bearer ${ADMIN_KEY}` } }
    const shown = await Promise.all(
      ['/admin/decisions?limit=50', '/admin/stats', '/admin/config', '/admin/tenants', '/workers'].map(
        async (path) => (await ask(fleet.url + path, admin)).text,
      ),
    )
    expect([...shown, fleet.router.output()].filter((text) => text.includes(canary))).toEqual([])
  })

  test('B73 what a caller names can not break a line of the log', async () => {
    const id = 'two-lines'
    const body = { ...chatBody('alpha'), user: 'a\nb\u2028c', session_id: '=1+1\r\n{"event":"forged"}' }
    expect((await postJson(fleet.url + CHAT, body, { ...bearer('search'), 'x-request-id': id })).status).toBe(200)
    await fleet.router.record((record) => record['request_id'] === id)
    expect(fleet.router.output()).not.toContain('forged')
    const lines = fleet.router
      .output()
      .split('\n')
      .filter((line) => line.includes(id))
    for (const line of lines) expect(JSON.parse(line.slice(line.indexOf('{')))['request_id']).toBe(id)
  })

  test('B75 an error event of ours is one event, whatever is named in the request', async () => {
    await fleet.worker('alpha').setFaults({ die_mid_stream: { after_events: 1, mode: 'fin' }, times: 1 })
    const body = { ...chatBody('alpha'), stream: true, max_tokens: 50, user: 'x\n\ndata: {"forged":true}\n\n' }
    const answer = await postJson(fleet.url + CHAT, body, bearer('search'))
    expect(answer.text).toContain('upstream_truncated')
    expect(answer.text).not.toContain('forged')
    for (const line of answer.text.split('\n')) expect(line).toMatch(/^$|^data: (?:\{.*\}|\[DONE\])$/)
  })

  test('B76 no refusal names a worker', async () => {
    const faults = [{ status: 500 }, { die_before_headers: true }, { html_200: true }, { truncated_json: true }]
    for (const fault of faults) {
      await fleet.worker('beta').setFaults(fault)
      for (const isStream of [false, true]) {
        const body = { ...chatBody('beta'), stream: isStream }
        const answer = await postJson(fleet.url + CHAT, body, bearer('blind'))
        expect(answer.text + JSON.stringify([...answer.headers])).not.toMatch(
          /127\.0\.0\.1|localhost|node_modules|at \w+ \(/,
        )
      }
    }
    await fleet.worker('beta').setFaults([])
  })
}

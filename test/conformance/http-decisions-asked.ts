// Decisions as an operator asks for them: filtered, page by page, one by one, and as a file.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decisionRecordSchema } from '../../src/record/schema.ts'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, ask, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

type Listed = Readonly<Record<string, unknown>>

const ADMIN_KEY = 'asked-admin-0123456789'
const CHAT = '/v1/chat/completions'
const PATIENCE_MS = 20_000

/** What a filter must mean, by its parameter. */
const MEANS: readonly (readonly [query: string, isWanted: (record: Listed) => boolean])[] = [
  ['worker=one', ({ worker }) => worker === 'one'],
  ['model=m', ({ model, original_model: asked }) => model === 'm' || asked === 'm'],
  ['model=alias', ({ original_model: asked }) => asked === 'alias'],
  ['tenant=acme', ({ tenant }) => tenant === 'acme'],
  ['policy=round_robin', ({ policy }) => policy === 'round_robin'],
  ['method=none', ({ method }) => method === 'none'],
  ['status=200', ({ status }) => status === 200],
  ['status=4xx', ({ status }) => Number(status) >= 400 && Number(status) < 500],
  ['status=404-503', ({ status }) => Number(status) >= 404 && Number(status) <= 503],
  ['q=MODEL_NOT', ({ error }) => error === 'model_not_found'],
  ['tenant=acme&status=200&worker=two', (record) => record['tenant'] === 'acme' && record['worker'] === 'two'],
  ['tenant=nobody', () => false],
  ['decision=any', () => false],
]

const REFUSED: readonly (readonly [query: string, says: string])[] = [
  ['limit=0', 'from 1 to 1000'],
  ['limit=1001', 'from 1 to 1000'],
  ['limit=5.5', 'from 1 to 1000'],
  ['limit=-1', 'from 1 to 1000'],
  ['limit=5&limit=6', 'given once'],
  ['cursor=nonsense', '`next_cursor`'],
  ['since=yesterday', '`2026-08-01T09:30:00Z`'],
  ['until=2026-13-01T00:00:00Z', '`2026-08-01T09:30:00Z`'],
  ['since=2026-02-31T00:00:00Z', '`2026-08-01T09:30:00Z`'],
  ['until=2025-02-29T00:00:00Z', '`2026-08-01T09:30:00Z`'],
  ['since=1h&until=2h', 'not be later'],
  ['status=20', '`5xx`'],
  ['status=500-400', '`5xx`'],
  ['session_id=XYZ', '16 hexadecimal'],
  ['worker=', 'must not be empty'],
  ['wroker=one', '`worker`'],
  ['offset=5', '`cursor`'],
]

export function decisionsAskedConformance(runtime: RuntimeName): void {
  describe(`asking for decisions on ${runtime}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'decisions-asked-'))
    afterAll(() => rmSync(directory, { recursive: true, force: true }))
    const fleet = liveFleet(runtime, {
      // Long answers for whoever asks for them: a stream must still run when it is looked at.
      workers: {
        one: { models: ['m'], itlMs: 10, outputTokens: 5_000 },
        two: { models: ['m'], itlMs: 10, outputTokens: 5_000 },
      },
      config: (urls) => ({
        workers: [
          { id: 'one', url: urls.one },
          { id: 'two', url: urls.two },
        ],
        api_keys: [
          { name: 'acme', key: 'key-of-acme-0123456789' },
          { name: 'other', key: 'key-of-other-0123456789' },
        ],
        model_rules: [{ match: 'alias', rewrite: 'm' }],
        admin_api_key: ADMIN_KEY,
        decision_log: { export_path: join(directory, 'decisions.jsonl'), export_interval_secs: 0.1 },
        log_level: 'warn',
      }),
    })
    const given = { fleet, admin: adminClient(() => fleet.url, ADMIN_KEY) }
    beforeAll(() => someTraffic(fleet, given.admin))
    listing(given)
    single(given)
    exporting(given)
  })
}

interface Given {
  readonly fleet: LiveFleet
  readonly admin: ReturnType<typeof adminClient>
}

function chat(fleet: LiveFleet, model: string, key: string, requestId: string): Promise<Answered> {
  return postJson(fleet.url + CHAT, chatBody(model), {
    'x-api-key': `key-of-${key}-0123456789`,
    'x-request-id': requestId,
  })
}

/** Requests of every kind that a filter tells apart, and their records closed. */
async function someTraffic(fleet: LiveFleet, admin: Given['admin']): Promise<void> {
  for (let n = 0; n < 12; n += 1) {
    await chat(
      fleet,
      n % 3 === 0 ? 'alias' : n % 3 === 1 ? 'm' : 'nowhere',
      n % 2 === 0 ? 'acme' : 'other',
      `asked-${n}`,
    )
  }
  await until(
    async () => (await list(admin, 'q=asked-&limit=100')).length === 12,
    PATIENCE_MS,
    () => 'the records of twelve requests are not there',
  )
}

async function page(
  admin: Given['admin'],
  query: string,
): Promise<{ decisions: Listed[]; next_cursor: string | null }> {
  const answer = await admin.get(`/admin/decisions?${query}`)
  expect(answer.status, answer.text).toBe(200)
  return answer.json()
}

/** Of all pages. */
async function list(admin: Given['admin'], query: string): Promise<readonly Listed[]> {
  const all: Listed[] = []
  for (let cursor = ''; ;) {
    const { decisions, next_cursor: next } = await page(admin, `${query}${cursor}`)
    all.push(...decisions)
    if (next === null) return all
    cursor = `&cursor=${encodeURIComponent(next)}`
  }
}

function idsOf(records: readonly Listed[]): readonly unknown[] {
  return records.map((record) => record['decision_id'])
}

function listing({ fleet, admin }: Given): void {
  test.each(MEANS)('%s lists those and no others', async (query, isWanted) => {
    const all = await list(admin, 'limit=100')
    expect(all.length).toBeGreaterThanOrEqual(12)
    expect(idsOf(await list(admin, `${query}&limit=100`))).toEqual(idsOf(all.filter(isWanted)))
  })

  test('session_id finds a session', async () => {
    const [record] = await list(admin, 'status=200&limit=1')
    const session = String(record?.['session_id'])
    const found = await list(admin, `session_id=${session}&limit=100`)
    expect(idsOf(found)).toContain(record?.['decision_id'])
    expect(new Set(found.map((each) => each['session_id']))).toEqual(new Set([session]))
  })

  test('since and until cut by time, as times and as ages', async () => {
    const all = await list(admin, 'limit=100')
    const times = all.map((record) => String(record['timestamp']))
    expect(times).toEqual(times.toSorted().toReversed())
    const middle = times[5] ?? ''
    expect(idsOf(await list(admin, `since=${middle}&limit=100`))).toEqual(
      idsOf(all.filter(({ timestamp }) => String(timestamp) >= middle)),
    )
    expect(idsOf(await list(admin, `until=${middle}&limit=100`))).toEqual(
      idsOf(all.filter(({ timestamp }) => String(timestamp) < middle)),
    )
    expect(await list(admin, 'since=1h&limit=100')).toHaveLength(all.length)
    expect(await list(admin, 'until=1h')).toEqual([])
    const offset = new Date(Date.parse(middle) + 2 * 3_600_000).toISOString().replace('Z', '')
    for (const plus of ['%2B', '+']) {
      expect(idsOf(await list(admin, `since=${offset}${plus}02:00&limit=100`))).toEqual(
        idsOf(all.filter(({ timestamp }) => String(timestamp) >= middle)),
      )
    }
  })

  test('pages miss nothing and show nothing twice while requests come in', async () => {
    const before = idsOf(await list(admin, 'limit=100'))
    const seen: unknown[] = []
    for (let cursor = '', n = 0; ; n += 1) {
      const { decisions, next_cursor: next } = await page(admin, `limit=3${cursor}`)
      expect(decisions.length).toBeLessThanOrEqual(3)
      seen.push(...idsOf(decisions))
      if (next === null) break
      cursor = `&cursor=${encodeURIComponent(next)}`
      if (n < 3) await chat(fleet, 'm', 'acme', `meanwhile-${n}`)
    }
    expect(seen).toEqual(before)
  })

  test.each(REFUSED)('%s is refused, with what is allowed', async (query, says) => {
    const answer = await admin.get(`/admin/decisions?${query}`)
    expectRefusal(answer, 'invalid_request')
    expect(answer.json().error.message).toContain(says)
  })
}

function single({ fleet, admin }: Given): void {
  test('one is found by the ids in its answer’s headers, on routes that the router answers by itself, too', async () => {
    const answers = [
      await chat(fleet, 'm', 'acme', 'single-1'),
      await chat(fleet, 'nowhere', 'acme', 'single-2'),
      await ask(`${fleet.url}/v1/models`, { headers: { 'x-api-key': 'key-of-acme-0123456789' } }),
      await ask(`${fleet.url}/v1/models/nope`, { headers: { 'x-api-key': 'key-of-acme-0123456789' } }),
      await ask(`${fleet.url}/v1/responses/resp_nobody`, { headers: { 'x-api-key': 'key-of-acme-0123456789' } }),
    ]
    for (const { status, headers } of answers) {
      const ids = { decision_id: headers.get('x-vllm-router-decision-id'), request_id: headers.get('x-request-id') }
      for (const id of Object.values(ids)) {
        const found = await closed(admin, String(id))
        expect(found).toMatchObject({ ...ids, status })
        expect((await admin.get(`/admin/explain/${id}`)).json()).toMatchObject(ids)
      }
    }
  })

  test('one that is under way is shown, and is no closed record yet', async () => {
    const { reply, leave } = send(
      fleet.url + CHAT,
      { ...chatBody('m'), stream: true, max_tokens: 5_000 },
      { headers: { 'x-request-id': 'single-open', 'x-api-key': 'key-of-acme-0123456789' } },
    )
    await (await reply).next()
    const open = await admin.get('/admin/decisions/single-open')
    expect(open.json()).toMatchObject({ request_id: 'single-open', lifecycle_state: 'in_progress' })
    const told = (await admin.get('/admin/explain/single-open')).json()
    expect(told.sentences[0]).toMatch(/is under way/)
    leave('reset')
    expect(await closed(admin, 'single-open')).toMatchObject({ lifecycle_state: 'aborted' })
  })

  test('one that nobody knows is 404', async () => {
    expectRefusal(await admin.get('/admin/decisions/nobody'), 'decision_not_found')
    expectRefusal(await admin.get(`/admin/decisions/${'x'.repeat(300)}`), 'decision_not_found')
    expectRefusal(await admin.get('/admin/decisions/asked-1?limit=1'), 'invalid_request')
  })
}

/** The record of an id, once its request has ended. */
async function closed(admin: Given['admin'], id: string): Promise<Listed> {
  let last: Listed = {}
  await until(
    async () => {
      const answer = await admin.get(`/admin/decisions/${id}`)
      last = answer.json()
      return answer.status === 200 && last['lifecycle_state'] !== 'in_progress'
    },
    PATIENCE_MS,
    () => `the record of ${id} is ${JSON.stringify(last)}`,
  )
  return last
}

function exporting({ fleet, admin }: Given): void {
  const linesOf = (text: string): readonly Listed[] => {
    expect(text === '' || text.endsWith('\n')).toBe(true)
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => decisionRecordSchema.parse(JSON.parse(line)))
  }

  test('a range of time as lines: every closed record of it, once', async () => {
    await until(
      async () => linesOf((await admin.get('/admin/decisions.jsonl')).text).length >= 12,
      PATIENCE_MS,
      () => 'the export does not have the records',
    )
    const all = (await list(admin, 'q=asked-&limit=100')).filter(
      (record) => record['lifecycle_state'] !== 'in_progress',
    )
    const answer = await admin.get('/admin/decisions.jsonl?since=1h')
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
    const lines = linesOf(answer.text)
    const ids = idsOf(lines)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toEqual(expect.arrayContaining([...idsOf(all)]))
    const middle = String(all[5]?.['timestamp'])
    const late = linesOf((await admin.get(`/admin/decisions.jsonl?since=${middle}`)).text)
    const early = linesOf((await admin.get(`/admin/decisions.jsonl?until=${middle}`)).text)
    expect(late.every(({ timestamp }) => String(timestamp) >= middle)).toBe(true)
    expect(early.every(({ timestamp }) => String(timestamp) < middle)).toBe(true)
    expect(new Set([...idsOf(early), ...idsOf(late)])).toEqual(
      new Set(idsOf(linesOf((await admin.get('/admin/decisions.jsonl')).text))),
    )
    expect((await admin.get('/admin/decisions.jsonl?until=1h')).text).toBe('')
  })

  test('takes a range and nothing else', async () => {
    expectRefusal(await admin.get('/admin/decisions.jsonl?limit=5'), 'invalid_request')
    expectRefusal(await admin.get('/admin/decisions.jsonl?since=now'), 'invalid_request')
  })

  test('a client that leaves in the middle does no harm', async () => {
    const controller = new AbortController()
    const answer = await fetch(`${fleet.url}/admin/decisions.jsonl`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
      signal: controller.signal,
    })
    expect(answer.status).toBe(200)
    controller.abort()
    expect((await admin.get('/admin/decisions?limit=1')).status).toBe(200)
  })
}

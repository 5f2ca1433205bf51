// The decision log as a client and an operator see it: every request leaves one record, however it ends, and it can be
// seen while it is under way.

import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { prefixHashesOf } from '../../src/pipeline/prefix-hashes.ts'
import { decisionRecordSchema } from '../../src/record/schema.ts'
import { adminClient } from '../support/admin-client.ts'
import { ask, chatBody, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

type Listed = Readonly<Record<string, unknown>>

const TIME_MS = 10_000

export function decisionLogConformance(runtime: RuntimeName): void {
  describe(`the decision log on ${runtime}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'decision-log-'))
    afterAll(() => rmSync(directory, { recursive: true, force: true }))
    const path = join(directory, 'decisions.jsonl')
    const fleet = liveFleet(runtime, {
      workers: { sim: { port: 0, models: ['m'], itlMs: 10, allowRequestFaults: true } },
      config: ({ sim }) => ({
        workers: [
          { id: 'sim', url: sim },
          { id: 'gone', url: 'http://127.0.0.1:9', models: ['lost'] },
        ],
        forward_headers: ['x-sim-fault'],
        retry: { max_retries: 0 },
        decision_log: { export_path: path, export_interval_secs: 0.1, include_prefix_hashes: true },
        log_level: 'warn',
      }),
    })
    const admin = adminClient(() => fleet.url, null)
    const chat = (body: object, headers: Readonly<Record<string, string>> = {}) =>
      postJson(`${fleet.url}/v1/chat/completions`, body, headers)

    async function list(): Promise<readonly Listed[]> {
      const answer = await admin.get('/admin/decisions?limit=1000')
      expect(answer.status, answer.text).toBe(200)
      return answer.json().decisions
    }

    /** The record of a request, once it is as wanted. */
    async function found(requestId: string, isWanted: (record: Listed) => boolean): Promise<Listed> {
      let last: Listed | undefined
      await until(
        async () => {
          last = (await list()).find((record) => record['request_id'] === requestId)
          return last !== undefined && isWanted(last)
        },
        TIME_MS,
        () => `the record of ${requestId} is not as it should be: ${JSON.stringify(last)}`,
      )
      return last ?? {}
    }
    const closed = (requestId: string) => found(requestId, (record) => record['lifecycle_state'] !== 'in_progress')

    test.each([
      ['an answer', chatBody('m'), {}, { status: 200, lifecycle_state: 'completed', worker: 'sim' }],
      ['a stream', { ...chatBody('m'), stream: true }, {}, { status: 200, stream_end: 'complete', streaming: true }],
      [
        'an unknown model',
        chatBody('nobody'),
        {},
        { status: 404, error: 'model_not_found', lifecycle_state: 'completed' },
      ],
      ['a body that is no JSON', '{"model":', {}, { status: 400, method: 'rejected' }],
      ['a worker that is gone', chatBody('lost'), {}, { lifecycle_state: 'failed' }],
      [
        'a stream that is cut',
        { ...chatBody('m'), stream: true, max_tokens: 20 },
        { 'x-sim-fault': JSON.stringify({ die_mid_stream: { after_events: 3 } }) },
        { status: 200, stream_end: 'truncated', lifecycle_state: 'failed' },
      ],
    ])('has a record of %s', async (what, body, headers, expected) => {
      const requestId = `log-${what.replaceAll(' ', '-')}`
      await chat(body as object, { 'x-request-id': requestId, ...headers }).catch(() => {})
      expect(await closed(requestId)).toMatchObject(expected)
    })

    test('has a record of the list of models, and of other routes', async () => {
      await ask(`${fleet.url}/v1/models`, { headers: { 'x-request-id': 'log-models' } })
      await postJson(`${fleet.url}/v1/embeddings`, { model: 'm', input: 'hi' }, { 'x-request-id': 'log-embeddings' })
      expect(await closed('log-models')).toMatchObject({ route: '/v1/models', status: 200 })
      expect(await closed('log-embeddings')).toMatchObject({ route: '/v1/embeddings', status: 200 })
    })

    test('has hashes of long prompts where they are wanted, which tell what two have in common', async () => {
      const first = { role: 'user', content: 'What is a tensor? '.repeat(300) }
      const bodies = ['one', 'other'].map((word) => ({
        ...chatBody('m'),
        messages: [first, { role: 'user', content: `${word} `.repeat(1_000) }],
      }))
      const hashes: unknown[] = []
      for (const [at, body] of bodies.entries()) {
        await chat(body, { 'x-request-id': `log-hashes-${at}` })
        const record = await closed(`log-hashes-${at}`)
        expect(record['prefix_hashes']).toEqual(prefixHashesOf({ json: body, model: 'm' }))
        expect(JSON.stringify(record)).not.toContain('tensor')
        hashes.push(record['prefix_hashes'])
      }
      const [one, other] = hashes as (readonly string[])[]
      expect(one?.filter((hash, at) => hash === other?.[at])).toHaveLength(2)
      expect(one?.length).toBeGreaterThan(2)
    })

    test('has what the worker says of the tokens, and of those in its cache, of answers and of streams', async () => {
      const body = { ...chatBody('m'), messages: [{ role: 'user', content: 'Once more, with feeling. '.repeat(100) }] }
      for (const [at, stream] of [false, false, true].entries()) {
        await chat(
          { ...body, stream, ...(stream ? { stream_options: { include_usage: true } } : {}) },
          {
            'x-request-id': `log-usage-${at}`,
          },
        )
        const { usage, cached_tokens: cached } = await closed(`log-usage-${at}`)
        const prompt = (usage as { readonly prompt_tokens: number }).prompt_tokens
        expect(prompt).toBeGreaterThan(100)
        if (at === 0) continue
        expect(cached).toEqual({ actual: expect.any(Number) })
        expect((cached as { readonly actual: number }).actual).toBeGreaterThan(prompt / 2)
      }
    })

    test('shows a stream while it runs, and what became of it', async () => {
      const body = { ...chatBody('m'), stream: true, max_tokens: 5_000 }
      const { reply, leave } = send(`${fleet.url}/v1/chat/completions`, body, {
        headers: { 'x-request-id': 'log-open' },
      })
      await (await reply).next()
      expect(await found('log-open', () => true)).toMatchObject({ lifecycle_state: 'in_progress', model: 'm' })
      leave('reset')
      expect(await closed('log-open')).toMatchObject({ lifecycle_state: 'aborted', stream_end: 'client_aborted' })
    })

    test('has one record a request under load, and says how it is doing', async () => {
      const prefix = `load-${Date.now()}-`
      const ids = Array.from({ length: 300 }, (_, n) => prefix + n)
      await Promise.all(ids.map((id) => chat(chatBody('m'), { 'x-request-id': id })))
      let listed: readonly Listed[] = []
      await until(
        async () => {
          listed = (await list()).filter(({ request_id: id }) => String(id).startsWith(prefix))
          return listed.length >= 300
        },
        TIME_MS,
        () => `${listed.length} of 300 records`,
      )
      expect(new Set(listed.map((record) => record['request_id']))).toEqual(new Set(ids))
      expect(new Set(listed.map((record) => record['decision_id'])).size).toBe(300)
      const kind = runtime === 'workerd' ? 'durable_object' : 'file'
      await until(
        async () => {
          const { decision_log: log, decisions_logged: count } = (await admin.get('/admin/stats')).json()
          expect(log).toMatchObject({ kind, stored: count, lost: 0, failing: null })
          return count >= 300
        },
        TIME_MS,
        () => 'the log did not take them',
      )
    })

    test.skipIf(runtime === 'workerd')('has a file that holds closed records and nothing else', async () => {
      await chat(chatBody('m'), { 'x-request-id': 'log-last' })
      await until(
        async () => (await readFile(path, 'utf8')).includes('"log-last"'),
        TIME_MS,
        () => 'the record does not reach the file',
      )
      const text = await readFile(path, 'utf8')
      const records = text
        .slice(0, -1)
        .split('\n')
        .map((line) => decisionRecordSchema.parse(JSON.parse(line)))
      expect(new Set(records.map((record) => record.decision_id)).size).toBe(records.length)
      const views = new Set(records.flatMap((record) => record.view_hash ?? []))
      for (const hash of views) {
        expect(JSON.parse(await readFile(join(`${path}.views`, `${hash}.json`), 'utf8'))).toMatchObject({
          view_hash: hash,
        })
      }
      expect(views.size).toBeGreaterThan(0)
    })
  })
}

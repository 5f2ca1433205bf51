// cache_aware over HTTP: prompts go where their KV cache is, as workers themselves count it.

import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { fetchWhole } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { tally } from './routing-bench.ts'

type Name = 'a' | 'b' | 'c'

const ADMIN_KEY = 'cache-aware-admin-0123456789'
const PATIENCE_MS = 20_000

/** What a record holds about caches. */
interface CacheRecord {
  readonly policy?: string
  readonly worker?: string
  readonly prefix?: { readonly prompt_tokens: number; readonly cached?: Readonly<Record<string, number>> }
  readonly cached_tokens?: { readonly predicted?: number; readonly actual?: number }
  readonly candidates?: readonly { readonly worker: string; readonly veto?: string; readonly parts?: object }[]
}

interface Asked {
  readonly status: number
  readonly worker: string
  readonly record: CacheRecord
  readonly text: string
}

interface Given {
  readonly fleet: LiveFleet<Name>
  ask(path: string, body: object): Promise<Asked>
  /** A chat of these messages. */
  chat(messages: readonly object[], more?: object): Promise<Asked>
}

export function cacheRouting(runtime: RuntimeName): void {
  describe('cache_aware', () => {
    const usual = { models: ['m', 'other'], kvBlocks: 100_000 }
    const fleet = liveFleet<Name>(runtime, {
      workers: { a: usual, b: usual, c: usual },
      config: (urls) => ({
        workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
        policy: { type: 'cache_aware', block_bytes: 512 },
        model_rules: [{ match: 'alias', rewrite: 'm' }],
        admin_api_key: ADMIN_KEY,
      }),
    })
    let count = 0
    async function ask(path: string, body: object): Promise<Asked> {
      const id = `${runtime}-cache-${++count}`
      const answer = await fetchWhole(
        `${fleet.url}${path}`,
        { model: 'm', max_tokens: 2, ...body },
        { headers: { 'x-request-id': id } },
      )
      const record = (await fleet.router.record((line) => line['request_id'] === id)) as CacheRecord
      return {
        status: answer.status,
        worker: String(answer.headers['x-vllm-router-worker']),
        record,
        text: answer.text,
      }
    }
    const given: Given = { fleet, ask, chat: (messages, more) => ask('/v1/chat/completions', { messages, ...more }) }
    conversations(given)
    prompts(given)
    changes(given)
    dryRuns(given)
  })
}

/** Some 1,000 tokens that nobody else sends. */
function words(name: string): string {
  return Array.from({ length: 300 }, (_, at) => `${name} says word ${at}.`).join(' ')
}

const user = (content: unknown) => ({ role: 'user', content })

function conversations({ chat }: Given): void {
  test('two conversations keep to their workers, and find there what was foreseen', async () => {
    // Workers remember what an earlier try of this test has said.
    const talks = [randomUUID(), randomUUID()].map((name) => ({
      messages: [user(words(name))] as object[],
      workers: [] as string[],
    }))
    for (let turn = 0; turn < 4; turn += 1) {
      for (const talk of talks) {
        const { worker, record } = await chat(talk.messages)
        talk.workers.push(worker)
        const { predicted = -1, actual = -1 } = record.cached_tokens ?? {}
        if (turn > 0) {
          expect(actual).toBeGreaterThan(500)
          // Whole blocks on either side, and bytes for tokens.
          expect(predicted / actual).toBeGreaterThan(0.6)
          expect(predicted / actual).toBeLessThan(1.4)
          expect(record.prefix?.cached?.[worker]).toBe(predicted)
        } else expect(predicted).toBe(0)
        talk.messages.push(
          { role: 'assistant', content: `turn ${turn}` },
          user(`and then? ${words('more').slice(0, 400)}`),
        )
      }
    }
    for (const { workers } of talks) expect(new Set(workers).size).toBe(1)
  })

  test('a stream does the same, and its record says what the worker counted', async () => {
    const messages = [user(words(randomUUID()))]
    const { worker } = await chat(messages)
    const again = await chat([...messages, user('go on')], { stream: true, stream_options: { include_usage: true } })
    expect(again.worker).toBe(worker)
    expect(again.record.cached_tokens?.actual).toBeGreaterThan(500)
  })

  test('new prompts are spread over all workers', async () => {
    const workers: string[] = []
    for (let index = 0; index < 30; index += 1) workers.push((await chat([user(words(randomUUID()))])).worker)
    expect(Object.keys(tally(workers)).sort()).toEqual(['a', 'b', 'c'])
  })
}

function prompts({ ask, chat }: Given): void {
  test('the same words in other roles, under other tools, of other models or salts are other prompts', async () => {
    const text = words(randomUUID())
    await chat([user(text)])
    const tools = [{ type: 'function', function: { name: 'look', parameters: { type: 'object' } } }]
    const others = [
      await chat([{ role: 'system', content: text }, user('hm')]),
      await chat([user(text)], { tools }),
      await chat([user(text)], { model: 'other' }),
      await chat([user(text)], { cache_salt: 'acme' }),
      await ask('/v1/completions', { prompt: text }),
    ]
    for (const { status, record } of others) {
      expect(status).toBe(200)
      expect(record.cached_tokens?.predicted).toBe(0)
    }
  })

  test('the same prompt under an alias, or through another API, is the same', async () => {
    const said = user(words(randomUUID()))
    const { worker } = await chat([said])
    const others = [
      await chat([said, user('go on')], { model: 'alias' }),
      await ask('/v1/responses', { input: said.content }),
      await ask('/v1/messages', { messages: [said], max_tokens: 2 }),
    ]
    for (const other of others) {
      expect(other.status).toBe(200)
      expect(other.worker).toBe(worker)
      expect(other.record.cached_tokens?.predicted).toBeGreaterThan(500)
    }
  })

  test('token ids are a prompt', async () => {
    const ids = Array.from({ length: 900 }, (_, at) => 1_000 + (at % 700))
    const { worker } = await ask('/v1/completions', { prompt: ids })
    const again = await ask('/v1/completions', { prompt: [...ids, 5, 6, 7] })
    expect(again.worker).toBe(worker)
    expect(again.record.prefix?.prompt_tokens).toBe(903)
    expect(again.record.cached_tokens?.predicted).toBe(896)
    expect(again.record.cached_tokens?.actual).toBeGreaterThan(800)
  })

  test('what generates nothing is not looked for', async () => {
    const { status, record } = await ask('/v1/embeddings', { input: words('hal') })
    expect(status).toBe(200)
    expect(record.policy).toBe('cache_aware')
    expect(record.prefix).toBeUndefined()
  })
}

function changes({ fleet, chat }: Given): void {
  test('a worker that is out for a moment keeps what is known of it', async () => {
    const messages = [user(words(randomUUID()))]
    const first = await chat(messages)
    const out = fleet.worker(first.worker as Name) // one of the three, as the answer's header says
    await out.setFaults({ refuse: true })
    const vetoOf = async () => {
      const { record } = await chat([user('anybody?')])
      return record.candidates?.find(({ worker }) => worker === first.worker)?.veto
    }
    await until(
      async () => (await vetoOf()) !== undefined,
      PATIENCE_MS,
      () => 'nobody noticed',
    )
    await out.setFaults({})
    await until(
      async () => (await vetoOf()) === undefined,
      PATIENCE_MS,
      () => 'it did not come back',
    )
    const again = await chat([...messages, user('go on')])
    expect(again.worker).toBe(first.worker)
    expect(again.record.cached_tokens?.actual).toBeGreaterThan(500)
  })

  test('an attempt that never reached its worker leaves nothing behind', async () => {
    const messages = [user(words(randomUUID()))]
    const first = await chat(messages)
    const out = fleet.worker(first.worker as Name) // as above
    await out.setFaults({ refuse: true })
    const longer = [...messages, user(words(randomUUID()))]
    const moved = await chat(longer)
    expect(moved.status).toBe(200)
    expect(moved.worker).not.toBe(first.worker)
    await out.setFaults({})
    const { record } = await chat([...longer, user('go on')])
    const cached = record.prefix?.cached ?? {}
    expect(cached[first.worker] ?? 0).toBeLessThan(cached[moved.worker] ?? 0)
  })

  test('a new configuration forgets nothing but workers that are gone', async () => {
    const admin = adminClient(() => fleet.url, ADMIN_KEY)
    const messages = [user(words(randomUUID()))]
    const first = await chat(messages)
    const config = (more: object, names: readonly Name[]) => ({
      workers: names.map((id) => ({ id, url: fleet.worker(id).url })),
      policy: { type: 'cache_aware', block_bytes: 512, ...more },
      admin_api_key: ADMIN_KEY,
      disable_circuit_breaker: true,
    })
    const all: readonly Name[] = ['a', 'b', 'c']
    await admin.putConfig(config({ request_ms: 10 }, all))
    const kept = await chat([...messages, user('go on')])
    expect(kept.worker).toBe(first.worker)
    expect(kept.record.cached_tokens?.predicted).toBeGreaterThan(500)
    await admin.putConfig(
      config(
        {},
        all.filter((name) => name !== first.worker),
      ),
    )
    await admin.putConfig(config({}, all))
    const { record } = await chat([...messages, user('go on')])
    expect(record.prefix?.cached?.[first.worker]).toBeUndefined()
  })
}

function dryRuns({ fleet, chat }: Given): void {
  test('a dry run looks, and leaves the index as it was', async () => {
    const admin = adminClient(() => fleet.url, ADMIN_KEY)
    const body = { model: 'm', messages: [user(words(randomUUID()))] }
    const explain = async () => (await admin.post('/admin/explain', { body })).json().record as CacheRecord
    for (let look = 0; look < 2; look += 1) expect((await explain()).prefix?.cached).toBeUndefined()
    const { worker } = await chat(body.messages)
    expect((await explain()).prefix?.cached?.[worker]).toBeGreaterThan(500)
    expect((await explain()).worker).toBe(worker)
  })
}

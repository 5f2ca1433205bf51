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
  readonly prefix?: {
    readonly prompt_tokens: number
    readonly cached?: Readonly<Record<string, number>>
    readonly backlog?: Readonly<Record<string, number>>
  }
  readonly attempts?: readonly { readonly worker: string }[]
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
        decision_log: { include_prefix_hashes: true },
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
    replays(given)
    changes(given)
    dryRuns(given)
  })
}

/** A second worker is asked when the holder of a prompt is late; then both have it, and neither of them any longer waits. */
export function hedgedCacheRouting(runtime: RuntimeName): void {
  describe('cache_aware with hedges', () => {
    const usual = { models: ['m'], kvBlocks: 100_000 }
    const fleet = liveFleet<'a' | 'b'>(runtime, {
      workers: { a: usual, b: usual },
      config: (urls) => ({
        workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
        policy: { type: 'cache_aware', block_bytes: 512 },
        hedge: { after_ms: 1_000, max_share: 1 },
        admin_api_key: ADMIN_KEY,
      }),
    })

    test('what a hedge has won is cached at both, and what has lost waits for nothing', async () => {
      const admin = adminClient(() => fleet.url, ADMIN_KEY)
      const messages = [user(words(randomUUID()))]
      const chat = async (id: string, more: object) => {
        const body = { model: 'm', max_tokens: 2, messages, ...more }
        const answer = await fetchWhole(`${fleet.url}/v1/chat/completions`, body, { headers: { 'x-request-id': id } })
        expect(answer.status).toBe(200)
        return (await fleet.router.record((line) => line['request_id'] === id)) as CacheRecord
      }
      const { worker: first } = await chat(`${runtime}-hedge-1`, {})
      await fleet.worker(first as 'a' | 'b').setFaults({ hang: true }) // one of the two, as its record says
      for (const more of [{}, { stream: true }]) {
        messages.push(user(words(randomUUID())))
        const { worker, attempts = [] } = await chat(`${runtime}-hedge-${messages.length}`, more)
        expect(worker).not.toBe(first)
        // From the second on both hold as much.
        if (messages.length === 2) expect(attempts.map((attempt) => attempt.worker)).toEqual([first, worker])
      }
      const explained = await admin.post('/admin/explain', { body: { model: 'm', messages } })
      const { prefix } = explained.json().record as CacheRecord
      expect(Object.keys(prefix?.cached ?? {}).sort()).toEqual(['a', 'b'])
      expect(prefix?.backlog).toBeUndefined()
    })
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

function replays({ fleet, chat }: Given): void {
  test('decisions come out the same again, and under other options by a model of caches that fills as they did', async () => {
    const admin = adminClient(() => fleet.url, ADMIN_KEY)
    const names: readonly Name[] = ['a', 'b', 'c']
    const config = (requestMs: number) => ({
      workers: names.map((id) => ({ id, url: fleet.worker(id).url })),
      policy: { type: 'cache_aware', block_bytes: 512, request_ms: requestMs },
      admin_api_key: ADMIN_KEY,
      decision_log: { include_prefix_hashes: true },
      disable_circuit_breaker: true,
    })
    await admin.putConfig(config(20))
    const since = new Date().toISOString()
    const messages: object[] = [user(words(randomUUID()))]
    for (let turn = 0; turn < 5; turn += 1) {
      await chat(messages)
      messages.push({ role: 'assistant', content: 'well' }, user(words(`turn ${turn}`)))
    }
    const replay = async (requestMs: number) => {
      const answer = await admin.post('/admin/replay', { since, config: config(requestMs) })
      expect(answer.status, answer.text).toBe(200)
      return answer.json()
    }
    expect(await replay(20)).toMatchObject({ total: 5, same: 5, exact: { same: 5 } })
    const others = await replay(21)
    expect(others).toMatchObject({ total: 5, same: 5, modelled: { same: 5 } })
    // From the newest on nothing would be found: each prompt is longer than the one after it.
    expect(others.prefix.after.cached_tokens).toBeGreaterThan(others.prefix.after.tokens / 2)
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

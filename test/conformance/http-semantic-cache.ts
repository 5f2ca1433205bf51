// The semantic cache as callers see it: what counts as the same question, what never does, and what becomes of a request when
// its vector can't be had. Where its answers can be is in http-response-cache-places.ts.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, postJson } from '../support/ask.ts'
import { type EmbeddingsServer, startEmbeddingsServer } from '../support/embeddings-server.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const CHAT = '/v1/chat/completions'
const KEYS = { acme: 'acme-0123456789', zeta: 'zeta-0123456789', admin: 'admin-0123456789' }
const as = (tenant: 'acme' | 'zeta') => ({ authorization: `Bearer ${KEYS[tenant]}` })

/** Two ways to ask one thing, and another thing. */
const ASKED = 'How do I reset the password of my account?'
const REWORDED = 'How is it that I reset the password of the account?'
const OTHER = 'Which planets of the solar system have rings?'

const user = (content: unknown) => ({ role: 'user', content })

function body(text: string, more: object = {}): object {
  return { model: 'm', temperature: 0, max_tokens: 4, messages: [user(text)], ...more }
}

const statusOf = ({ headers }: Answered) => headers.get('x-vllm-router-cache-status')

export function semanticCacheConformance(runtime: RuntimeName): void {
  describe(`the semantic cache on ${runtime}`, () => {
    let embeddings: EmbeddingsServer
    beforeAll(async () => {
      embeddings = await startEmbeddingsServer()
    })
    afterAll(() => embeddings?.close())
    const fleet = liveFleet<'sim'>(runtime, {
      workers: { sim: { models: ['m', 'other'] } },
      config: ({ sim }) => ({
        workers: [{ id: 'sim', url: sim }],
        api_keys: [
          { name: 'acme', key: KEYS.acme },
          { name: 'zeta', key: KEYS.zeta },
        ],
        admin_api_key: KEYS.admin,
        cache: { ttl_secs: 600 },
        semantic_cache: {
          embeddings_url: embeddings.url,
          embeddings_model: 'any',
          embedding_timeout_ms: 5_000,
          threshold: 0.9,
        },
      }),
    })
    const admin = adminClient(() => fleet.url, KEYS.admin)
    const chat = (asked: object, tenant: 'acme' | 'zeta' = 'acme') => postJson(fleet.url + CHAT, asked, as(tenant))
    // A test that is tried again finds nothing of its first try.
    let run = 0
    beforeEach(() => void (run += 1))
    /** Each test has questions of its own: a system prompt parts them from the others'. */
    const within = (name: string, text: string, more: object = {}) =>
      body(text, { messages: [{ role: 'system', content: `${name} ${run}` }, user(text)], ...more })

    test('gives the answer to a question that means the same, and says how near it is', async () => {
      const first = await chat(within('near', ASKED))
      const second = await chat(within('near', REWORDED))
      expect([statusOf(first), statusOf(second)]).toEqual(['miss', 'semantic-hit'])
      expect(second.text).toBe(first.text)
      expect(second.headers.get('x-vllm-router-method')).toBe('semantic-hit')
      const similarity = second.headers.get('x-vllm-router-cache-similarity') ?? ''
      expect(similarity).toMatch(/^0\.\d{6}$/)
      expect(Number(similarity)).toBeGreaterThanOrEqual(0.9)
      expect(first.headers.get('x-vllm-router-cache-similarity')).toBeNull()
      const id = second.headers.get('x-request-id')
      const record = await fleet.router.record(({ request_id }) => request_id === id)
      expect(record).toMatchObject({ method: 'semantic-hit', cache_status: 'semantic-hit', attempts: [] })
      expect(Number(record['cache_similarity']).toFixed(6)).toBe(similarity)
      // The very same words are found without a vector.
      expect(statusOf(await chat(within('near', ASKED)))).toBe('exact-hit')
      expect(statusOf(await chat(within('near', OTHER)))).toBe('miss')
    })

    test('streams are streams, and apart from answers that are none', async () => {
      const first = await chat(within('streams', ASKED, { stream: true }))
      const second = await chat(within('streams', REWORDED, { stream: true }))
      expect([statusOf(first), statusOf(second)]).toEqual(['miss', 'semantic-hit'])
      expect(second.text).toBe(first.text)
      expect(statusOf(await chat(within('streams', REWORDED)))).toBe('miss')
    })

    const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }

    test.each<[string, (system: object) => object]>([
      ['another model', () => ({ model: 'other' })],
      ['other sampling', () => ({ temperature: 1, seed: 3 })],
      ['another length', () => ({ max_tokens: 5 })],
      ['tools', () => ({ tools: [{ type: 'function', function: { name: 'f', parameters: {} } }] })],
      ['another response format', () => ({ response_format: { type: 'json_object' } })],
      ['another system prompt', () => ({ messages: [{ role: 'system', content: 'pirate' }, user(REWORDED)] })],
      ['no system prompt', () => ({ messages: [user(REWORDED)] })],
      [
        'turns before',
        (system) => ({ messages: [system, user('a'), { role: 'assistant', content: 'b' }, user(REWORDED)] }),
      ],
      ['a name', (system) => ({ messages: [system, { ...user(REWORDED), name: 'bob' }] })],
      ['a picture', (system) => ({ messages: [system, user([{ type: 'text', text: REWORDED }, picture])] })],
    ])('%s is never the same', async (name, more) => {
      const system = { role: 'system', content: `parted by ${name} ${run}` }
      const asking = (text: string) => body(text, { messages: [system, user(text)] })
      await chat(asking(ASKED))
      expect(statusOf(await chat({ ...asking(REWORDED), ...more(system) }))).not.toMatch(/hit/)
      // With nothing else changed it is.
      expect(statusOf(await chat(asking(REWORDED)))).toBe('semantic-hit')
    })

    test('another tenant never gets it', async () => {
      await chat(within('tenants', ASKED))
      expect(statusOf(await chat(within('tenants', REWORDED)))).toBe('semantic-hit')
      const own = await chat(within('tenants', REWORDED), 'zeta')
      expect(statusOf(own)).toBe('miss')
      // What is near then is that tenant's own.
      const near = await chat(within('tenants', ASKED), 'zeta')
      expect([statusOf(near), near.text]).toEqual(['semantic-hit', own.text])
    })

    test('what is not deterministic, or too long to compare, is not looked up', async () => {
      const before = embeddings.texts().length
      expect(statusOf(await chat(within('long', 'again and '.repeat(400))))).toBe('miss')
      expect(statusOf(await chat({ model: 'm', messages: [user(ASKED)], max_tokens: 2 }))).toBe('bypass')
      expect(embeddings.texts().length).toBe(before)
    })

    test('other numbers are another question, however near the two are', async () => {
      const asking = (year: number) => within('numbers', `Which planets of the solar system were visited in ${year}?`)
      const first = await chat(asking(1977))
      expect(statusOf(await chat(asking(1979)))).toBe('miss')
      const reworded = within('numbers', 'In 1977, which planets of the solar system were visited?')
      const second = await chat(reworded)
      expect([statusOf(second), second.text]).toEqual(['semantic-hit', first.text])
    })

    test('who wants a fresh answer gets one, and it is what the next is given', async () => {
      const first = await chat(within('fresh', ASKED))
      const fresh = await postJson(fleet.url + CHAT, within('fresh', ASKED), {
        ...as('acme'),
        'cache-control': 'no-cache',
      })
      expect(statusOf(fresh)).toBe('bypass')
      expect(fresh.text).not.toBe(first.text)
      const second = await chat(within('fresh', REWORDED))
      expect([statusOf(second), second.text]).toEqual(['semantic-hit', fresh.text])
    })

    test('a purge is of these answers too', async () => {
      await chat(within('purged', ASKED))
      expect(statusOf(await chat(within('purged', REWORDED)))).toBe('semantic-hit')
      const purged = await admin.post('/admin/cache/purge', { tenant: 'acme' })
      expect(purged.json()).toMatchObject({ cache: { backend: 'memory' }, semantic_cache: { backend: 'memory' } })
      expect(statusOf(await chat(within('purged', REWORDED)))).toBe('miss')
    })

    test('one answer goes by the key that the record of a hit has', async () => {
      await chat(within('keyed', ASKED))
      const hit = await chat(within('keyed', REWORDED))
      expect(statusOf(hit)).toBe('semantic-hit')
      const id = hit.headers.get('x-request-id')
      const record = await fleet.router.record(({ request_id }) => request_id === id)
      await admin.post('/admin/cache/purge', { key: record['cache_key'] })
      expect(statusOf(await chat(within('keyed', REWORDED)))).toBe('miss')
    })

    test('without vectors every request is served, and a model of other vectors is another', async () => {
      await chat(within('down', ASKED))
      embeddings.behave('status-500')
      for (const text of ['Where is the nearest harbour?', 'Who wrote the first novel?']) {
        const answer = await chat(within('down', text))
        expect([answer.status, statusOf(answer)]).toEqual([200, 'miss'])
      }
      embeddings.behave('well')
      embeddings.resize(64)
      const answer = await chat(within('down', 'How is it that I reset the password of an account?'))
      expect([answer.status, statusOf(answer)]).toEqual([200, 'miss'])
    })
  })

  describe(`the semantic cache of decisions on ${runtime}`, () => {
    let embeddings: EmbeddingsServer
    beforeAll(async () => {
      embeddings = await startEmbeddingsServer()
    })
    afterAll(() => embeddings?.close())
    const plugin = (configuration: object) => [{ type: 'semantic-cache', configuration }]
    const fleet = liveFleet<'sim'>(runtime, {
      workers: { sim: { models: ['m'] } },
      config: ({ sim }) => ({
        workers: [{ id: 'sim', url: sim }],
        semantic_cache: { enabled: false, embeddings_url: embeddings.url, embedding_timeout_ms: 5_000 },
        // Of the same server and model, so that one vector serves all three.
        semantic_cluster: {
          embeddings_url: embeddings.url,
          embedding_timeout_ms: 5_000,
          threshold: 0.3,
          clusters: [{ name: 'accounts', examples: ['My account and its password'], workers: ['sim'] }],
        },
        signal_timeout_ms: 20_000,
        signal_servers: { embedding: { url: embeddings.url, timeout_ms: 5_000 } },
        signals: {
          embeddings: [{ name: 'help', threshold: 0.4, candidates: ['How do I get into my account again?'] }],
          keywords: [
            { name: 'account', operator: 'OR', keywords: ['password'] },
            { name: 'space', operator: 'OR', keywords: ['planets'] },
          ],
        },
        decisions: [
          {
            name: 'help',
            priority: 1,
            rules: { operator: 'AND', conditions: [{ type: 'embedding', name: 'help' }] },
            modelRefs: [{ model: 'm', use_reasoning: false }],
          },
          {
            name: 'account',
            priority: 10,
            rules: { operator: 'AND', conditions: [{ type: 'keyword', name: 'account' }] },
            modelRefs: [{ model: 'm', use_reasoning: false }],
            plugins: plugin({ similarity_threshold: 0.8 }),
          },
          {
            name: 'space',
            priority: 5,
            rules: { operator: 'AND', conditions: [{ type: 'keyword', name: 'space' }] },
            modelRefs: [{ model: 'm', use_reasoning: false }],
          },
        ],
      }),
    })
    // A test that is tried again finds nothing of its first try.
    let run = 0
    beforeEach(() => void (run += 1))
    const send = (text: string) => postJson(fleet.url + CHAT, body(text, { max_tokens: 4 + run }))

    test('is on where its plugin says so, at the threshold that it says', async () => {
      expect(statusOf(await send(ASKED))).toBe('miss')
      const hit = await send('How can I reset the password of my account?')
      expect(statusOf(hit)).toBe('semantic-hit')
      expect(Number(hit.headers.get('x-vllm-router-cache-similarity'))).toBeLessThan(0.95)
    })

    test('a signal, a cluster and the cache ask for one vector between them', async () => {
      let asked = 0
      const isClustered = ({ headers }: Answered) => headers.get('x-vllm-router-cluster') === 'accounts'
      await until(
        async () => isClustered(await send(`My account and its password, number ${(asked += 1)}`)),
        30_000,
        () => 'the examples have no vectors',
      )
      const text = `Please tell me about my account and its password, number ${run}`
      const before = embeddings.questions().length
      const answer = await send(text)
      expect([isClustered(answer), statusOf(answer)]).toEqual([true, 'miss'])
      const questions = embeddings.questions().slice(before)
      expect(questions.map(({ body: question }) => question['input'])).toEqual([[text]])
    })

    test('and off elsewhere', async () => {
      await send(OTHER)
      expect(statusOf(await send(OTHER))).toBe('bypass')
    })
  })
}

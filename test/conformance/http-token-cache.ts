// The token cache over HTTP: what is tokenised how often, by what a worker's tokenizer route was really asked.

import { createClient } from '@redis/client'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fetchWhole } from '../support/http-client.ts'
import { launchRouter, type LaunchedRouter, type RuntimeName, until } from '../support/launch.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { startUpstashProxy, type UpstashProxy } from '../support/upstash-proxy.ts'
import { type LmcacheBench, lmcacheBench, type Looked, promptOf } from './lmcache-bench.ts'

/** Generous: what is measured is whether the store is used, not how fast this machine is. */
const READ_BUDGET_MS = 5_000

export function tokenCacheConformance(runtime: RuntimeName): void {
  describe(`token cache on ${runtime}`, () => {
    describe('in memory', () => {
      const bench = lmcacheBench(runtime, { config: () => ({ prompt_cache: {} }) })

      test('the same chat is tokenised once, whatever its sampling; another message anew', async () => {
        const prompt = newPrompt(2)
        expect(await tokenised(bench, () => bench.chat(prompt))).toBe(1)
        expect(await tokenised(bench, () => bench.chat(prompt))).toBe(0)
        expect(await tokenised(bench, () => bench.chat(prompt, { temperature: 0.3, top_p: 0.9, seed: 4 }))).toBe(0)
        expect(await tokenised(bench, () => bench.chat(`${prompt} more`))).toBe(1)
        const { steps } = await bench.chat(prompt)
        expect(steps).toMatchObject({ tokenize: 'cached' })
      })

      test('tools and template arguments are part of the prompt', async () => {
        const prompt = newPrompt(2)
        await bench.chat(prompt)
        const tools = [{ type: 'function', function: { name: 'f', parameters: {} } }]
        expect(await tokenised(bench, () => bench.chat(prompt, { tools }))).toBe(1)
        expect(await tokenised(bench, () => bench.chat(prompt, { tools }))).toBe(0)
        const chat_template_kwargs = { enable_thinking: false }
        expect(await tokenised(bench, () => bench.chat(prompt, { chat_template_kwargs }))).toBe(1)
      })
    })

    describe('by message prefix', () => {
      const bench = lmcacheBench(runtime, { config: () => ({ prompt_cache: { by_message_prefix: true } }) })

      test('a repeated system prompt with a new question is looked up without being tokenised', async () => {
        const system = { role: 'system', content: newPrompt(3) }
        const ask = (content: string) =>
          bench.ask('/v1/chat/completions', {
            model: 'm',
            messages: [system, { role: 'user', content }],
            max_tokens: 1,
          })
        const before = bench.tokenised()
        await ask('What is red?')
        // The second one is of the system prompt alone, beside the answer.
        await until(
          () => bench.tokenised() === before + 2,
          10_000,
          () => `${bench.tokenised() - before} questions`,
        )
        // Its ids may still be on their way to the router.
        let question = 0
        await until(
          async () => (await ask(`What is blue in ${(question += 1)}?`)).steps['tokenize'] === 'prefix',
          10_000,
          () => 'the beginning never came to be known',
        )
        expect(await tokenised(bench, () => ask('And what is green?'))).toBe(0)
      })
    })

    describe('for two tenants', () => {
      const api_keys = ['one', 'two'].map((name) => ({ name, key: `key-of-${name}` }))
      const bench = lmcacheBench(runtime, { config: () => ({ api_keys, prompt_cache: {} }) })

      test('neither finds what the other left', async () => {
        const messages = [{ role: 'user', content: newPrompt(2) }]
        const ask = (name: string) =>
          bench.ask(
            '/v1/chat/completions',
            { model: 'm', messages, max_tokens: 1 },
            { authorization: `Bearer key-of-${name}` },
          )
        const counts: number[] = []
        for (const name of ['one', 'two', 'one', 'two']) counts.push(await tokenised(bench, () => ask(name)))
        expect(counts).toEqual([1, 1, 0, 0])
      })
    })

    describe.each(kindsFor(runtime))('in Redis over %s', (kind) => {
      let redis: RedisServer | null = null
      let proxy: UpstashProxy | null = null
      let second: LaunchedRouter | null = null
      beforeAll(async () => {
        redis = await startRedisServer()
        proxy = await startUpstashProxy(redis.url)
      })
      afterAll(async () => {
        await second?.stop()
        await proxy?.close()
        await redis?.stop()
      })
      const address = () => (kind === 'TCP' ? { url: redis?.url } : { rest_url: proxy?.url, token: proxy?.token })
      const bench = lmcacheBench(runtime, {
        config: () => ({
          prompt_cache: {
            backend: 'redis',
            redis: { ...address(), command_timeout_ms: 10_000 },
            read_budget_ms: READ_BUDGET_MS,
          },
        }),
      })

      beforeAll(async () => {
        second = await launchRouter(runtime, { config: await readFile(bench.fleet.router.configPath, 'utf8') })
      })

      test('what one router has had tokenised, another one knows', async () => {
        const messages = [{ role: 'user', content: newPrompt(2) }]
        const body = { model: 'm', messages, max_tokens: 1 }
        const kept = await keptIn(redis?.url ?? '')
        expect(await tokenised(bench, () => bench.ask('/v1/chat/completions', body))).toBe(1)
        // It is written once the answer is out.
        await until(
          async () => (await keptIn(redis?.url ?? '')) > kept,
          20_000,
          () => 'its ids were never written',
        )
        const before = bench.tokenised()
        const { status, headers } = await fetchWhole(`${second?.url}/v1/chat/completions`, body)
        expect([status, bench.tokenised() - before]).toEqual([200, 0])
        const record = await second?.record((line) => line['request_id'] === headers['x-request-id'])
        expect(record?.['steps']).toContainEqual(expect.objectContaining({ step: 'tokenize', outcome: 'cached' }))
      })
    })

    describe('in a Redis that is not there', () => {
      const address =
        runtime === 'workerd' ? { rest_url: NOBODY, token: 't' } : { url: NOBODY.replace('http', 'redis') }
      const bench = lmcacheBench(runtime, { config: () => ({ prompt_cache: { backend: 'redis', redis: address } }) })

      test('prompts are tokenised, and known again in memory', async () => {
        const prompt = newPrompt(2)
        for (let round = 0; round < 7; round += 1) {
          expect(await bench.chat(`${prompt} ${round}`)).toMatchObject({ status: 200, steps: { tokenize: 'ok' } })
        }
        expect(await bench.chat(`${prompt} 0`)).toMatchObject({ status: 200, steps: { tokenize: 'cached' } })
      })
    })
  })
}

/** Port 9 discards what comes, where anybody listens at all. */
const NOBODY = 'http://127.0.0.1:9'

/** Workers have no sockets here. */
function kindsFor(runtime: RuntimeName): readonly ('TCP' | 'HTTP')[] {
  return runtime === 'workerd' ? ['HTTP'] : ['TCP', 'HTTP']
}

/** Prompts that a Redis has the ids of. */
async function keptIn(url: string): Promise<number> {
  const client = createClient({ url })
  await client.connect()
  try {
    return (await client.keys('vllm-router:tokens:*')).length
  } finally {
    client.destroy()
  }
}

/** One that no test, and no earlier try of one, has asked about. */
function newPrompt(chunks: number): string {
  return promptOf(Math.random().toString(36).slice(2), chunks)
}

/** How often tokenizer routes were asked meanwhile. */
async function tokenised(bench: LmcacheBench, act: () => Promise<Looked>): Promise<number> {
  const before = bench.tokenised()
  const { status } = await act()
  // One that failed would be tokenised as seldom.
  expect(status).toBe(200)
  return bench.tokenised() - before
}

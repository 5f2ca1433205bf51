// `lmcache_aware` over HTTP: both control planes, what is asked of whom, and what becomes of requests when they fail.

import { describe, expect, test } from 'vitest'
import { fetchWhole } from '../support/http-client.ts'
import type { RuntimeName } from '../support/launch.ts'
import { lmcacheBench, promptOf } from './lmcache-bench.ts'
import { lmcacheFaults } from './http-lmcache-faults.ts'

const ADMIN_KEY = 'lmcache-admin-key'

export function lmcacheConformance(runtime: RuntimeName): void {
  describe(`lmcache on ${runtime}`, () => {
    describe.each(['legacy', 'coordinator'] as const)('the %s control plane', (type) => {
      const bench = lmcacheBench(runtime, { type })

      test('a prompt goes where it is cached, and the headers and the record say so', async () => {
        const prompt = promptOf(`${type}-same`, 3)
        const first = await bench.warm(prompt)
        for (let round = 0; round < 4; round += 1) {
          const { status, worker, method, record, steps } = await bench.chat(prompt)
          expect({ status, worker, method }).toEqual({ status: 200, worker: first, method: 'lmcache-prefix' })
          expect(record).toMatchObject({ method: 'lmcache-prefix', policy: 'lmcache_aware' })
          expect(steps).toMatchObject({ tokenize: 'ok', lookup: 'ok' })
          const known = record['lmcache'] as { matched: Record<string, number>; prompt_tokens: number }
          expect(Object.keys(known.matched)).toEqual([first])
          expect(known.matched[first]).toBeGreaterThanOrEqual(768)
          expect(known.matched[first]).toBeLessThanOrEqual(known.prompt_tokens)
        }
      })

      test('another prompt is a miss, and the fallback decides under its own name', async () => {
        const { status, method, policy, steps, record } = await bench.chat(promptOf(`${type}-new`, 2))
        expect({ status, method, policy }).toEqual({ status: 200, method: 'policy', policy: 'power_of_two' })
        expect(record['policy']).toBe('power_of_two')
        expect(steps).toMatchObject({ tokenize: 'ok', lookup: 'miss' })
        expect(record['lmcache']).toMatchObject({ matched: {} })
      })

      test('a short prompt is asked about nowhere', async () => {
        const before = bench.tokenised()
        const { status, steps } = await bench.chat('hello')
        expect(status).toBe(200)
        expect(steps).toEqual({ tokenize: 'short', occupancy: steps['occupancy'] })
        expect(bench.tokenised()).toBe(before)
      })

      test('token ids are looked up as they are', async () => {
        const tokenised = bench.tokenised()
        const prompt = Array.from({ length: 600 }, (_, index) => 1_000 + index)
        const body = { model: 'm', prompt, max_tokens: 1 }
        const { status, steps } = await bench.ask('/v1/completions', body)
        expect({ status, lookup: steps['lookup'] }).toEqual({ status: 200, lookup: 'miss' })
        expect(bench.tokenised()).toBe(tokenised)
      })
    })

    describe('tokenising', () => {
      const bench = lmcacheBench(runtime, { config: () => ({ admin_api_key: ADMIN_KEY }) })

      test('is asked of a worker with its key, with what the template sees and nothing else', async () => {
        const tools = [{ type: 'function', function: { name: 'f', parameters: {} } }]
        const { steps } = await bench.chat(promptOf('template', 2), {
          tools,
          temperature: 0.5,
          add_generation_prompt: true,
        })
        expect(steps).toMatchObject({ tokenize: 'ok' })
        const asked = ['a', 'b', 'c'].flatMap((name) => bench.fleet.worker(name as 'a').state().requests)
        const question = asked.find(({ target }) => target === '/tokenize')
        expect(question?.headers['authorization']).toBe('Bearer worker-key')
        const { model, messages, ...rest } = JSON.parse(question?.body ?? '{}')
        expect([model, messages.length]).toEqual(['m', 1])
        expect(rest).toEqual({ tools, add_generation_prompt: true })
      })

      test('messages of Anthropic and input of the Responses API are found again as chat', async () => {
        const prompt = promptOf('dialects', 3)
        const worker = await bench.warm(prompt)
        const messages = await bench.ask(
          '/v1/messages',
          { model: 'm', max_tokens: 1, messages: [{ role: 'user', content: prompt }] },
          { 'anthropic-version': '2023-06-01' },
        )
        const responses = await bench.ask('/v1/responses', { model: 'm', input: prompt, max_output_tokens: 1 })
        for (const asked of [messages, responses]) {
          expect(asked).toMatchObject({ status: 200, worker, method: 'lmcache-prefix', steps: { lookup: 'ok' } })
        }
      })

      test('is asked for a dry run, too, which goes nowhere else', async () => {
        const prompt = promptOf('dry', 3)
        const worker = await bench.warm(prompt)
        const calls = bench.fleet.calls().length
        const answer = await fetchWhole(
          `${bench.fleet.url}/admin/explain`,
          { body: { model: 'm', messages: [{ role: 'user', content: prompt }] } },
          { headers: { authorization: `Bearer ${ADMIN_KEY}` } },
        )
        const { record, sentences } = JSON.parse(answer.text)
        expect(record).toMatchObject({ method: 'lmcache-prefix', worker, policy: 'lmcache_aware' })
        expect(sentences.join('\n')).toContain('Looking the prompt up in LMCache gave an answer')
        // Questions to tokenizers are the router's own, and carry no id of a caller.
        expect(bench.fleet.calls()).toHaveLength(calls)
      })

      test('what is no plain text is not guessed at', async () => {
        const content = [
          { type: 'text', text: promptOf('parts', 2) },
          { type: 'text', text: 'more' },
        ]
        const body = { model: 'm', max_tokens: 1, messages: [{ role: 'user', content }] }
        const { status, steps } = await bench.ask('/v1/messages', body, { 'anthropic-version': '2023-06-01' })
        expect({ status, tokenize: steps['tokenize'] }).toEqual({ status: 200, tokenize: 'not_text' })
      })
    })

    lmcacheFaults(runtime)
  })
}

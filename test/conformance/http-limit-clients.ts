// What the official client libraries make of a limit that is reached.

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import type { LimitBench, TenantName } from './limit-fleet.ts'

const MESSAGES = [{ role: 'user' as const, content: 'hello' }]

export function limitClients(bench: LimitBench): void {
  const openai = (tenant: TenantName, maxRetries: number) =>
    new OpenAI({ baseURL: `${bench.fleet.url}/v1`, apiKey: bench.keyOf(tenant), maxRetries, logLevel: 'off' })
  const chat = (client: OpenAI) => client.chat.completions.create({ model: 'fast', messages: MESSAGES })

  describe('client libraries', () => {
    test('openai waits as long as Retry-After says, and gets through', async () => {
      const client = openai('patient', 1)
      await chat(client)
      const startedMs = performance.now()
      await chat(client)
      const waitedMs = performance.now() - startedMs
      expect(waitedMs).toBeGreaterThanOrEqual(950)
      expect(waitedMs).toBeLessThan(5_000)
    })

    test('openai raises its own error when it does not wait', async () => {
      const client = openai('impatient', 0)
      await chat(client).catch(() => {})
      const error: unknown = await chat(client).catch((cause: unknown) => cause)
      expect(error).toBeInstanceOf(OpenAI.RateLimitError)
      expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'rate_limit_error' })
    })

    test('openai shows the headers of an answer', async () => {
      const { response } = await openai('counted', 0)
        .chat.completions.create({ model: 'fast', messages: MESSAGES })
        .withResponse()
      expect(response.headers.get('x-ratelimit-limit-tokens')).toBe('1000000')
      expect(Number(response.headers.get('x-ratelimit-remaining-tokens'))).toBeGreaterThan(900_000)
      expect(response.headers.get('x-ratelimit-reset-tokens')).toMatch(/^\d+(?:ms|s)$/)
    })

    test('anthropic raises its own error', async () => {
      const client = new Anthropic({ baseURL: bench.fleet.url, apiKey: bench.keyOf('impatient'), maxRetries: 0 })
      const create = () => client.messages.create({ model: 'fast', max_tokens: 5, messages: MESSAGES })
      await create().catch(() => {})
      expect(await create().catch((cause: unknown) => cause)).toBeInstanceOf(Anthropic.RateLimitError)
    })
  })
}

// Limits that a configuration changes at run time, and what operators see of them.

import { describe, expect, test } from 'vitest'
import { chatBody, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { CHAT, type LimitBench, untilRefused } from './limit-fleet.ts'

export function limitChanges(bench: LimitBench): void {
  const chat = () => postJson(bench.fleet.url + CHAT, chatBody('fast'), bench.by('changing'))

  describe('limits that change', () => {
    test('hold for the next request', async () => {
      await bench.change({ changing: { rate_limit_rps: 1 } })
      await untilRefused(chat)
      await bench.change({ changing: {} })
      for (let sent = 0; sent < 5; sent++) expect((await chat()).status).toBe(200)
      await bench.change({ changing: { rate_limit_rps: 1 } })
      await untilRefused(chat)
    })

    test('count what runs already', async () => {
      await bench.change({ changing: { rate_limit_rps: 1000 } })
      const { reply, leave } = send(
        bench.fleet.url + CHAT,
        { ...chatBody('slow'), max_tokens: 100_000, stream: true },
        { headers: bench.by('changing') },
      )
      const opened = await reply
      expect(opened.status).toBe(200)
      await opened.next()
      await bench.change({ changing: { max_concurrent: 1 } })
      const refused = await chat()
      expect([refused.status, refused.text]).toEqual([429, expect.stringContaining('requests at a time (1)')])
      leave()
    })
  })

  test('operators see what limits leave', async () => {
    const answer = await postJson(bench.fleet.url + CHAT, chatBody('fast'), bench.by('counted'))
    expect(answer.status).toBe(200)
    const { tenants } = (await bench.admin.get('/admin/tenants')).json()
    const entry = (name: string) => tenants.find((tenant: { readonly name: string }) => tenant.name === name)
    expect(entry('counted')).toMatchObject({ tokens_per_minute: 1_000_000, remaining: { tokens: expect.any(Number) } })
    expect(entry('counted').remaining.tokens).toBeGreaterThan(900_000)
    expect(entry('free')).not.toHaveProperty('remaining')
    expect(entry('rate').total_rate_limited).toBeGreaterThan(0)
  })
}

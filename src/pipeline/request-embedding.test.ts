// One vector for a request, however many want it, and each waits for its own time.

import { Secret } from '../secret.ts'
import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { EmbeddingServerConfig } from '../config/config.ts'
import { Embedders } from '../upstream/embedders.ts'
import { type AskingExchange } from './signal-servers.ts'
import { embedRequestText } from './request-embedding.ts'

const SERVER: EmbeddingServerConfig = { url: 'http://e.test', binding: null, model: 'm', apiKey: null }
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

function bench() {
  const clock = createFakeClock()
  const answers: ((response: Response) => void)[] = []
  const platform = {
    ...clock,
    send: () => new Promise<Response>((resolve) => void answers.push(resolve)),
    classifySendError: () => ({ phase: 'not_sent', reason: 'refused' }) as const,
  }
  const parts = { platform, embedders: new Embedders(platform) }
  const tasks: Promise<unknown>[] = []
  const open = (): AskingExchange => {
    const context = { waitUntil: (task: Promise<unknown>) => void tasks.push(task), rawTarget: null }
    return { embeddings: new Map(), steps: [], context, tracing: null, callerTrace: null }
  }
  const { signal } = new AbortController()
  const ask = (exchange: AskingExchange, budgetMs = 500, server = SERVER, text = 'why') =>
    embedRequestText(parts, exchange, { server, text, budgetMs, signal })
  const asked = async (count: number) => {
    while (answers.length < count) await settle()
    // As many and no more.
    await settle()
    expect(answers).toHaveLength(count)
  }
  const give = (at: number) => answers[at]?.(Response.json({ data: [{ index: 0, embedding: [3, 4] }] }))
  return { clock, ask, asked, give, open, tasks }
}

describe('within one request', () => {
  test('askers of one server and text share a question', async () => {
    const bed = bench()
    const exchange = bed.open()
    const both = Promise.all([bed.ask(exchange), bed.ask(exchange)])
    await bed.asked(1)
    bed.give(0)
    expect((await both).map(({ kind }) => kind)).toEqual(['vector', 'vector'])
    expect(exchange.steps.map(({ step, outcome }) => [step, outcome])).toEqual([
      ['embedding', 'ok'],
      ['embedding', 'ok'],
    ])
    expect(bed.tasks).toHaveLength(1)
  })

  test('another model, key or text is another question', async () => {
    const bed = bench()
    const exchange = bed.open()
    const all = [
      bed.ask(exchange),
      bed.ask(exchange, 500, { ...SERVER, model: 'n' }),
      bed.ask(exchange, 500, { ...SERVER, apiKey: new Secret('k') }),
      bed.ask(exchange, 500, SERVER, 'how'),
    ]
    await bed.asked(4)
    for (const at of all.keys()) bed.give(at)
    expect((await Promise.all(all)).map(({ kind }) => kind)).toEqual(all.map(() => 'vector'))
  })

  test('who has less time goes on without; the answer is still there for the next request', async () => {
    const bed = bench()
    const exchange = bed.open()
    const patient = bed.ask(exchange, 500)
    const hasty = bed.ask(exchange, 100)
    await bed.asked(1)
    bed.clock.advance(100)
    expect(await hasty).toMatchObject({ kind: 'failure', reason: 'timeout' })
    bed.give(0)
    expect(await patient).toMatchObject({ kind: 'vector', isCached: false })
    expect(await bed.ask(bed.open())).toMatchObject({ kind: 'vector', isCached: true })
    expect(bed.clock.pending()).toBe(0)
  })
})

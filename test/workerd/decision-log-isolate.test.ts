// The decision log of an isolate: every request's record reaches its object beside the answer, and an object that can't be
// reached costs no request anything.

import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { DECISION_SHARDS, decisionShardName } from '../../src/store/decision-shard.ts'
import type { DecisionLog } from '../../src/runtime/cloudflare-decision-log.ts'
import type { ReadableRecord } from '../../src/store/decision-log.ts'
import { advance, chatInit, createIsolate, fake, POOL, useFleet } from './rig.ts'

useFleet()

async function storedRecords(): Promise<readonly ReadableRecord[]> {
  const shards = Array.from({ length: DECISION_SHARDS }, (_, number) => decisionShardName(POOL, number))
  const pages = await Promise.all(
    shards.map((name) => {
      const stub = env.DECISION_LOG.get(env.DECISION_LOG.idFromName(name)) as unknown as DurableObjectStub<DecisionLog>
      return stub.query({ filters: {}, after: null, limit: 1_000 })
    }),
  )
  return pages.flatMap((page) => page.records as readonly ReadableRecord[])
}

const withLog = { DECISION_LOG: env.DECISION_LOG }

describe('the log of an isolate', () => {
  test('has a record of every request, whatever became of it', async () => {
    const isolate = createIsolate({ env: withLog })
    const asked = [
      isolate.fetch('/v1/chat/completions', chatInit()),
      isolate.fetch('/v1/chat/completions', chatInit({ model: 'nobody-serves-this' })),
      isolate.fetch('/v1/chat/completions', { method: 'POST', body: '{"model":' }),
      isolate.fetch('/v1/models'),
    ]
    const answers = await Promise.all(asked)
    await Promise.all(answers.map(({ response }) => response.arrayBuffer()))
    await Promise.all(answers.map(({ beside }) => beside))
    const records = await storedRecords()
    const byId = new Map(records.map((record) => [record.decision_id, record]))
    for (const { response } of answers.slice(0, 3)) {
      const record = byId.get(response.headers.get('x-vllm-router-decision-id') ?? '')
      expect(record).toMatchObject({ status: response.status, lifecycle_state: 'completed' })
    }
    expect(records).toHaveLength(4)
  })

  test('costs no call while its records wait, and few calls in all', async () => {
    const appends: string[] = []
    const counted = {
      idFromName: (name: string) => env.DECISION_LOG.idFromName(name),
      get(id: DurableObjectId) {
        const stub = env.DECISION_LOG.get(id)
        return new Proxy(stub, {
          get(_, method) {
            if (method === 'append') appends.push(id.name ?? '')
            return (...given: unknown[]) => (Reflect.get(stub, method) as (...all: unknown[]) => unknown)(...given)
          },
        })
      },
    }
    const isolate = createIsolate({ env: { DECISION_LOG: counted } })
    await isolate.chat()
    appends.length = 0
    const answers = await Promise.all(
      Array.from({ length: 300 }, () => isolate.fetch('/v1/chat/completions', chatInit())),
    )
    await Promise.all(answers.map(({ response }) => response.arrayBuffer()))
    await Promise.all(answers.map(({ beside }) => beside))
    expect(await storedRecords()).toHaveLength(301)
    // Three sends that were full, or two and the rest, all to one object.
    expect(appends.length).toBeLessThanOrEqual(4)
    expect(new Set(appends).size).toBe(1)
  })

  test('that can not be reached costs no request anything', async () => {
    const broken = {
      idFromName: (name: string) => env.DECISION_LOG.idFromName(name),
      get: () => ({
        append: () => Promise.reject(new Error('Durable Object is overloaded')),
        putView: () => Promise.reject(new Error('Durable Object is overloaded')),
      }),
    }
    const isolate = createIsolate({ env: { DECISION_LOG: broken } })
    for (let at = 0; at < 20; at += 1) {
      const { response } = await isolate.fetch('/v1/chat/completions', chatInit())
      expect(response.status).toBe(200)
      await response.arrayBuffer()
      advance(50)
    }
  })

  test('that hangs costs no request anything', async () => {
    const hanging = {
      idFromName: (name: string) => env.DECISION_LOG.idFromName(name),
      get: () => ({ append: () => new Promise(() => {}), putView: () => new Promise(() => {}) }),
    }
    const isolate = createIsolate({ env: { DECISION_LOG: hanging } })
    for (let at = 0; at < 20; at += 1) {
      const { response } = await isolate.fetch('/v1/chat/completions', chatInit())
      expect(response.status).toBe(200)
      await response.arrayBuffer()
      advance(50)
    }
    expect(fake.requests.filter((line) => line.startsWith('POST'))).toHaveLength(20)
  })
})

describe('an isolate that vanishes', () => {
  test('loses what came within the last second at most', async () => {
    const isolate = createIsolate({ env: withLog })
    const besides: Promise<void>[] = []
    let worst = 0
    let sent = 0
    // Real pauses: what is measured is how far the objects are behind at any moment.
    for (let round = 0; round < 25; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => isolate.fetch('/v1/chat/completions', chatInit())),
      )
      sent += answers.length
      for (const { response, beside } of answers) {
        await response.arrayBuffer()
        besides.push(beside)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
      advance(100)
      worst = Math.max(worst, sent - (await storedRecords()).length)
    }
    await Promise.all(besides)
    expect(await storedRecords()).toHaveLength(100)
    console.info(`40 requests a second: at most ${worst} records were in the isolate alone`)
    // A second's worth, and what came while a call was under way.
    expect(worst).toBeGreaterThan(0)
    expect(worst).toBeLessThanOrEqual(40 * 1.5)
  })
})

// Which models there are, which one a request gets, and when the router says that it is ready.

import { describe, expect, test } from 'vitest'
import { OWN_ROUTES } from '../../src/routes/catalogue.ts'
import { ask, chatBody, expectExplained, expectRefusal, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

const CHAT = '/v1/chat/completions'

/** For a fleet with org/alpha and its adapter, beta, and workers that are dead, one of them with a model of its own. */
export function describeModels(fleet: LiveFleet): void {
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    postJson(fleet.url + path, body, headers)

  describe('models', () => {
    test('the list is the union over the workers that answer, adapters included', async () => {
      const answer = await ask(`${fleet.url}/v1/models`)
      expect(answer.status, answer.text).toBe(200)
      const { object, data } = answer.json()
      expect(object).toBe('list')
      expect(data.map(({ id }: { id: string }) => id)).toEqual(['org/alpha', 'org/alpha-lora', 'beta'])
      expect(data[0]).toMatchObject({ object: 'model', owned_by: 'vllm', max_model_len: 131_072 })
      expect(answer.headers.get('x-request-id')).toMatch(/^req-/)
    })

    test.each(['org/alpha', 'org%2Falpha', 'org%2falpha', 'org/alpha-lora', 'beta', 'beta?x=1'])(
      'one model by its id: %s',
      async (path) => {
        const answer = await ask(`${fleet.url}/v1/models/${path}`)
        expect(answer.status, answer.text).toBe(200)
        expect(answer.json()).toMatchObject({ id: decodeURIComponent(path.replace('?x=1', '')), object: 'model' })
      },
    )

    test.each(['nope', 'org', 'org/alpha/x', 'org/alpha/', 'toString', '__proto__'])('%s is 404', async (id) => {
      expectRefusal(await ask(`${fleet.url}/v1/models/${id}`), 'model_not_found')
    })

    test('an adapter is routed to its worker', async () => {
      const answer = await post(CHAT, chatBody('org/alpha-lora'))
      expectExplained(answer, { worker: 'alpha', model: 'org/alpha-lora', attempts: '1' })
      expect(answer.json().model).toBe('org/alpha-lora')
    })

    test('no model named and several on offer: 400', async () => {
      const answer = await post(CHAT, { messages: [] })
      expectRefusal(answer, 'model_required')
      expect(answer.json().error.param).toBe('model')
      expectExplained(answer, { worker: null, model: null, attempts: '0' })
    })

    test('an unknown model: 404', async () => {
      const answer = await post(CHAT, chatBody('gpt-4'))
      expectRefusal(answer, 'model_not_found')
      expect(answer.json().error.message).toContain('gpt-4')
      expectExplained(answer, { worker: null, model: null, attempts: '0' })
    })

    test('a configured model whose only worker is down: 503 with Retry-After', async () => {
      const answer = await post(CHAT, chatBody('ghost'))
      expectRefusal(answer, 'no_worker')
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expectExplained(answer, { worker: null, model: 'ghost', attempts: '0' })
    })

    test('a dead worker breaks neither its twin nor other models', async () => {
      const models = ['org/alpha', 'beta', 'org/alpha', 'beta', 'org/alpha', 'beta']
      const answers = await Promise.all(models.map((model) => post(CHAT, chatBody(model))))
      expect(answers.map(({ status }) => status)).toEqual(models.map(() => 200))
      expect(answers.map(({ headers }) => headers.get('x-vllm-router-worker'))).toEqual(
        models.map((model) => (model === 'beta' ? 'beta' : 'alpha')),
      )
    })
  })

  describe('probes of the router itself', () => {
    test('/health, /liveness, /version', async () => {
      expect((await ask(`${fleet.url}/health`)).json()).toEqual({ status: 'ok' })
      expect((await ask(`${fleet.url}/liveness`)).text).toBe('OK')
      const version = { name: 'vllm-edge-router', version: expect.stringMatching(/^\d+\.\d+\.\d+/) }
      expect((await ask(`${fleet.url}/version`)).json()).toEqual(version)
    })

    test('/readiness is 503 while a configured model has no worker, and names the model, never a worker', async () => {
      const answer = await ask(`${fleet.url}/readiness`)
      expect(answer.status).toBe(503)
      expect(answer.json()).toEqual({
        status: 'not_ready',
        reason: 'no worker for: ghost',
        healthy_workers: 2,
        total_workers: 5,
      })
    })

    test.each(OWN_ROUTES)('HEAD $path answers as GET does, without a body', async ({ path }) => {
      const target = path.replace('*', 'beta')
      const [head, get] = await Promise.all([ask(fleet.url + target, { method: 'HEAD' }), ask(fleet.url + target)])
      expect(head.status).toBe(get.status)
      expect(head.text).toBe('')
      expect(head.headers.get('x-request-id')).toMatch(/^req-/)
    })
  })
}

/** With a router of its own, whose workers come and go. */
export function describeReadiness(runtime: RuntimeName): void {
  describe(`readiness and configured defaults on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { one: { models: ['one'] }, two: { models: ['two'] } },
      config: (urls) => ({
        workers: [
          { id: 'one', url: urls.one, models: ['one'] },
          { id: 'two', url: urls.two },
        ],
        default_model: 'two',
        expose_routing_headers: false,
        model_refresh_secs: 1,
      }),
    })
    const readiness = () => ask(`${fleet.url}/readiness`)

    test('ready while each configured model has a worker, not ready when one dies, ready again when it is back', async () => {
      const ready = { status: 'ready', healthy_workers: 2, total_workers: 2 }
      expect((await readiness()).json()).toEqual(ready)
      await fleet.worker('one').setFaults({ refuse: true })
      await until(
        async () => (await readiness()).status === 503,
        8_000,
        () => 'stayed ready',
      )
      expect((await readiness()).json()).toMatchObject({ status: 'not_ready', reason: 'no worker for: one' })
      await fleet.worker('two').setFaults({ refuse: true })
      await until(
        async () => (await readiness()).json().reason === 'no worker answers',
        8_000,
        () => 'found a worker',
      )
      expectRefusal(await ask(`${fleet.url}/v1/models`), 'no_worker')
      await Promise.all([fleet.worker('one').setFaults([]), fleet.worker('two').setFaults([])])
      await until(
        async () => (await readiness()).status === 200,
        8_000,
        () => 'never got ready again',
      )
    })

    test('a request without a model gets default_model', async () => {
      const answer = await postJson(fleet.url + CHAT, { messages: [{ role: 'user', content: 'hi' }] })
      expect(answer.json().model).toBe('two')
      expect((await postJson(fleet.url + CHAT, { ...chatBody('one'), model: null })).json().model).toBe('two')
    })

    test('expose_routing_headers: false leaves the request id alone', async () => {
      const answers = [
        await postJson(fleet.url + CHAT, chatBody('one'), { 'x-request-id': 'mine' }),
        await postJson(fleet.url + CHAT, '{', { 'x-request-id': 'mine' }),
      ]
      expect(answers.map(({ status }) => status)).toEqual([200, 400])
      for (const { headers } of answers) {
        expect([...headers.keys()].filter((name) => name.startsWith('x-vllm-router-'))).toEqual([])
        expect(headers.get('x-request-id')).toBe('mine')
      }
    })
  })
}

// Hooks are asked on every inference route there is, streams included, and a rejection keeps each of them from the fleet.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { ask, audioForm, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { STREAM_ROUTES } from '../support/stream-routes.ts'
import { hookFleet } from './hook-fleet.ts'

const PASSED = ['/inference/v1/generate', '/metrics'] as const

/** Everything any route wants; workers, like vLLM, take no notice of what they don't know. */
const ANY_BODY = {
  model: 'plain',
  messages: [{ role: 'user', content: 'hi' }],
  prompt: 'hi',
  input: 'hi',
  query: 'a',
  documents: ['a', 'b'],
  text_1: 'a',
  text_2: 'b',
  tokens: [1, 2],
  max_tokens: 2,
}

interface Visit {
  readonly method: string
  readonly path: string
  readonly route: string
  readonly kind: 'body' | 'metadata'
  readonly init: RequestInit
}

function json(body: object): RequestInit {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

const VISITS: readonly Visit[] = [
  ...INFERENCE_ROUTES.map(({ path, body }): Visit => {
    const isJson = body === 'json'
    const init = isJson ? json(ANY_BODY) : { body: audioForm('plain') }
    return { method: 'POST', path, route: path, kind: isJson ? 'body' : 'metadata', init }
  }),
  ...STREAM_ROUTES.map((route): Visit => ({
    method: 'POST',
    path: route.path,
    route: route.path,
    kind: 'body',
    init: json(route.body('plain')),
  })),
  ...STORED_RESPONSE_ROUTES.map(({ method, path }): Visit => ({
    method,
    path,
    route: path,
    kind: 'metadata',
    init: {},
  })),
  ...PASSED.flatMap((path): Visit[] => [
    { method: 'GET', path, route: path, kind: 'metadata', init: {} },
    { method: 'POST', path, route: path, kind: 'body', init: json(ANY_BODY) },
    { method: 'POST', path, route: path, kind: 'metadata', init: { body: 'a=b' } },
  ]),
]

export function hookRoutes(runtime: RuntimeName): void {
  describe('every inference route', () => {
    const bench = hookFleet(runtime, [{ name: 'gate', path: '/gate', models: ['*'] }], { passthrough_paths: PASSED })
    /** Turns away whoever says so in the request id. */
    const scriptGate = () =>
      bench.hooks.script('/gate', ({ headers }) => ({
        action: String(headers['x-request-id']).endsWith('no') ? 'reject' : 'allow',
      }))

    async function visit({ method, path, init }: Visit, id: string) {
      const created = await postJson(`${bench.fleet.url}/v1/responses`, { model: 'plain', input: 'hi' })
      const url = bench.fleet.url + path.replace(':id', created.json().id)
      const headers = new Headers(init.headers)
      headers.set('x-request-id', id)
      return ask(url, { ...init, method, headers })
    }

    test.each(VISITS)('$method $path with $kind: asked once, and heard', async (at) => {
      scriptGate()
      const id = bench.nextId()
      const answer = await visit(at, id)
      const [call, ...others] = bench.callsOf(id)
      expect(others).toEqual([])
      expect(call?.headers).toMatchObject({
        'x-vllm-router-hook-route': at.route,
        'x-vllm-router-hook-input': at.kind,
        'content-type': 'application/json',
      })
      expect(answer.headers.get('x-vllm-router-hooks')).toBe('gate')
      expect(bench.reached(id), answer.text).toBe(true)

      const refusedId = `${bench.nextId()}-no`
      const refused = await visit(at, refusedId)
      expect(refused.status).toBe(403)
      expect(refused.headers.get('x-vllm-router-hooks')).toBe('gate:rejected')
      expect(bench.reached(refusedId)).toBe(false)
      const record = await bench.fleet.router.record(({ request_id: of }) => of === refusedId)
      expect(record).toMatchObject({
        route: at.route,
        status: 403,
        error: 'hook_rejected',
        hooks_ran: ['gate:rejected'],
      })
    })

    test('and on nothing else', async () => {
      scriptGate()
      const before = bench.hooks.calls().length
      for (const path of ['/health', '/liveness', '/readiness', '/version', '/v1/models', '/nowhere', '/sim/state']) {
        expect((await ask(bench.fleet.url + path)).headers.has('x-vllm-router-hooks')).toBe(false)
      }
      expect(bench.hooks.calls()).toHaveLength(before)
    })

    test.each(INFERENCE_ROUTES.filter(({ body }) => body === 'multipart'))(
      '$path: a form is metadata to the hook and whole to the worker',
      async ({ path }) => {
        scriptGate()
        const id = bench.nextId()
        const answer = await ask(bench.fleet.url + path, {
          method: 'POST',
          headers: { 'x-request-id': id },
          body: audioForm('plain'),
        })
        expect(answer.status, answer.text).toBe(200)
        const worker = bench.fleet.call(id)
        expect(worker.body).toContain('not really sound')
        expect(bench.callsOf(id)[0]?.json()).toEqual({
          model: 'plain',
          route: path,
          tenant: null,
          stream: false,
          body_bytes: worker.bodyBytes,
          content_type: worker.headers['content-type'],
        })
      },
    )
  })
}

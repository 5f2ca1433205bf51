// Vectors from a Workers AI binding: workerd's own client for models in two isolates, and in the place of Cloudflare a server
// that answers what that client asks.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { ask, postJson } from '../support/ask.ts'
import { hashedEmbedding } from '../support/embeddings-server.ts'
import { freePort } from '../support/launch.ts'
import { startIsolates, type WorkerdIsolates } from '../support/workerd-isolates.ts'

const MODEL = '@cf/baai/bge-m3'
const EXAMPLES = ['Write a python function', 'Fix the bug in my code']

interface ModelQuestion {
  readonly url: string
  readonly model: string
  readonly inputs: { readonly text: readonly string[] }
}

const asked: ModelQuestion[] = []
/** What every question is answered with in the place of vectors. */
let refusal: { readonly status: number; readonly body: object } | null = null
let server: Server
let worker: StartedWorker
let isolates: WorkerdIsolates

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}

/** A request of the binding comes with its own URL and headers under other names. */
async function toQuestion(request: IncomingMessage): Promise<ModelQuestion> {
  const { 'mf-url': url, 'mf-header-cf-consn-model-id': model } = request.headers
  const { inputs } = JSON.parse(await textOf(request)) as Pick<ModelQuestion, 'inputs'>
  return { url: String(url), model: String(model), inputs }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const question = await toQuestion(request)
  asked.push(question)
  const data = question.inputs.text.map((text) => hashedEmbedding(text, 128))
  const { status, body } = refusal ?? { status: 200, body: { shape: [data.length, 128], data, pooling: 'cls' } }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

beforeAll(async () => {
  const port = await freePort()
  server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const answersAtOnce = { port: 0, prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs: 0, itlJitter: 0 }
  worker = await startSimulatedWorker({ ...answersAtOnce, models: ['m'] })
  const config = {
    workers: [{ id: 'coder', url: worker.url }],
    semantic_cluster: {
      embeddings_binding: 'AI',
      embeddings_model: MODEL,
      embedding_timeout_ms: 10_000,
      threshold: 0.2,
      clusters: [{ name: 'code', examples: EXAMPLES, workers: ['coder'] }],
    },
  }
  isolates = await startIsolates(2, JSON.stringify(config), { models: `http://127.0.0.1:${port}` })
})
afterAll(async () => {
  await isolates?.stop()
  await worker?.close()
  server?.close()
})

async function clusterOf(isolate: number, text: string): Promise<string | null> {
  const body = { model: 'm', messages: [{ role: 'user', content: text }], max_tokens: 2 }
  const answer = await postJson(`${isolates.urls[isolate]}/v1/chat/completions`, body)
  expect(answer.status, answer.text).toBe(200)
  return answer.headers.get('x-vllm-router-cluster')
}

const statsOf = async (isolate: number) => (await ask(`${isolates.urls[isolate]}/admin/stats`)).json()

test('the binding is asked as its documentation says, and its answer read', async () => {
  expect(await clusterOf(0, 'Fix the bug in my python function')).toBe('code')
  expect(new Set(asked.map(({ url }) => new URL(url).pathname))).toEqual(new Set(['/run']))
  expect(new Set(asked.map(({ model }) => model))).toEqual(new Set([MODEL]))
  expect(asked.flatMap(({ inputs }) => inputs.text).toSorted()).toEqual(
    [...EXAMPLES, 'Fix the bug in my python function'].toSorted(),
  )
  expect((await statsOf(0))['semantic_cluster']).toMatchObject({ state: 'ready', dimensions: 128 })
})

test('another isolate asks for no example: the pool has their vectors', async () => {
  asked.length = 0
  expect(await clusterOf(1, 'Write a function in python')).toBe('code')
  expect(asked.map(({ inputs }) => inputs.text)).toEqual([['Write a function in python']])
})

test('what the binding refuses costs a request its cluster, and nothing else', async () => {
  refusal = { status: 429, body: { internalCode: 3040, name: 'AiError', description: 'Capacity exceeded' } }
  expect(await clusterOf(0, 'Fix my code once more')).toBeNull()
  refusal = null
  expect(await clusterOf(0, 'Fix my code once more')).toBe('code')
})

// The fault table: what needs more than one answer to show, and requests that are at fault themselves.

import { connect } from 'node:net'
import OpenAI from 'openai'
import { expect } from 'vitest'
import { type Answered, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { until } from '../support/launch.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'
import { chunk, LAST_CHUNK, SSE_HEAD } from '../support/raw-worker.ts'
import { answerWell, event, expectServed, type FaultBench, REQUEST_BODY_MS } from './fault-bench.ts'
import { type FaultRow, NO_WORKER } from './fault-row.ts'

const CHAT = '/v1/chat/completions'
const JSON_TYPE = 'Content-Type: application/json'

/** `Retry-After` of a worker, and whether it is then left alone for a while. */
const RETRY_AFTER: readonly (readonly [string, boolean])[] = [
  ['30', true],
  // Far enough ahead: minutes may pass between the loading of this file and its turn.
  [new Date(Date.now() + 3_600_000).toUTCString(), true],
  ['99999999999', true],
  ['0', false],
  ['-1', false],
  ['soon', false],
  ['1e3', false],
]

/** Workers that these rows need, three each. */
export const REQUEST_WORKERS: readonly string[] = [
  ...RETRY_AFTER.map((_, at) => `F26-${at}`),
  'F30-upgrade',
  'F31-big',
  'F40-exits',
  'F43-storm',
  'F75-known',
]

async function retryAfterTable(bench: FaultBench): Promise<void> {
  for (const [at, [value, isLeftAlone]] of RETRY_AFTER.entries()) {
    const name = `F26-${at}`
    bench.answerFirst(name, ({ write }) =>
      write(`HTTP/1.1 429 Slow down\r\nretry-after: ${value}\r\ncontent-length: 0\r\n\r\n`),
    )
    const asked = await bench.ask(`${name}+`)
    expectServed({ ...asked, id: `${asked.id}-r1` })
    const [first] = (await bench.record(asked.id)).attempts
    const { availability, share } = (await bench.admin.get(`/workers/${first?.worker}`)).json()
    expect([value, availability, share < 1]).toEqual([value, isLeftAlone ? 'suspect' : 'up', true])
    // Whatever it said, who is alone is asked.
    bench
      .alone(name)
      .answer(({ write }) => write(`HTTP/1.1 429 Slow down\r\nretry-after: ${value}\r\ncontent-length: 0\r\n\r\n`))
    expect((await bench.ask(name)).status).toBe(429)
    bench.alone(name).answer(answerWell)
    expectServed(await bench.ask(name))
  }
}

/** Neither of these may be taken for an answer, nor hang: 101 leaves HTTP, and a bare 199 is nothing. */
async function upgrade(bench: FaultBench): Promise<void> {
  bench.alone('F30-upgrade').answer(async ({ write, socket }) => {
    await write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nsecret frames')
    socket.end()
  })
  const asked = await bench.ask('F30-upgrade')
  expect([502, 503]).toContain(asked.status)
  expect(asked.text).not.toContain('secret')
  expect(asked.headers['upgrade']).toBeUndefined()
  expect(JSON.parse(asked.text).error.type).toMatch(/api_error|overloaded_error/)
  expect((await bench.record(asked.id)).attempts).toMatchObject([
    { outcome: expect.stringMatching(/invalid|unreachable/) },
  ])
  bench.alone('F30-upgrade').answer(answerWell)
  expectServed(await bench.ask('F30-upgrade'))
}

async function bigHeaders(bench: FaultBench): Promise<void> {
  const big = `x-big: ${'b'.repeat(64 * 1024)}`
  bench.alone('F31-big').answer(({ write }) => write(`HTTP/1.1 200 OK\r\n${big}\r\ncontent-length: 2\r\n\r\n{}`))
  const asked = await bench.ask('F31-big')
  // Undici takes no more than 16 KB of headers; others take them, and drop them.
  expect([200, 502, 503]).toContain(asked.status)
  expect(asked.headers['x-big']).toBeUndefined()
  expect(JSON.stringify(asked.headers).length).toBeLessThan(4_096)
  bench.alone('F31-big').answer(answerWell)
  expectServed(await bench.ask('F31-big'))
}

async function dripUpload(bench: FaultBench): Promise<void> {
  const { hostname, port } = new URL(bench.router.url)
  const begun = performance.now()
  const received = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let text = ''
    const drip = setInterval(() => socket.write(' '), 50)
    socket.on('data', (bytes) => {
      text += bytes.toString()
      if (text.includes('"error"')) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      clearInterval(drip)
      resolve(text)
    })
    socket.write(rawRequest(`POST ${CHAT}`, [JSON_TYPE, 'Content-Length: 100000', 'X-Request-Id: dripping']))
  })
  expect(received).toMatch(/^HTTP\/1\.1 408 /)
  expect(received).toContain('request_timeout')
  expect(performance.now() - begun).toBeGreaterThan(REQUEST_BODY_MS - 100)
  expect(await bench.record('dripping')).toMatchObject({ status: 408, error: 'request_timeout', attempts: [] })
}

/** What a client library makes of a model whose workers both break off: the router's two attempts, and no more. */
async function retryStorm(bench: FaultBench): Promise<void> {
  const asked = bench.answerBoth('F43-storm', ({ socket }) => void socket.resetAndDestroy())
  const client = new OpenAI({ apiKey: 'none', baseURL: `${bench.router.url}/v1`, maxRetries: 2 })
  const failure = await client.chat.completions
    .create({ model: 'F43-storm+', messages: [{ role: 'user', content: 'hi' }] })
    .then(
      () => null,
      (error: unknown) => error,
    )
  expect(failure).toBeInstanceOf(OpenAI.APIError)
  expect(asked()).toBe(2)
}

/** Every way for an exchange to end; after all of them nothing counts as running. */
async function everyExit(bench: FaultBench): Promise<void> {
  const worker = bench.alone('F40-exits')
  const streamed = { ...chatBody('F40-exits'), stream: true }
  const ways: readonly (() => Promise<unknown>)[] = [
    () => bench.ask('F40-exits'),
    () => bench.ask('F40-exits', { isStream: true }),
    () => bench.ask('unknown-model'),
    () => postJson(bench.router.url + CHAT, '{'),
    ...['HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n', 'nonsense\r\n\r\n', `${SSE_HEAD}${LAST_CHUNK}`].map(
      (text) => () => {
        worker.answer(async ({ write, socket }) => {
          await write(text)
          socket.end()
        })
        return bench.ask('F40-exits', { isStream: true })
      },
    ),
    () => {
      worker.answer(({ socket }) => void socket.resetAndDestroy())
      return bench.ask('F40-exits')
    },
    () => {
      worker.answer(({ write }) => write(SSE_HEAD + chunk(event('for ever')).toString()))
      return fetchAndLeave(bench, streamed)
    },
    () => {
      worker.answer(() => {})
      return fetchAndLeave(bench, streamed)
    },
  ]
  for (const way of ways) await way()
  worker.answer(answerWell)
  let shown = -1
  await until(
    async () => (shown = await bench.inFlight()) === 0,
    10_000,
    () => `${shown} requests are in flight`,
  )
}

async function fetchAndLeave(bench: FaultBench, body: object): Promise<void> {
  const leaving = AbortSignal.timeout(300)
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: leaving,
  }
  await fetch(bench.router.url + CHAT, init)
    .then((response) => response.text())
    .catch(() => null)
}

async function unknownModels(bench: FaultBench): Promise<void> {
  const names = ['nobody', 'F75-know', 'f75-known', 'F75-known ', 'toString', '__proto__', 'x'.repeat(200)]
  for (const [at, model] of names.entries()) {
    const answer = await postJson(bench.router.url + CHAT, chatBody(model), { 'x-request-id': `unknown-${at}` })
    expectRefusal(answer, 'model_not_found')
    expect(await bench.record(`unknown-${at}`)).toMatchObject({ status: 404, error: 'model_not_found', attempts: [] })
  }
}

async function badBodies(bench: FaultBench): Promise<void> {
  const refused: Answered[] = []
  for (const path of [CHAT, '/v1/completions', '/v1/embeddings', '/v1/responses', '/rerank']) {
    for (const body of ['', '{', '[]', 'null', '\u0000']) refused.push(await postJson(bench.router.url + path, body))
  }
  for (const answer of refused) expectRefusal(answer, 'invalid_json')
}

/** A client that has said all it has to say still wants its answer, where that can be told from one that left. */
async function halfClose(bench: FaultBench): Promise<void> {
  bench.alone('F75-known').answer(async (exchange) => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    await answerWell(exchange)
  })
  const body = JSON.stringify(chatBody('F75-known'))
  const headers = [JSON_TYPE, `Content-Length: ${body.length}`, 'X-Request-Id: half-closed']
  const outcome = await sendRaw(bench.router.url, rawRequest(`POST ${CHAT}`, headers, body), {
    endsWriting: true,
  }).then(
    ({ status }) => status,
    () => 'closed',
  )
  bench.alone('F75-known').answer(answerWell)
  const record = await bench.record('half-closed')
  // One or the other, and the record says which: served, or taken for a client that left and aborted.
  expect([outcome, record.lifecycle_state]).toEqual(outcome === 200 ? [200, 'completed'] : [outcome, 'aborted'])
  expectServed(await bench.ask('F75-known'))
}

export const REQUEST_ROWS: readonly FaultRow<FaultBench>[] = [
  {
    id: 'F26',
    fault: 'Retry-After in seconds, as a date, huge, or no time at all',
    client: "another worker's answer",
    record: '`answered` with status 429; `/workers/{id}`: `suspect`',
    retried: 'yes',
    breaker: 'pressure; left alone as long as it says, a minute at most; what is no time counts as none',
    prove: retryAfterTable,
  },
  {
    id: 'F30',
    fault: 'the worker answers 101 and leaves HTTP',
    client: '502, or 503 on workerd; never another protocol',
    record: '`unreachable` or `invalid`',
    retried: 'at most once',
    breaker: 'a fault',
    prove: upgrade,
  },
  {
    id: 'F31',
    fault: 'an answer has a header of 64 KB',
    client: 'the answer without it; 502 on Node, which takes 16 KB',
    record: '`answered`; on Node `unreachable`: `not_http`',
    retried: 'on Node once',
    breaker: 'a success; on Node a fault',
    prove: bigHeaders,
  },
  {
    id: 'F39',
    fault: 'a client half-closes its connection once its request is sent',
    client:
      'its answer; nothing where the server can not tell that from leaving, such as workerd behind its local relay',
    record: '`completed`, or `aborted`',
    retried: 'no',
    breaker: 'nothing, or a success',
    prove: halfClose,
  },
  {
    id: 'F40',
    fault: 'requests end in every way there is',
    client: 'as each',
    record: 'one record each; `/admin/stats`: 0 in flight in the end',
    retried: 'as each',
    breaker: 'as each',
    prove: everyExit,
  },
  {
    id: 'F42',
    fault: 'a request body comes a byte at a time',
    client: '408 `request_timeout` after `timeouts.request_body`',
    record: '`request_timeout`, no attempt',
    ...NO_WORKER,
    prove: dripUpload,
  },
  {
    id: 'F43',
    fault: 'client libraries repeat what the router has repeated already',
    client: 'the failure with `x-should-retry: false`, which libraries heed',
    record: 'two attempts, one request',
    retried: "once by the router, not again by OpenAI's library",
    breaker: 'two faults',
    prove: retryStorm,
  },
  {
    id: 'F74',
    fault: 'a body is no JSON object, on any route',
    client: '400 `invalid_json`',
    record: '`invalid_json`, no attempt',
    ...NO_WORKER,
    prove: badBodies,
  },
  {
    id: 'F75',
    fault: 'nobody serves the model',
    client: '404 `model_not_found`',
    record: '`model_not_found`, no attempt',
    ...NO_WORKER,
    prove: unknownModels,
  },
]

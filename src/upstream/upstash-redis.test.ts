import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { RedisCommands } from '../store/redis-commands.ts'
import { openRedisOverHttp } from './open-redis.ts'

const { signal: never } = new AbortController()
const TOKEN = 'secret-token'

interface Sent {
  readonly method: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

let server: Server | null = null

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function startServer(answer: (response: ServerResponse) => void, retries = 0) {
  const sent: Sent[] = []
  const own = (server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      sent.push({ method: request.method, headers: request.headers, body })
      answer(response)
    })
  }))
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
  const { port } = own.address() as AddressInfo
  return { sent, redis: openRedisOverHttp({ restUrl: `http://127.0.0.1:${port}`, token: TOKEN, retries }) }
}

const json = (status: number, body: unknown) => (response: ServerResponse) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

const failureOf = (redis: RedisCommands, signal = never) =>
  redis.command(['GET', 'key'], signal).then(
    () => 'no failure',
    (cause: unknown) => cause,
  )

test('a command is a JSON array with the token beside it, and nothing is told of who sends it', async () => {
  const { redis, sent } = await startServer(json(200, { result: ['a', null, 3] }))
  expect(await redis.command(['MGET', 'a', 'b"'], never)).toEqual(['a', null, 3])
  const [{ headers, body }] = sent as [Sent]
  expect(headers.authorization).toBe(`Bearer ${TOKEN}`)
  expect(JSON.parse(body)).toEqual(['MGET', 'a', 'b"'])
  expect(Object.keys(headers).filter((name) => name.startsWith('upstash-'))).toEqual([])
})

test.each(['', '1', '1.0', '9007199254740993', 'null', 'true', '{"a":1}', '"x"', 'T0s=', 'größe 漢字 🚀', '\u0000\n'])(
  'the text %j stays what it is, both ways',
  async (text) => {
    const { redis, sent } = await startServer(json(200, { result: [text, [text]] }))
    expect(await redis.command(['SET', 'key', text], never)).toEqual([text, [text]])
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual(['SET', 'key', text])
  },
)

test.each<[string, (response: ServerResponse) => void]>([
  ['a refusal', json(401, { error: `WRONGPASS ${TOKEN}` })],
  ['an error with status 200', json(200, { error: `ERR ${TOKEN}` })],
  ['a page', (response) => void response.writeHead(502).end(`<html>${TOKEN} key`)],
  ['a page with status 200', (response) => void response.end(`<html>${TOKEN} key`)],
  ['half an answer', (response) => void response.end('{"result":"the key')],
  ['no result', json(200, {})],
])('%s rejects after one call, and repeats nothing of it', async (_, answer) => {
  const { redis, sent } = await startServer(answer)
  const failure = await failureOf(redis)
  expect(failure).toBeInstanceOf(Error)
  expect(String(failure)).not.toMatch(/secret|key/)
  expect((failure as Error).cause).toBeUndefined()
  expect(sent.length).toBe(1)
})

test('a connection that breaks is tried as often as was said, and no more', async () => {
  for (const retries of [0, 1]) {
    const { redis, sent } = await startServer((response) => void response.destroy(), retries)
    expect(await failureOf(redis)).toBeInstanceOf(Error)
    expect(sent.length).toBe(retries + 1)
  }
})

test('a command that is called off rejects at once, before an answer and within one', async () => {
  const begun = [() => {}, (response: ServerResponse) => void response.writeHead(200).write('{"result":"')]
  for (const begin of begun) {
    const controller = new AbortController()
    const { redis } = await startServer((response) => {
      begin(response)
      controller.abort()
    })
    expect(await failureOf(redis, controller.signal)).toBeInstanceOf(Error)
  }
})

test('commands at the same time are called off each by its own signal', async () => {
  const waiting: ServerResponse[] = []
  const { redis } = await startServer((response) => void waiting.push(response))
  const controller = new AbortController()
  const kept = redis.command(['GET', 'a'], never)
  const calledOff = failureOf(redis, controller.signal)
  await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(2)
  controller.abort()
  expect(await calledOff).toBeInstanceOf(Error)
  for (const response of waiting) json(200, { result: 'a' })(response)
  expect(await kept).toBe('a')
})

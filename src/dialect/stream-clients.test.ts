// What the official clients make of a stream that the tap has ended: plain iteration must raise on every cut.
// Real `openai` and `@anthropic-ai/sdk` packages against a node:http server that sends what the tap lets through.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { joinBytes, readStreamFixture } from '../../test/conformance/dialect.ts'
import { createStreamTap, type StreamKind } from './stream-tap.ts'

let server: Server
let baseURL: string
let answer: Uint8Array = new Uint8Array()

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // a TCP server's address is never a string
})

afterAll(() => new Promise((resolve) => server.close(resolve)))

const openai = () => new OpenAI({ baseURL, apiKey: 'test', maxRetries: 0, logLevel: 'off' })
const anthropic = () => new Anthropic({ baseURL, apiKey: 'test', maxRetries: 0, logLevel: 'off' })
const messages = [{ role: 'user' as const, content: 'Hi' }]

interface Client {
  readonly kind: StreamKind
  readonly fixture: string
  readonly raises: abstract new (...args: never) => Error
  open(): Promise<AsyncIterable<unknown>>
}

const CLIENTS: readonly Client[] = [
  {
    kind: 'chat',
    fixture: 'chat-usage.sse',
    raises: OpenAI.APIError,
    open: () => openai().chat.completions.create({ model: 'm', messages, stream: true }),
  },
  {
    kind: 'completions',
    fixture: 'completions.sse',
    raises: OpenAI.APIError,
    open: () => openai().completions.create({ model: 'm', prompt: 'Hi', stream: true }),
  },
  {
    kind: 'responses',
    fixture: 'responses.sse',
    raises: OpenAI.APIError,
    open: () => openai().responses.create({ model: 'm', input: 'Hi', stream: true }),
  },
  {
    kind: 'messages',
    fixture: 'messages.sse',
    raises: Anthropic.APIError,
    open: () => anthropic().messages.create({ model: 'm', max_tokens: 9, messages, stream: true }),
  },
]

async function iterate({ open }: Client, bytes: Uint8Array): Promise<{ items: number; error: unknown }> {
  answer = bytes
  let items = 0
  try {
    for await (const item of await open()) items += item === undefined ? 0 : 1
  } catch (error) {
    return { items, error }
  }
  return { items, error: null }
}

function throughTap(kind: StreamKind, bytes: Uint8Array, ending: 'end' | 'fail'): Uint8Array {
  const tap = createStreamTap(kind)
  const passed = tap.push(bytes)
  return joinBytes([
    passed,
    ending === 'end' ? tap.end().bytes : tap.fail('The worker stopped answering.', 'upstream_timeout'),
  ])
}

/** The end of each event, and places inside it: in the field's name, in the JSON, between its two line feeds. */
function cuts(bytes: Uint8Array): number[] {
  const ends = [0]
  for (let at = 1; at < bytes.length; at++) if (bytes[at] === 0x0a && bytes[at - 1] === 0x0a) ends.push(at + 1)
  return ends.slice(0, -1).flatMap((start, index) => {
    const last = (ends[index + 1] ?? start) - 1
    return [start, start + 3, Math.min(start + 40, last), last]
  })
}

describe.each(CLIENTS)('the client of $kind', (client) => {
  const bytes = readStreamFixture(client.fixture)

  test('reads a whole stream without an error', async () => {
    const { items, error } = await iterate(client, throughTap(client.kind, bytes, 'end'))
    expect(error).toBeNull()
    expect(items).toBeGreaterThan(3)
  })

  test.each(['end', 'fail'] as const)('raises wherever the stream is cut (%s)', async (ending) => {
    // At the very last place no more is missing than a line feed, which a clean end gets.
    for (const cut of cuts(bytes).filter((at) => ending === 'fail' || at < bytes.length - 1)) {
      const { error } = await iterate(client, throughTap(client.kind, bytes.subarray(0, cut), ending))
      expect(error, `cut at ${cut}`).toBeInstanceOf(client.raises)
      const message = ending === 'end' ? 'ended the stream before' : 'stopped answering'
      expect(error).toMatchObject({ message: expect.stringContaining(message) })
    }
  })

  test('raises after half of an event that was too big to hold', async () => {
    const flood = new TextEncoder().encode(`data: {"choices":[{"delta":{"content":"${'x'.repeat(200_000)}`)
    const { error } = await iterate(
      client,
      throughTap(client.kind, joinBytes([bytes.subarray(0, cuts(bytes)[4]), flood]), 'end'),
    )
    expect(error).toBeInstanceOf(Error)
  })
})

test('the openai client raises where [DONE] follows a cut', async () => {
  const [client] = CLIENTS
  if (client === undefined) throw new Error('no client')
  const stream = new TextEncoder().encode(
    'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
  )
  expect((await iterate(client, stream)).error).toBeNull()
  expect((await iterate(client, throughTap('chat', stream, 'end'))).error).toBeInstanceOf(OpenAI.APIError)
})

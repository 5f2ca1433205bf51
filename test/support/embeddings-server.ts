// A server of vectors and labels over real HTTP whose similarity means something without a model: texts that share words and
// beginnings of words are near each other. It can be slow, down, of another dimension, and answer nonsense.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { freePort } from './launch.ts'

/** How every question is answered from now on. */
export type EmbeddingsBehaviour = 'well' | 'never' | 'status-500' | 'bad-json' | 'wrong-count' | 'reset'

export interface EmbeddingsQuestion {
  readonly path: string
  readonly key: string | undefined
  /** Of the span that asks. */
  readonly traceparent: string | undefined
  readonly body: Readonly<Record<string, unknown>>
}

export interface EmbeddingsServer {
  readonly url: string
  questions(path?: string): readonly EmbeddingsQuestion[]
  /** Texts that vectors were asked for, in order. */
  texts(): readonly string[]
  behave(behaviour: EmbeddingsBehaviour): void
  /** Length of the vectors from now on. */
  resize(dimensions: number): void
  /** Gives vectors as base64 from now on, whatever was asked for. */
  encodeAsBase64(): void
  /** Refuses questions with a text longer than this with 400, as servers do beyond a model's context. */
  refuseBeyond(length: number): void
  /** Nobody listens there until `start`. */
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

export interface EmbeddingsServerOptions {
  readonly dimensions?: number
  /** What `/classify` and chat completions sort texts into: a text for each label. */
  readonly labels?: Readonly<Record<string, string>>
}

const LONGEST_GRAM = 4

/** Words so common that they say nothing of what a text is about. */
const COMMON = new Set(
  'a an and are as at be by for from how i in is it me my of on or that the this to what with you'.split(' '),
)

/** A unit vector: hashed words, and the beginnings of words at less weight. */
export function hashedEmbedding(text: string, dimensions: number): number[] {
  const vector = Array.from({ length: dimensions }, () => 0)
  const add = (feature: string, weight: number) => {
    const hash = hashOf(feature)
    const at = hash % dimensions
    vector[at] = (vector[at] ?? 0) + (hash & 0x4000_0000 ? weight : -weight)
  }
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const weight = COMMON.has(word) ? 0.1 : 1
    add(`word ${word}`, weight)
    for (let at = 0; at + LONGEST_GRAM <= word.length; at += 1)
      add(`gram ${word.slice(at, at + LONGEST_GRAM)}`, weight / 2)
  }
  const length = Math.hypot(...vector)
  // A text without words is near nothing, and still has a direction.
  if (length === 0) return vector.map((_, at) => (at === 0 ? 1 : 0))
  return vector.map((value) => value / length)
}

export async function startEmbeddingsServer(options: EmbeddingsServerOptions = {}): Promise<EmbeddingsServer> {
  const { labels = {} } = options
  const port = await freePort()
  const asked: EmbeddingsQuestion[] = []
  let dimensions = options.dimensions ?? 256
  let behaviour: EmbeddingsBehaviour = 'well'
  let isBase64 = false
  let longest = Number.POSITIVE_INFINITY
  const server = createServer((request, response) => {
    response.on('error', () => {})
    answer(request, response).catch(() => response.destroy())
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const body: Record<string, unknown> = JSON.parse(Buffer.concat(pieces).toString())
    const path = request.url ?? ''
    const { authorization: key, traceparent } = request.headers
    asked.push({ path, key, traceparent: traceparent?.toString(), body })
    if (behaviour === 'never') return
    if (behaviour === 'reset') return void response.socket?.resetAndDestroy()
    if (behaviour === 'status-500') return send(response, { error: 'out of memory' }, 500)
    if (behaviour === 'bad-json') return void response.end('{"data": [')
    const texts = textsOf(body)
    if (texts.some((text) => text.length > longest)) return send(response, { error: 'too long' }, 400)
    if (path === '/v1/embeddings') return send(response, toEmbeddings(texts))
    if (path === '/classify') return send(response, toClasses(texts))
    if (path === '/v1/chat/completions') return send(response, toCompletion(body))
    send(response, { error: 'no such route' }, 404)
  }

  function toEmbeddings(texts: readonly string[]): object {
    const given = behaviour === 'wrong-count' ? texts.slice(1) : texts
    const data = given.map((text, index) => {
      const vector = hashedEmbedding(text, dimensions)
      return { object: 'embedding', index, embedding: isBase64 ? toBase64(vector) : vector }
    })
    // The order is the index's, not the list's.
    return { object: 'list', data: data.toReversed(), usage: { prompt_tokens: 1, total_tokens: 1 } }
  }

  function toClasses(texts: readonly string[]): object {
    const data = texts.map((text, index) => {
      const probs = distribution(text)
      const best = probs.indexOf(Math.max(...probs))
      return { index, label: Object.keys(labels)[best], probs, num_classes: probs.length }
    })
    return { id: 'classify-1', object: 'list', model: 'labels', data }
  }

  function toCompletion(body: Readonly<Record<string, unknown>>): object {
    const messages = Array.isArray(body['messages']) ? (body['messages'] as { content: string }[]) : []
    const probs = distribution(messages.at(-1)?.content ?? '')
    const content = Object.keys(labels)[probs.indexOf(Math.max(...probs))] ?? ''
    return { id: 'c-1', object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content } }] }
  }

  /** How much each label is the text's, adding up to one. */
  function distribution(text: string): number[] {
    const vector = hashedEmbedding(text, 256)
    const powers = Object.values(labels).map((example) => {
      return Math.exp(8 * hashedEmbedding(example, 256).reduce((sum, value, at) => sum + value * (vector[at] ?? 0), 0))
    })
    const sum = powers.reduce((total, power) => total + power, 0)
    return powers.map((power) => power / sum)
  }

  const start = () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const stop = () => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    questions: (path) => asked.filter((question) => path === undefined || question.path === path),
    texts: () => asked.filter(({ path }) => path === '/v1/embeddings').flatMap(({ body }) => textsOf(body)),
    behave: (next) => void (behaviour = next),
    resize: (next) => void (dimensions = next),
    encodeAsBase64: () => void (isBase64 = true),
    refuseBeyond: (length) => void (longest = length),
    start,
    stop,
    close: stop,
  }
}

function textsOf({ input, inputs }: Readonly<Record<string, unknown>>): string[] {
  return [input ?? inputs ?? []].flat().map(String)
}

function toBase64(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64')
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}

function send(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

// The routes of models that read and do not write: embeddings, pooling, classes, scores and ranks.

import * as z from 'zod'
import { applyChatTemplate } from './chat-template.ts'
import { embedText, embedTokens, similarity } from './embedding.ts'
import { createdSeconds, readJson, resolveModel } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { planReading } from './generation.ts'
import { jsonResponse } from './json-response.ts'
import { messageSchema } from './message-schema.ts'
import { toBase64 } from './base64.ts'
import { encodePrompt, promptSchema, toPrompts } from './prompt-input.ts'
import { collectGenerations } from './run-generations.ts'
import { checkContext } from './sampling.ts'
import { toUsage } from './usage.ts'
import { VllmError } from './vllm-error.ts'

const readingFields = { model: z.string().nullish() }
const inputSchema = z.looseObject({
  ...readingFields,
  input: promptSchema.optional(),
  messages: z.array(messageSchema).optional(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).nullish(),
})
const texts = z.union([z.string(), z.array(z.string())])
const scoreSchema = z.looseObject({
  ...readingFields,
  queries: texts.optional(),
  documents: texts.optional(),
  text_1: texts.optional(),
  text_2: texts.optional(),
})
const document = z.union([z.string(), z.looseObject({ text: z.string() })])
const rerankSchema = z.looseObject({
  ...readingFields,
  query: z.string(),
  documents: z.array(document),
  top_n: z.int().min(0).nullish(),
})

interface Reading {
  readonly model: string
  readonly prompts: readonly number[][]
  readonly usage: object
}

/** POST /v1/embeddings. */
export async function answerEmbeddings(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, inputSchema)
  const reading = await read(exchange, fields.model, toInputs(fields))
  const size = fields.dimensions ?? exchange.worker.settings.embeddingSize
  const data = reading.prompts.map((prompt, index) => {
    const vector = embedTokens(prompt, reading.model, size)
    return { index, object: 'embedding', embedding: encodeVector(vector, fields.encoding_format) }
  })
  return jsonResponse(toList(exchange, 'embd', { reading, data }))
}

/** POST /pooling. */
export async function answerPooling(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, inputSchema)
  const reading = await read(exchange, fields.model, toInputs(fields))
  const data = reading.prompts.map((prompt, index) => {
    const vector = embedTokens(prompt, reading.model, exchange.worker.settings.embeddingSize)
    return { index, object: 'pooling', data: encodeVector(vector, fields.encoding_format) }
  })
  return jsonResponse(toList(exchange, 'pool', { reading, data }))
}

/** POST /classify. */
export async function answerClassify(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, inputSchema)
  const reading = await read(exchange, fields.model, toInputs(fields))
  const data = reading.prompts.map((prompt, index) => {
    const [first = 0] = embedTokens(prompt, reading.model, 1)
    const probs = first > 0 ? [0.75, 0.25] : [0.25, 0.75]
    return { index, label: first > 0 ? 'LABEL_0' : 'LABEL_1', probs, num_classes: probs.length }
  })
  return jsonResponse(toList(exchange, 'classify', { reading, data }))
}

/** POST /score and /v1/score. */
export async function answerScore(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, scoreSchema)
  const queries = [fields.queries ?? fields.text_1 ?? []].flat()
  const documents = [fields.documents ?? fields.text_2 ?? []].flat()
  if (queries.length !== 1 && queries.length !== documents.length) {
    throw new VllmError(400, 'Input lengths must be either 1:1, 1:N or N:N')
  }
  const pairs = documents.map((text, index) => [queries[queries.length === 1 ? 0 : index] ?? '', text] as const)
  const reading = await read(exchange, fields.model, pairs.map(toPairPrompt))
  const data = pairs.map((pair, index) => ({ index, object: 'score', score: scorePair(exchange, reading.model, pair) }))
  return jsonResponse(toList(exchange, 'score', { reading, data }))
}

/** POST /rerank, /v1/rerank and /v2/rerank. */
export async function answerRerank(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, rerankSchema)
  const pairs = fields.documents.map((one) => [fields.query, typeof one === 'string' ? one : one.text] as const)
  const { model, usage, prompts } = await read(exchange, fields.model, pairs.map(toPairPrompt))
  const ranked = pairs
    .map((pair, index) => ({
      index,
      document: { text: pair[1], multi_modal: null },
      relevance_score: scorePair(exchange, model, pair),
    }))
    .sort((left, right) => right.relevance_score - left.relevance_score)
  const results = ranked.slice(0, fields.top_n ? fields.top_n : prompts.length)
  return jsonResponse({ id: `rerank-${exchange.requestId}`, model, usage, results })
}

/** Takes the time that reading takes, and counts it. */
async function read(exchange: Exchange, asked: string | null | undefined, prompts: number[][]): Promise<Reading> {
  const model = resolveModel(exchange, asked)
  for (const prompt of prompts) checkContext(exchange, prompt.length, 0)
  if (prompts.length > 0) {
    await collectGenerations(
      exchange,
      prompts.map((prompt) => planReading(prompt, model)),
    )
  }
  const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.length, 0)
  return { model, prompts, usage: toUsage(exchange, { prompt: promptTokens, completion: 0, cached: 0 }) }
}

function toInputs(fields: z.output<typeof inputSchema>): number[][] {
  if (fields.messages !== undefined) return [applyChatTemplate(fields.messages, { addGenerationPrompt: false })]
  if (fields.input === undefined) throw new VllmError(400, 'input: Field required', 'input')
  return toPrompts(fields.input)
}

function toPairPrompt([query, text]: readonly [string, string]): number[] {
  return [...encodePrompt(query), ...encodePrompt(text)]
}

/** Likeness moved from -1..1 to 0..1, where reranking models answer. */
function scorePair(exchange: Exchange, model: string, [query, text]: readonly [string, string]): number {
  const size = exchange.worker.settings.embeddingSize
  return (similarity(embedText(query, model, size), embedText(text, model, size)) + 1) / 2
}

function toList(exchange: Exchange, prefix: string, { reading, data }: { reading: Reading; data: object[] }): object {
  const { model, usage } = reading
  return {
    id: `${prefix}-${exchange.requestId}`,
    object: 'list',
    created: createdSeconds(exchange),
    model,
    data,
    usage,
  }
}

function encodeVector(vector: readonly number[], format: 'float' | 'base64' | null | undefined): number[] | string {
  return format === 'base64' ? toBase64(new Uint8Array(new Float32Array(vector).buffer)) : [...vector]
}

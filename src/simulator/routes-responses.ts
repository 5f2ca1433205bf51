// POST /v1/responses and what follows on a stored response: read it, cancel it, delete it, continue from it.

import * as z from 'zod'
import { applyChatTemplate } from './chat-template.ts'
import type { ChatMessage } from './chat-template.ts'
import { pickEngine, readJson, resolveModel } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { planGeneration, textOf } from './generation.ts'
import { jsonResponse } from './json-response.ts'
import { messageSchema } from './message-schema.ts'
import type { StoredResponse } from './response-store.ts'
import { createResponsesRenderer } from './responses-events.ts'
import { toResponseBody } from './responses-shapes.ts'
import type { ResponsesAnswer } from './responses-shapes.ts'
import { collectGenerations, startGenerations, streamGenerations } from './run-generations.ts'
import { checkContext, toSampling } from './sampling.ts'
import { planToolCall } from './tool-calls.ts'
import { VllmError } from './vllm-error.ts'

const itemSchema = z.looseObject({ ...messageSchema.shape, role: z.string().optional(), type: z.string().optional() })
const responsesSchema = z.looseObject({
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(itemSchema)]),
  instructions: z.string().nullish(),
  tools: z.unknown().optional(),
  tool_choice: z.unknown().optional(),
  max_output_tokens: z.int().nullish(),
  stream: z.boolean().nullish(),
  store: z.boolean().nullish(),
  background: z.boolean().nullish(),
  previous_response_id: z.string().nullish(),
  cache_salt: z.string().nullish(),
})
type ResponsesRequest = z.output<typeof responsesSchema>

/** POST /v1/responses. */
export async function answerResponses(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, responsesSchema)
  const messages = toConversation(exchange, fields)
  const answer = planResponse(exchange, fields, messages)
  const keep = (status: string, cancel: (() => void) | null = null): Record<string, unknown> => {
    const body = toResponseBody(answer, status)
    const reply = { role: 'assistant', content: textOf(answer.generation) }
    const isKept = fields.store !== false
    if (isKept) exchange.worker.responses.put({ body, messages: [...messages, reply], cancel })
    return body
  }
  if (fields.background === true) return runInBackground(exchange, answer, keep)
  if (fields.stream === true) {
    keep('in_progress')
    return streamGenerations(
      exchange,
      [answer.generation],
      createResponsesRenderer(answer, () => keep(answer.finalStatus)),
    )
  }
  const { cachedTokens } = await collectGenerations(exchange, [answer.generation])
  answer.cachedTokens = cachedTokens
  return jsonResponse(keep(answer.finalStatus))
}

/** GET /v1/responses/{id}. */
export function answerGetResponse(exchange: Exchange, params: Record<string, string>): Response {
  return jsonResponse(findResponse(exchange, params['id']).body)
}

/** POST /v1/responses/{id}/cancel: only what runs in the background can be cancelled. */
export function answerCancelResponse(exchange: Exchange, params: Record<string, string>): Response {
  const stored = findResponse(exchange, params['id'])
  if (stored.cancel === null || !isRunning(stored)) {
    throw new VllmError(400, 'Cannot cancel a synchronous response.', 'response_id')
  }
  stored.cancel()
  stored.body = { ...stored.body, status: 'cancelled' }
  return jsonResponse(stored.body)
}

/** DELETE /v1/responses/{id}. */
export function answerDeleteResponse(exchange: Exchange, params: Record<string, string>): Response {
  const { body, cancel } = findResponse(exchange, params['id'])
  cancel?.()
  exchange.worker.responses.delete(body.id)
  return jsonResponse({ id: body.id, object: 'response', deleted: true })
}

function isRunning({ body }: StoredResponse): boolean {
  return body.status === 'queued' || body.status === 'in_progress'
}

function findResponse(exchange: Exchange, id: string | null | undefined): StoredResponse {
  const stored = exchange.worker.responses.get(id ?? '')
  if (stored === null) throw new VllmError(404, `Response with id '${id ?? ''}' not found.`, 'response_id')
  return stored
}

function toConversation(exchange: Exchange, fields: ResponsesRequest): ChatMessage[] {
  const { input, instructions, previous_response_id: previous } = fields
  const earlier = typeof previous === 'string' ? findResponse(exchange, previous).messages : []
  const items: ChatMessage[] = typeof input === 'string' ? [{ role: 'user', content: input }] : input.map(toChatMessage)
  const system = typeof instructions === 'string' ? [{ role: 'system', content: instructions }] : []
  // New instructions replace the earlier ones, as the API says of previous_response_id.
  const kept = system.length === 0 ? earlier : earlier.filter(({ role }) => role !== 'system')
  return [...system, ...kept, ...items]
}

/** Items that are no messages (calls and their results) enter the prompt as their own JSON. */
function toChatMessage(item: z.output<typeof itemSchema>): ChatMessage {
  if (item.role !== undefined) return { ...item, role: item.role }
  return { role: item.type === 'function_call_output' ? 'tool' : 'assistant', content: JSON.stringify(item) }
}

function planResponse(exchange: Exchange, fields: ResponsesRequest, messages: readonly ChatMessage[]): ResponsesAnswer {
  const { tools } = fields
  const model = resolveModel(exchange, fields.model)
  const sampling = toSampling({ cache_salt: fields.cache_salt }, fields.max_output_tokens ?? null)
  const prompt = applyChatTemplate(messages, { tools })
  checkContext(exchange, prompt.length, sampling.maxTokens)
  const toolCall = planToolCall(exchange, { tools, toolChoice: fields.tool_choice, messages })
  const generation = planGeneration({ ...sampling, prompt, model, choice: 0, toolCall }, exchange.worker.settings)
  return {
    id: `resp_${exchange.worker.newId()}`,
    itemId: `${toolCall === null ? 'msg' : 'fc'}_${exchange.worker.newId()}`,
    createdAt: Math.floor(exchange.worker.clock.now() / 1000),
    model,
    generation,
    finalStatus: generation.finishReason === 'length' ? 'incomplete' : 'completed',
    cachedTokens: 0,
    fields,
  }
}

/** Answers at once; the engine goes on when the client has gone. */
function runInBackground(
  exchange: Exchange,
  answer: ResponsesAnswer,
  keep: (status: string, cancel: () => void) => Record<string, unknown>,
): Response {
  const { responses } = exchange.worker
  const run = startGenerations(pickEngine(exchange), [answer.generation], {
    token: () => {},
    done: () => {
      answer.cachedTokens = run.cachedTokens
      const stored = responses.get(answer.id)
      if (stored !== null) stored.body = toResponseBody(answer, answer.finalStatus)
    },
  })
  return jsonResponse(keep('queued', run.abort))
}

// POST /v1/messages and /v1/messages/count_tokens: Anthropic's dialect, read into chat messages and answered in kind.

import * as z from 'zod'
import { createMessagesRenderer, toMessage } from './anthropic-shapes.ts'
import { applyChatTemplate } from './chat-template.ts'
import type { ChatMessage } from './chat-template.ts'
import { readJson, resolveModel } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { planGeneration } from './generation.ts'
import { jsonResponse } from './json-response.ts'
import { messageSchema } from './message-schema.ts'
import { collectGenerations, streamGenerations } from './run-generations.ts'
import { checkContext, toSampling } from './sampling.ts'
import { planToolCall } from './tool-calls.ts'

const countSchema = z.looseObject({
  model: z.string(),
  messages: z.array(messageSchema),
  system: z.unknown().optional(),
  tools: z.unknown().optional(),
})
const messagesSchema = z.looseObject({
  ...countSchema.shape,
  max_tokens: z.int(),
  stream: z.boolean().nullish(),
  stop_sequences: z.array(z.string()).nullish(),
  tool_choice: z.unknown().optional(),
})

export async function answerMessages(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, messagesSchema)
  const model = resolveModel(exchange, fields.model)
  const sampling = toSampling({ stop: fields.stop_sequences }, fields.max_tokens)
  const { tools } = fields
  const messages = toChatMessages(fields)
  const prompt = applyChatTemplate(messages, { tools })
  checkContext(exchange, prompt.length, sampling.maxTokens)
  const toolCall = planToolCall(exchange, { tools, toolChoice: fields.tool_choice, messages })
  const generation = planGeneration({ ...sampling, prompt, model, choice: 0, toolCall }, exchange.worker.settings)
  const answer = { model, generation }
  if (fields.stream === true) return streamGenerations(exchange, [generation], createMessagesRenderer(exchange, answer))
  await collectGenerations(exchange, [generation])
  return jsonResponse(toMessage(exchange, answer))
}

export function answerCountTokens(exchange: Exchange): Response {
  const fields = readJson(exchange, countSchema)
  resolveModel(exchange, fields.model)
  return jsonResponse({ input_tokens: applyChatTemplate(toChatMessages(fields), { tools: fields.tools }).length })
}

/** The system prompt becomes the first message, and a tool's result a message of the tool's. */
function toChatMessages(fields: z.output<typeof countSchema>): ChatMessage[] {
  const system = fields.system === undefined ? [] : [{ role: 'system', content: fields.system }]
  return [...system, ...fields.messages.map(toChatMessage)]
}

function toChatMessage(message: ChatMessage): ChatMessage {
  const parts: unknown[] = Array.isArray(message.content) ? message.content : []
  const isResult = parts.some(
    (part) => typeof part === 'object' && part !== null && 'type' in part && part.type === 'tool_result',
  )
  return isResult ? { ...message, role: 'tool' } : message
}

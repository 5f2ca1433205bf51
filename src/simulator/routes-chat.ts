// POST /v1/chat/completions.

import * as z from 'zod'
import { applyChatTemplate } from './chat-template.ts'
import { createChatRenderer, toChatCompletion } from './chat-shapes.ts'
import { readJson, resolveModel } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { planGeneration } from './generation.ts'
import type { Generation } from './generation.ts'
import { jsonResponse } from './json-response.ts'
import { messageSchema } from './message-schema.ts'
import { collectGenerations, streamGenerations } from './run-generations.ts'
import { checkContext, samplingFields, toSampling } from './sampling.ts'
import type { Sampling } from './sampling.ts'
import { planToolCall } from './tool-calls.ts'

const chatSchema = z.looseObject({
  ...samplingFields,
  messages: z.array(messageSchema),
  max_completion_tokens: z.int().nullish(),
  tools: z.unknown().optional(),
  tool_choice: z.unknown().optional(),
  add_generation_prompt: z.boolean().nullish(),
})
type ChatRequest = z.output<typeof chatSchema>

export async function answerChat(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, chatSchema)
  const model = resolveModel(exchange, fields.model)
  const sampling = toSampling(fields, fields.max_completion_tokens ?? fields.max_tokens ?? null)
  const generations = planChat(exchange, fields, { model, sampling })
  const answer = { model, generations, fields }
  if (fields.stream === true) return streamGenerations(exchange, generations, createChatRenderer(exchange, answer))
  const { cachedTokens } = await collectGenerations(exchange, generations)
  return jsonResponse(toChatCompletion(exchange, answer, cachedTokens))
}

function planChat(
  exchange: Exchange,
  fields: ChatRequest,
  { model, sampling }: { model: string; sampling: Sampling },
): Generation[] {
  const { messages, tools } = fields
  const prompt = applyChatTemplate(messages, { tools, addGenerationPrompt: fields.add_generation_prompt ?? true })
  checkContext(exchange, prompt.length, sampling.maxTokens)
  return Array.from({ length: sampling.choices }, (_, choice) => {
    const toolCall = planToolCall(exchange, { tools, toolChoice: fields.tool_choice, messages })
    return planGeneration({ ...sampling, prompt, model, choice, toolCall }, exchange.worker.settings)
  })
}

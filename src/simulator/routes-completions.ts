// POST /v1/completions: prompts as text or as token ids, one or many.

import * as z from 'zod'
import { createCompletionRenderer, toCompletion } from './completion-shapes.ts'
import { readJson, resolveModel } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { planGeneration } from './generation.ts'
import { jsonResponse } from './json-response.ts'
import { promptSchema, toPrompts } from './prompt-input.ts'
import { collectGenerations, streamGenerations } from './run-generations.ts'
import { checkContext, samplingFields, toSampling } from './sampling.ts'
import { VllmError } from './vllm-error.ts'

const completionSchema = z.looseObject({ ...samplingFields, prompt: promptSchema, echo: z.boolean().nullish() })

// The default that vLLM keeps from OpenAI's first API.
const DEFAULT_MAX_TOKENS = 16

export async function answerCompletion(exchange: Exchange): Promise<Response> {
  const fields = readJson(exchange, completionSchema)
  const model = resolveModel(exchange, fields.model)
  const sampling = toSampling(fields, fields.max_tokens ?? DEFAULT_MAX_TOKENS)
  const prompts = toPrompts(fields.prompt)
  if (prompts.length === 0) throw new VllmError(400, 'prompt must not be empty.', 'prompt')
  const generations = prompts.flatMap((prompt) => {
    checkContext(exchange, prompt.length, sampling.maxTokens)
    return Array.from({ length: sampling.choices }, (_, choice) =>
      planGeneration({ ...sampling, prompt, model, choice, toolCall: null }, exchange.worker.settings),
    )
  })
  const answer = { model, generations, fields, choicesPerPrompt: sampling.choices }
  if (fields.stream === true) {
    return streamGenerations(exchange, generations, createCompletionRenderer(exchange, answer))
  }
  const { cachedTokens } = await collectGenerations(exchange, generations)
  return jsonResponse(toCompletion(exchange, answer, cachedTokens))
}

// POST /tokenize and /detokenize.

import * as z from 'zod'
import { applyChatTemplate } from './chat-template.ts'
import { readJson, resolveModel } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { jsonResponse } from './json-response.ts'
import { messageSchema } from './message-schema.ts'
import { bytesOfToken, decodeTokens, encodeText, SPECIAL_TOKENS } from './tokenizer.ts'
import { VllmError } from './vllm-error.ts'

const tokenizeSchema = z.looseObject({
  model: z.string().nullish(),
  prompt: z.string().optional(),
  messages: z.array(messageSchema).optional(),
  add_special_tokens: z.boolean().nullish(),
  add_generation_prompt: z.boolean().nullish(),
  continue_final_message: z.boolean().nullish(),
  return_token_strs: z.boolean().nullish(),
  tools: z.unknown().optional(),
})
type TokenizeRequest = z.output<typeof tokenizeSchema>

const detokenizeSchema = z.looseObject({ model: z.string().nullish(), tokens: z.array(z.int().min(0)) })

export function answerTokenize(exchange: Exchange): Response {
  const fields = readJson(exchange, tokenizeSchema)
  resolveModel(exchange, fields.model)
  const tokens = toTokens(fields)
  return jsonResponse({
    count: tokens.length,
    max_model_len: exchange.worker.settings.maxModelLen,
    tokens,
    token_strs: fields.return_token_strs === true ? tokens.map(toTokenString) : null,
  })
}

export function answerDetokenize(exchange: Exchange): Response {
  const { model, tokens } = readJson(exchange, detokenizeSchema)
  resolveModel(exchange, model)
  const prompt = decodeTokens(tokens)
  if (prompt === null) throw new VllmError(400, 'Token id is out of vocabulary.', 'tokens')
  return jsonResponse({ prompt })
}

function toTokens(fields: TokenizeRequest): number[] {
  const { messages, prompt, tools } = fields
  if (messages !== undefined) {
    const addGenerationPrompt = fields.add_generation_prompt ?? true
    if (fields.continue_final_message === true && addGenerationPrompt) {
      throw new VllmError(400, 'Cannot set both `continue_final_message` and `add_generation_prompt` to True.')
    }
    return applyChatTemplate(messages, { tools, addGenerationPrompt })
  }
  if (prompt === undefined) throw new VllmError(400, 'prompt: Field required', 'prompt')
  const tokens = encodeText(prompt)
  return fields.add_special_tokens === false ? tokens : [SPECIAL_TOKENS.begin, ...tokens]
}

function toTokenString(token: number): string {
  return new TextDecoder().decode(bytesOfToken(token) ?? new Uint8Array())
}

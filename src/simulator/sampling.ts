// The fields of a generation request that change what the simulator answers; everything else is taken and ignored, as
// an unknown field is by vLLM.

import * as z from 'zod'
import type { Exchange } from './exchange.ts'
import { VllmError } from './vllm-error.ts'

const optionalCount = z.int().nullish()

/** Fields that chat and completion requests share. */
export const samplingFields = {
  model: z.string().nullish(),
  max_tokens: optionalCount,
  min_tokens: optionalCount,
  n: optionalCount,
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  ignore_eos: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .looseObject({ include_usage: z.boolean().nullish(), continuous_usage_stats: z.boolean().nullish() })
    .nullish(),
  cache_salt: z.string().nullish(),
  return_token_ids: z.boolean().nullish(),
}

const samplingSchema = z.looseObject(samplingFields)
export type SamplingFields = z.output<typeof samplingSchema>

/** The same, with what is missing filled in. */
export interface Sampling {
  readonly maxTokens: number | null
  readonly minTokens: number
  readonly choices: number
  readonly stop: readonly string[]
  readonly ignoreEos: boolean
  readonly cacheSalt: string | null
}

/** Reads the sampling fields and checks the limits that vLLM checks. */
export function toSampling(fields: SamplingFields, maxTokens: number | null): Sampling {
  if (maxTokens !== null && maxTokens < 1) {
    throw new VllmError(400, `max_tokens must be at least 1, got ${maxTokens}.`, 'max_tokens')
  }
  const choices = fields.n ?? 1
  if (choices < 1) throw new VllmError(400, `n must be at least 1, got ${choices}.`, 'n')
  const { stop } = fields
  return {
    maxTokens,
    minTokens: fields.min_tokens ?? 0,
    choices,
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
    ignoreEos: fields.ignore_eos ?? false,
    cacheSalt: fields.cache_salt ?? null,
  }
}

/** Refuses a prompt that leaves no room in the context. */
export function checkContext(exchange: Exchange, promptTokens: number, maxTokens: number | null): void {
  const limit = exchange.worker.settings.maxModelLen
  const requested = promptTokens + (maxTokens ?? 1)
  if (requested <= limit) return
  throw new VllmError(
    400,
    `This model's maximum context length is ${limit} tokens. However, you requested ${requested} tokens ` +
      `(${promptTokens} in the messages, ${requested - promptTokens} in the completion). ` +
      'Please reduce the length of the messages or completion.',
    'input_tokens',
  )
}

// POST /v1/audio/transcriptions and /v1/audio/translations: no ears, but proof of which bytes arrived.

import { resolveModel } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { planGeneration, textOf } from './generation.ts'
import { jsonResponse, textResponse } from './json-response.ts'
import { collectGenerations } from './run-generations.ts'
import { toSampling } from './sampling.ts'
import { encodePrompt } from './prompt-input.ts'
import { VllmError } from './vllm-error.ts'

/** Answers with a text, and with the hash and size of the file part as it came. */
export async function answerAudio(exchange: Exchange): Promise<Response> {
  const form = await readForm(exchange)
  const file = form.get('file')
  if (file === null || typeof file === 'string') throw new VllmError(400, 'file: Field required', 'file')
  const asked = form.get('model')
  const model = resolveModel(exchange, typeof asked === 'string' ? asked : null)
  const bytes = new Uint8Array(await file.arrayBuffer())
  const sha256 = exchange.worker.sha256(bytes)
  const request = { ...toSampling({}, null), prompt: encodePrompt(sha256), model, choice: 0, toolCall: null }
  const generation = planGeneration(request, exchange.worker.settings)
  await collectGenerations(exchange, [generation])
  const text = textOf(generation)
  if (form.get('response_format') === 'text') return textResponse(text)
  const usage = { type: 'duration', seconds: Math.ceil(bytes.byteLength / 32_000) }
  return jsonResponse({ text, usage, sha256, size: bytes.byteLength, filename: file.name })
}

async function readForm(exchange: Exchange): Promise<FormData> {
  const type = exchange.headers.get('content-type') ?? ''
  try {
    return await new Response(exchange.body, { headers: { 'content-type': type } }).formData()
  } catch {
    throw new VllmError(400, 'There was an error parsing the body')
  }
}

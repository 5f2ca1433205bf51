// What the upstream answers: bytes built once, in the shapes vLLM sends.

export const MODEL = 'bench/model'

const CREATED = 1_790_000_000

export const MODELS_ANSWER = json({
  object: 'list',
  data: [{ id: MODEL, object: 'model', created: CREATED, owned_by: 'vllm', max_model_len: 131_072 }],
})

/** About 600 bytes. */
export const CHAT_ANSWER = json({
  id: 'chatcmpl-0123456789abcdef0123456789abcdef',
  object: 'chat.completion',
  created: CREATED,
  model: MODEL,
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'It went there because it was its turn.', tool_calls: [], refusal: null },
      logprobs: null,
      finish_reason: 'stop',
      stop_reason: null,
    },
  ],
  service_tier: null,
  system_fingerprint: null,
  usage: {
    prompt_tokens: 512,
    completion_tokens: 9,
    total_tokens: 521,
    prompt_tokens_details: { cached_tokens: 496 },
  },
  prompt_logprobs: null,
  kv_transfer_params: null,
})

export const EMBEDDINGS_ANSWER = json({
  id: 'embd-0123456789abcdef',
  object: 'list',
  created: CREATED,
  model: MODEL,
  data: [0, 1].map((index) => ({
    index,
    object: 'embedding',
    embedding: Array.from({ length: 384 }, (_, at) => Math.sin(at + index) / 20),
  })),
  usage: { prompt_tokens: 64, total_tokens: 64, completion_tokens: 0 },
})

/** What the hook beside the worker answers. */
export const HOOK_PATH = '/bench/hook'
export const HOOK_ANSWER = json({ action: 'allow' })

const CHUNKS = 200

/** The events of a stream: 200 with a choice, then usage, then the terminator. */
export const STREAM_EVENTS: readonly Buffer[] = [
  ...Array.from({ length: CHUNKS }, (_, at) => {
    const delta = at === 0 ? { role: 'assistant', content: '' } : { content: ` word${at}` }
    return event({ choices: [{ index: 0, delta, logprobs: null, finish_reason: at === CHUNKS - 1 ? 'stop' : null }] })
  }),
  event({ choices: [], usage: { prompt_tokens: 512, completion_tokens: CHUNKS, total_tokens: 512 + CHUNKS } }),
  Buffer.from('data: [DONE]\n\n'),
]

function event(fields: object): Buffer {
  const chunk = { id: 'chatcmpl-0123456789abcdef', object: 'chat.completion.chunk', created: CREATED, model: MODEL }
  return Buffer.from(`data: ${JSON.stringify({ ...chunk, ...fields })}\n\n`)
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

// Requests with a mark wherever people and tools write: in prompts of every API, in tools and what they are called with, in
// metadata and session keys, in forms, and in bodies that are refused.

export interface MarkedRequest {
  readonly path: string
  /** An object as JSON, text as it is. */
  readonly body: object | string | FormData
  readonly headers?: Readonly<Record<string, string>>
}

/** The first marks are for others to use: no request has them. */
const SPARE_MARKS = 8

export function markedRequests(): { readonly requests: readonly MarkedRequest[]; readonly marks: readonly string[] } {
  const marks: string[] = []
  const mark = () => {
    const made = `mark${crypto.randomUUID().slice(0, 13).replaceAll('-', 'x')}n${marks.length}`
    marks.push(made)
    return made
  }
  for (let n = 0; n < SPARE_MARKS; n += 1) mark()
  const chat = (model: string, more: object = {}) => chatRequest(mark, model, more)
  const chats: MarkedRequest[] = [
    chat('m'),
    chat('m', { stream: true }),
    chat('m', { stream: true, stream_options: { include_usage: true } }),
    chat('nobody'),
    chat('rejects'),
    chat('hooked'),
    chat('rambles'),
    { ...chat('m', { stream: true, max_tokens: 20 }), headers: fault({ die_mid_stream: { after_events: 2 } }) },
    { ...chat('m'), headers: fault({ status: 400 }) },
    { ...chat('m'), headers: fault({ status: 500 }) },
    // Workers that say again what they were asked.
    { ...chat('m'), headers: fault({ status: 400, message: mark() }) },
    { ...chat('m'), headers: fault({ status: 503, message: mark() }) },
    {
      ...chat('m'),
      headers: { 'x-session-id': mark(), 'x-user-id': mark(), cookie: `a=${mark()}`, 'user-agent': mark() },
    },
    chat('m', { n: mark() }),
  ]
  return { requests: [...chats, ...otherRequests(mark)], marks }
}

type Mark = () => string

function chatRequest(mark: Mark, model: string, more: object): MarkedRequest {
  const call = { id: mark(), type: 'function', function: { name: mark(), arguments: JSON.stringify({ city: mark() }) } }
  const tool = {
    type: 'function',
    function: {
      name: mark(),
      description: mark(),
      parameters: { type: 'object', properties: { [mark()]: { enum: [mark()] } } },
    },
  }
  return {
    path: '/v1/chat/completions',
    body: {
      model,
      max_tokens: 4,
      messages: [
        { role: 'system', content: mark() },
        { role: 'user', name: mark(), content: [{ type: 'text', text: mark() }] },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: call.id, content: mark() },
        { role: 'user', content: `${mark()} ${'word '.repeat(200)}` },
      ],
      tools: [tool],
      user: mark(),
      metadata: { [mark()]: mark() },
      stop: [mark()],
      ...more,
    },
  }
}

function otherRequests(mark: Mark): readonly MarkedRequest[] {
  const form = new FormData()
  form.set('model', 'm')
  form.set('prompt', mark())
  form.set('file', new Blob([mark()]), `${mark()}.wav`)
  return [
    { path: '/v1/completions', body: { model: 'm', prompt: [mark(), mark()], suffix: mark(), max_tokens: 2 } },
    { path: '/v1/responses', body: { model: 'm', input: mark(), instructions: mark(), max_output_tokens: 2 } },
    { path: '/v1/responses', body: { model: 'm', stream: true, input: [{ role: 'user', content: mark() }] } },
    {
      path: '/v1/messages',
      body: {
        model: 'm',
        max_tokens: 4,
        system: mark(),
        messages: [{ role: 'user', content: mark() }],
        metadata: { user_id: mark() },
      },
    },
    { path: '/v1/messages', body: { model: 'nobody', max_tokens: 4, messages: [{ role: 'user', content: mark() }] } },
    { path: '/v1/embeddings', body: { model: 'm', input: [mark(), mark()] } },
    { path: '/v1/rerank', body: { model: 'm', query: mark(), documents: [mark(), mark()] } },
    { path: '/v1/score', body: { model: 'm', text_1: mark(), text_2: mark() } },
    { path: '/tokenize', body: { model: 'm', prompt: mark() } },
    { path: '/v1/audio/transcriptions', body: form },
    { path: '/v1/chat/completions', body: `{"model":"m","messages":[{"role":"user","content":"${mark()}"}],` },
    { path: '/v1/chat/completions', body: `${mark()} ${mark()}` },
    {
      path: `/v1/chat/completions?${mark()}=${mark()}`,
      body: { model: 'm', messages: [{ role: 'user', content: mark() }] },
    },
  ]
}

function fault(rule: object): Readonly<Record<string, string>> {
  return { 'x-sim-fault': JSON.stringify(rule) }
}

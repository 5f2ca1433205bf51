// A pass-through that does more and more of what a router owes its callers, in Web standards alone and in as few lines as
// it takes: what is left between the highest step and the router is the router's own; what is below, its runtime's.

/** In the order in which they are added. */
export const STEPS = [
  'reads the request whole',
  'reads the answer whole',
  'headers by name, ids added',
  'a client that leaves aborts',
  'two time limits',
  'both bodies parsed',
  'a line in the log',
]

const REQUEST_HEADERS = ['content-type', 'accept', 'user-agent']
const ANSWER_HEADERS = ['content-type', 'cache-control']
const BODY_LIMIT_MS = 60_000
const ANSWER_LIMIT_MS = 300_000

/**
 * The fetch handler of the first `count` steps.
 * @param {string} upstream where requests go, without a path
 * @param {number} count how many of `STEPS`; 0 is the bare pass-through
 * @param {object} [runtime] what a runtime does its own way
 * @param {(bytes: Uint8Array<ArrayBuffer>) => BodyInit} [runtime.toBody] what it is given in place of bytes
 * @param {typeof fetch} [runtime.send] how it sends requests
 */
export function ladderHandler(upstream, count, { toBody = (bytes) => bytes, send = fetch } = {}) {
  const [readsRequest, readsAnswer, ownHeaders, watchesClient, limitsTime, parses, logs] = STEPS.map(
    (_, at) => at < count,
  )
  const decoder = new TextDecoder()

  async function pass(request, url, body, id) {
    const headers = ownHeaders ? headersOf(request.headers, id) : request.headers
    const init = { method: request.method, headers, body, redirect: 'manual' }
    if (!watchesClient) return send(url, init)
    const controller = new AbortController()
    request.signal.addEventListener('abort', () => controller.abort())
    return send(url, { ...init, signal: controller.signal })
  }

  return async function handle(request) {
    const id = crypto.randomUUID()
    const { url } = request
    const target = upstream + url.slice(url.indexOf('/', 8))
    // What only reads is asked with GET, to see that a server is up.
    if (!readsRequest || request.method === 'GET') return pass(request, target, request.body, id)
    const bodyLimit = limitsTime ? setTimeout(() => {}, BODY_LIMIT_MS) : undefined
    const bytes = new Uint8Array(await request.arrayBuffer())
    clearTimeout(bodyLimit)
    const asked = parses ? JSON.parse(decoder.decode(bytes)) : null
    const answerLimit = limitsTime ? setTimeout(() => {}, ANSWER_LIMIT_MS) : undefined
    const answer = await pass(request, target, toBody(bytes), id)
    if (!readsAnswer || answer.headers.get('content-type') === 'text/event-stream') {
      clearTimeout(answerLimit)
      return answer
    }
    const whole = await answer.arrayBuffer()
    clearTimeout(answerLimit)
    const told = parses ? JSON.parse(decoder.decode(whole)) : null
    if (logs) console.log(JSON.stringify({ ...LINE, id, model: asked?.model, tokens: told?.usage?.total_tokens }))
    return new Response(whole, { status: answer.status, headers: answerHeaders(answer.headers, ownHeaders, id) })
  }
}

/** Of the length of the router's line. */
const LINE = {
  time: '2026-01-01T00:00:00.000Z',
  level: 'info',
  message: 'request',
  method: 'round_robin',
  worker: 'http://127.0.0.1:8000',
  status: 200,
  duration_ms: 12,
  decision: '0123456789abcdef0123456789abcdef',
  view: '0123456789abcdef0123456789abcdef',
}

function headersOf(incoming, id) {
  const headers = new Headers()
  for (const name of REQUEST_HEADERS) {
    const value = incoming.get(name)
    if (value !== null) headers.set(name, value)
  }
  headers.set('accept-encoding', 'identity')
  headers.set('x-request-id', id)
  return headers
}

function answerHeaders(answer, isOwn, id) {
  if (!isOwn) return answer
  const headers = new Headers()
  for (const name of ANSWER_HEADERS) {
    const value = answer.get(name)
    if (value !== null) headers.set(name, value)
  }
  headers.set('x-request-id', id)
  headers.set('x-worker', 'worker-1')
  headers.set('x-policy', 'round_robin')
  headers.set('x-decision-id', id)
  return headers
}

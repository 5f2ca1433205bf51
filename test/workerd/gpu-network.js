// A vLLM server in a private network, as far as the tests of bindings need one: a Worker of its own behind a binding.

const EVENTS = 'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/v1/models') return Response.json({ object: 'list', data: [{ id: 'private' }] })
    if (request.method === 'GET') return new Response(null, { status: pathname === '/health' ? 200 : 404 })
    const body = await request.json()
    if (body.stream === true) return new Response(EVENTS, { headers: { 'content-type': 'text/event-stream' } })
    const authorization = request.headers.get('authorization')
    return Response.json({ through: 'gpu-network', url: request.url, authorization, body })
  },
}

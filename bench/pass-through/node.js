// The bare pass-through on Node: its own server, and the fetch of the router's HTTP client. Through @hono/node-server it
// would be slower, and an answer that streams would wait for a timer of a millisecond.

import { createServer } from 'node:http'
import { fetch } from 'undici'

const [port, upstream] = process.argv.slice(2)

async function passThrough(incoming, outgoing) {
  const { method, url, headers } = incoming
  const body = method === 'GET' ? null : incoming
  const answer = await fetch(upstream + url, { method, headers, body, duplex: 'half', redirect: 'manual' })
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers))
  for await (const chunk of answer.body) outgoing.write(chunk)
  outgoing.end()
}

const server = createServer((incoming, outgoing) => void passThrough(incoming, outgoing))
server.listen(Number(port), '127.0.0.1')

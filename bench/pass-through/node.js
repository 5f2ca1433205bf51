// The bare pass-through on Node: the same server and client library as the router's, and nothing between.

import { serve } from '@hono/node-server'
import { fetch } from 'undici'

const [port, upstream] = process.argv.slice(2)

serve({
  hostname: '127.0.0.1',
  port: Number(port),
  fetch({ method, url, headers, body }) {
    const target = upstream + url.slice(url.indexOf('/', 8))
    return fetch(target, { method, headers, body, duplex: 'half', redirect: 'manual' })
  },
})

// The bare pass-through as a Worker in workerd, started as the router's own Worker is: by Miniflare, on a direct socket.

import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { networkBinding } from '../../src/runtime/workerd-network.ts'
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from '../../src/runtime/workerd-process.ts'

const [port, upstream] = process.argv.slice(2)

const WORKER = `
export default {
  fetch(request, { UPSTREAM, NETWORK }) {
    const { url } = request
    return NETWORK.fetch(UPSTREAM + url.slice(url.indexOf('/', 8)), request)
  },
}
`

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    name: 'pass-through',
    modules: [{ type: 'ESModule', path: 'worker.js', contents: WORKER }],
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: [...COMPATIBILITY_FLAGS],
    bindings: { UPSTREAM: upstream },
    // Past the Worker that Miniflare puts before the global `fetch`, as the router's requests go.
    serviceBindings: { NETWORK: networkBinding() },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: Number(port) }],
  }),
)
await miniflare.ready
process.once('SIGTERM', () => void miniflare.dispose().then(() => process.exit(0)))

// One step of the ladder as a Worker in workerd, started as the router's own Worker is.

import { readFileSync } from 'node:fs'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { networkBinding } from '../../src/runtime/workerd-network.ts'
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from '../../src/runtime/workerd-process.ts'

const [port, upstream, count] = process.argv.slice(2)

const WORKER = `
import { ladderHandler } from './steps.js'

let handle
export default {
  fetch(request, { UPSTREAM, COUNT, NETWORK }) {
    handle ??= ladderHandler(UPSTREAM, COUNT, { send: (url, init) => NETWORK.fetch(url, init) })
    return handle(request)
  },
}
`

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    name: 'ladder',
    modules: [
      { type: 'ESModule', path: 'worker.js', contents: WORKER },
      { type: 'ESModule', path: 'steps.js', contents: readFileSync(new URL('steps.js', import.meta.url), 'utf8') },
    ],
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: [...COMPATIBILITY_FLAGS],
    bindings: { UPSTREAM: upstream, COUNT: Number(count) },
    // Past the Worker that Miniflare puts before the global `fetch`, as the router's requests go.
    serviceBindings: { NETWORK: networkBinding() },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: Number(port) }],
    // As under `serve`: what the Worker logs is read here and written again.
    handleStructuredLogs: ({ message }) => void process.stdout.write(`${message}\n`),
  }),
)
await miniflare.ready
process.once('SIGTERM', () => void miniflare.dispose().then(() => process.exit(0)))

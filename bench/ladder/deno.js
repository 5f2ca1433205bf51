// One step of the ladder on Deno.

import { ladderHandler } from './steps.js'

const [port, upstream, count] = Deno.args

// Deno's fetch sends bytes twice when a connection breaks, a blob once.
const handle = ladderHandler(upstream, Number(count), (bytes) => new Blob([bytes]))
Deno.serve({ hostname: '127.0.0.1', port: Number(port), onListen() {} }, (request) => handle(request))

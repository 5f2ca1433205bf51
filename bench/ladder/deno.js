// One step of the ladder on Deno.

import { SentOnce } from '../../src/runtime/sent-once.ts'
import { ladderHandler } from './steps.js'

const [port, upstream, count] = Deno.args

// Deno's fetch sends bytes twice when a connection breaks; so the router doesn't give it any.
const handle = ladderHandler(upstream, Number(count), { toBody: (bytes) => new SentOnce(bytes) })
Deno.serve({ hostname: '127.0.0.1', port: Number(port), onListen() {} }, (request) => handle(request))

// One step of the ladder on Bun.

import { ladderHandler } from './steps.js'

const [port, upstream, count] = process.argv.slice(2)

Bun.serve({ hostname: '127.0.0.1', port: Number(port), fetch: ladderHandler(upstream, Number(count)) })

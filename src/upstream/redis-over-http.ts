// Redis over HTTP as Upstash speaks it: a command is a JSON array, its answer JSON. One call, not tried again: what it is
// for can be done without.

import type { Platform } from '../platform.ts'
import type { RedisCommands } from '../store/redis-commands.ts'

export interface RedisOverHttpOptions {
  readonly platform: Pick<Platform, 'send'>
  readonly restUrl: string
  readonly token: string
}

export function openRedisOverHttp({ platform, restUrl, token }: RedisOverHttpOptions): RedisCommands {
  const encoder = new TextEncoder()
  const url = new URL(restUrl).href
  return {
    async command(args, signal) {
      const headers = new Headers({ 'content-type': 'application/json', authorization: `Bearer ${token}` })
      const body = new Uint8Array(encoder.encode(JSON.stringify(args)))
      const response = await platform.send(url, { method: 'POST', headers, body, signal, connectTimeoutMs: null })
      const answer = parsed(await response.text())
      if (response.ok && typeof answer === 'object' && answer !== null && 'result' in answer) return answer.result
      // Its own words may repeat what it was sent.
      throw new Error(`Redis over HTTP: no result, and status ${response.status}`)
    },
    close: async () => {},
  }
}

/** Null for what is no JSON: an error of the parser would repeat some of it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

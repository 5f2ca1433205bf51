// Stores over a real Redis for tests that keep the time themselves: the server's clock is the test's.

import { Secret } from '../../src/secret.ts'
import { afterAll, beforeAll } from 'vitest'
import { connectRedis } from '../../src/runtime/redis-client.ts'
import type { RedisLink } from '../../src/store/redis-link.ts'
import { type RedisServer, startRedisServer } from './redis-server.ts'

export interface RedisForTests {
  readonly url: string
  /** A prefix that no test before used. */
  newPrefix(): string
  /** A connection; `now` gives the time of its server, where that is not the machine's. */
  connect(now?: () => number): Promise<RedisLink>
}

/** Registers start and end with the enclosing file or `describe`. */
export function useRedis(): RedisForTests {
  let server: RedisServer | null = null
  const links: RedisLink[] = []
  let prefixes = 0
  beforeAll(async () => {
    server = await startRedisServer()
  })
  afterAll(async () => {
    for (const link of links) link.close()
    await server?.stop()
  })
  const url = () => {
    if (server === null) throw new Error('Redis has not been started')
    return server.url
  }
  return {
    get url() {
      return url()
    },
    newPrefix() {
      prefixes += 1
      return `test-${prefixes}`
    },
    async connect(now) {
      const link = await connectRedis({
        url: new Secret(url()),
        keyPrefix: '',
        connectTimeoutMs: 10_000,
        commandTimeoutMs: 10_000,
      })
      links.push(link)
      return now === undefined ? link : { ...link, timeMs: async () => now() }
    },
  }
}

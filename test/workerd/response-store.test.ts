// Cached answers in a real KV namespace.

import { env } from 'cloudflare:workers'
import type { TextNamespace } from '../../src/cache/response-kv.ts'
import { KvResponseStore } from '../../src/cache/response-kv.ts'
import { responseStoreConformance } from '../conformance/response-store.ts'

let places = 0

responseStoreConformance('Workers KV', async () => {
  const prefix = `place${(places += 1)}:`
  const namespace: TextNamespace = {
    get: (key) => env.RESPONSE_CACHE.get(prefix + key),
    put: (key, value, options) => env.RESPONSE_CACHE.put(prefix + key, value, options),
    delete: (key) => env.RESPONSE_CACHE.delete(prefix + key),
  }
  const open = () =>
    new KvResponseStore({ namespace, ttlMs: 60_000, now: () => Date.now(), randomId: () => crypto.randomUUID() })
  return { open }
})

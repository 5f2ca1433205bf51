// The `redis` section of caches: where one is, over TCP or over HTTP, and how long it may take.

import { type Secret, toSecret } from '../secret.ts'
import * as z from 'zod'
import { errorAt, type Path, type Problem, warningAt } from './finding.ts'
import { redisShape } from './redis-section.ts'
import { wholeNumber } from './scalars.ts'

/** A Redis that caches are in; one of `url` and `restUrl` is there. */
export interface CacheRedisConfig {
  /** Over TCP, with user and password, if any. A secret. */
  readonly url: Secret | null
  /** Over HTTP as Upstash speaks it. Both are secrets. */
  readonly restUrl: Secret | null
  readonly token: Secret | null
  /** What every key begins with. */
  readonly keyPrefix: string
  readonly skipsVerification: boolean
  /** For what is written once an answer is out; what is read before has a budget of its own. */
  readonly commandTimeoutMs: number
}

const TIMEOUT_MAX_MS = 60_000

export const cacheRedisSchema = z.strictObject({
  ...redisShape('vllm-router:'),
  command_timeout_ms: wholeNumber(1, TIMEOUT_MAX_MS).default(500),
  /** Of the Rust router; one connection takes any number of commands. */
  pool_size: wholeNumber(1, 10_000).optional(),
  connection_timeout_ms: wholeNumber(1, TIMEOUT_MAX_MS).optional(),
})

type Section = z.output<typeof cacheRedisSchema>
type PartlySection = { readonly [Key in keyof Section]?: Section[Key] | undefined }

export function toCacheRedis(section: Section): CacheRedisConfig {
  return {
    url: toSecret(section.url),
    restUrl: toSecret(section.rest_url),
    token: toSecret(section.token),
    keyPrefix: section.key_prefix,
    skipsVerification: section.tls_skip_verify,
    commandTimeoutMs: section.command_timeout_ms,
  }
}

/** Problems of the section at `path`; `hasSockets` is null when not known. */
export function checkCacheRedis(redis: PartlySection, path: Path, hasSockets: boolean | null): Problem[] {
  const { url, rest_url: restUrl, token } = redis
  return [
    ...checkAddress(redis, path),
    ...(url !== undefined && restUrl !== undefined
      ? [errorAt([...path, 'rest_url'], 'stands beside url; which of the two is it?')]
      : []),
    ...(restUrl !== undefined && token === undefined && !('token' in redis)
      ? [errorAt([...path, 'rest_url'], 'needs a token beside it')]
      : []),
    ...(redis.tls_skip_verify === true && url?.startsWith('rediss://') !== true
      ? [errorAt([...path, 'tls_skip_verify'], 'is about certificates: it needs a url that begins with rediss://')]
      : []),
    ...(url !== undefined && hasSockets === false
      ? [errorAt([...path, 'url'], "can't be reached from a Worker, which speaks HTTP; write rest_url and token")]
      : []),
    ...without(redis, path, 'pool_size', 'one connection takes any number of commands'),
    ...without(redis, path, 'connection_timeout_ms', 'no request waits for a connection beyond its budget'),
  ]
}

function checkAddress(redis: PartlySection, path: Path): Problem[] {
  // One that was refused has a problem already.
  return 'url' in redis || 'rest_url' in redis ? [] : [errorAt(path, 'needs a url, or a rest_url with its token')]
}

function without(redis: PartlySection, path: Path, key: 'pool_size' | 'connection_timeout_ms', why: string): Problem[] {
  return redis[key] === undefined ? [] : [{ ...warningAt([...path, key], `has no effect here: ${why}`), atKey: true }]
}

// `router_replay`: what Router Replay records of requests, and where it keeps that. The section stands at the top level,
// switched off unless it says otherwise, and as a plugin of a decision, where it is switched on.

import { toSecret } from '../secret.ts'
import * as z from 'zod'
import type { ReplayPostgresConfig, ReplayRedisConfig, RouterReplayConfig } from './config.ts'
import { redisShape, secretUrl } from './redis-section.ts'
import { byteSize, flag, text, wholeNumber } from './scalars.ts'

/** Where records can be kept; not every runtime has each of them. */
export const REPLAY_BACKENDS = ['memory', 'durable_object', 'redis', 'postgres', 'r2'] as const

export type ReplayBackend = (typeof REPLAY_BACKENDS)[number]

/** Backends of the semantic router that are not built. */
const NOT_BUILT: readonly unknown[] = ['milvus', 'qdrant']

/** Records of every store are bounded; this many can still be counted and paged through. */
const MAX_RECORDS = 100_000
/** A record and its two bodies fit into a row of a Durable Object, which holds 2 MB. */
const MAX_BODY_BYTES = 512 * 1024

const DAYS_MAX = 36_500
const IDENTIFIER = 'must be a plain SQL name: lower-case letters, digits and _, not beginning with a digit'

const identifier = () => text().regex(/^[a-z_][a-z0-9_]{0,54}$/, { error: IDENTIFIER })

const redisSchema = z.strictObject(redisShape('router_replay:'))

const postgresSchema = z.strictObject({
  url: secretUrl(['postgres', 'postgresql'], 'postgres://user:password@10.0.0.9:5432/database').optional(),
  /** Name of the Hyperdrive binding, on Workers. */
  hyperdrive_binding: text().meta({ reaches: 'binding' }).optional(),
  schema: identifier().default('public'),
  table: identifier().default('router_replay_records'),
  max_connections: wholeNumber(1, 100).default(4),
})

const r2Schema = z.strictObject({
  /** What the keys of the bucket begin with. */
  prefix: z
    .string({ error: 'must be text; put quotes around numbers' })
    .regex(/^(?:[A-Za-z0-9._-]+\/){0,8}$/, { error: 'must be empty, or names with a / behind each, such as replays/' })
    .default('router_replay/'),
})

const shape = {
  /** Of each decision. */
  max_records: wholeNumber(1, MAX_RECORDS).default(200),
  capture_request_body: flag().default(false),
  capture_response_body: flag().default(false),
  max_body_bytes: byteSize()
    .refine((bytes) => bytes <= MAX_BODY_BYTES, { error: 'must be at most 512KiB' })
    .default(4_096),
  store_backend: z
    .enum(REPLAY_BACKENDS, {
      error: ({ input }) => {
        const known = REPLAY_BACKENDS.join(', ')
        return NOT_BUILT.includes(input)
          ? `${String(input)} is not built; use one of ${known}`
          : `must be one of ${known}`
      },
    })
    .default('memory'),
  /** How long a record is kept; without it until newer ones take its place. */
  ttl_seconds: wholeNumber(1, DAYS_MAX * 86_400)
    .nullable()
    .default(null),
  /** Gathers records for a moment, and writes many at once. */
  async_writes: flag().default(false),
  redis: redisSchema.optional(),
  postgres: postgresSchema.optional(),
  r2: r2Schema.optional(),
}

/** The section at the top level. */
export const routerReplaySchema = z.strictObject({ enabled: flag().default(false), ...shape })

/** What a plugin of a decision can say: what is recorded. Where it is kept is one place for all. */
export const replayPluginShape = {
  max_records: shape.max_records.unwrap().optional(),
  capture_request_body: flag().optional(),
  capture_response_body: flag().optional(),
  max_body_bytes: shape.max_body_bytes.unwrap().optional(),
  ttl_seconds: wholeNumber(1, DAYS_MAX * 86_400).optional(),
  async_writes: flag().optional(),
}

export function toRouterReplay(section: z.output<typeof routerReplaySchema>): RouterReplayConfig {
  return {
    isEnabled: section.enabled,
    maxRecords: section.max_records,
    capturesRequestBody: section.capture_request_body,
    capturesResponseBody: section.capture_response_body,
    maxBodyBytes: section.max_body_bytes,
    ttlMs: section.ttl_seconds === null ? null : section.ttl_seconds * 1000,
    isAsync: section.async_writes,
    store: {
      backend: section.store_backend,
      redis: section.redis === undefined ? null : toRedis(section.redis),
      postgres: section.postgres === undefined ? null : toPostgres(section.postgres),
      r2: { prefix: section.r2?.prefix ?? 'router_replay/' },
    },
  }
}

function toRedis(redis: z.output<typeof redisSchema>): ReplayRedisConfig {
  return {
    url: toSecret(redis.url),
    restUrl: toSecret(redis.rest_url),
    token: toSecret(redis.token),
    keyPrefix: redis.key_prefix,
    skipsVerification: redis.tls_skip_verify,
  }
}

function toPostgres(postgres: z.output<typeof postgresSchema>): ReplayPostgresConfig {
  return {
    url: toSecret(postgres.url),
    hyperdriveBinding: postgres.hyperdrive_binding ?? null,
    schema: postgres.schema,
    table: postgres.table,
    maxConnections: postgres.max_connections,
  }
}

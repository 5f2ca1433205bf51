// `state`: where processes that are to act as one fleet keep what they agree on.

import { Secret } from '../secret.ts'
import * as z from 'zod'
import type { CrossCheckInput } from './cross-checks.ts'
import type { RedisConfig } from './config.ts'
import { errorAt, type Problem, warningAt } from './finding.ts'
import { redisUrl } from './redis-section.ts'
import { seconds } from './scalars.ts'

export const stateSchema = z.strictObject({
  /** Without one, each process is a fleet of its own. */
  redis_url: redisUrl().optional(),
  /** What every key begins with. Processes with the same one are one fleet. */
  key_prefix: z
    .string({ error: 'must be text; put quotes around numbers' })
    .regex(/^[A-Za-z0-9._:{}/-]{1,128}$/, { error: 'must be 1 to 128 letters, digits or . _ : / - { }' })
    .default('vllm-router'),
  connect_timeout_secs: seconds().default(2),
  /** How long an answer may take. */
  command_timeout_secs: seconds().default(0.5),
})

export function toRedis(state: z.output<typeof stateSchema>): RedisConfig | null {
  if (state.redis_url === undefined) return null
  return {
    url: new Secret(state.redis_url),
    keyPrefix: state.key_prefix,
    connectTimeoutMs: state.connect_timeout_secs * 1000,
    commandTimeoutMs: state.command_timeout_secs * 1000,
  }
}

export function checkState({
  file: { state = {} },
  hasSockets,
}: Pick<CrossCheckInput, 'file' | 'hasSockets'>): Problem[] {
  if ('redis_url' in state) {
    if (hasSockets !== false) return []
    return [errorAt(['state', 'redis_url'], "can't be had on Workers: Durable Objects hold the state there; remove it")]
  }
  const isSet = state.key_prefix !== undefined && state.key_prefix !== 'vllm-router'
  return isSet ? [warningAt(['state', 'key_prefix'], 'has no effect without state.redis_url')] : []
}

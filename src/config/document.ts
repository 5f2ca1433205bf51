// A checked file for people: every key in the notation of YAML, secrets hidden, and a digest of each section that tells
// whether it has changed.

import { HIDDEN } from '../secret.ts'
import type * as z from 'zod'
import type { ConfigDocument } from './config.ts'
import { withoutUserInfo } from './finding.ts'
import type { ChosenPolicy } from './policy-section.ts'
import { canonicalJson, digest } from './digest.ts'
import { digestOfReach, reachedBy } from './reach.ts'
import { configSchema, type ConfigFile } from './schema.ts'
import { holdsSecret, isDuration, replaceSecrets, schemaWithin } from './schema-walk.ts'

type Schema = z.core.$ZodType

/** What is shown of a checked file, its policy with every option included. */
export async function toDocument(file: ConfigFile, policy: ChosenPolicy): Promise<ConfigDocument> {
  const chosen = { type: policy.type, ...toShownMap(policy.schema, policy.options) }
  const shown = { ...toShownMap(configSchema, file), policy: chosen }
  const digested = {
    ...asMap(await replaceSecrets(configSchema, file, digest)),
    policy: [policy.type, await replaceSecrets(policy.schema, policy.options, digest)],
  }
  const sections = Object.entries(digested).map(async ([key, value]) => {
    return [key, await digest(canonicalJson(value ?? null))] as const
  })
  const reached = [...reachedBy(configSchema, file), ...reachedBy(policy.schema, policy.options)]
  const reaches = [...new Set(reached.map(digestOfReach))]
  return { shown, sections: Object.fromEntries(await Promise.all(sections)), reaches }
}

function toShownMap(schema: Schema, value: unknown): Readonly<Record<string, unknown>> {
  return asMap(toShown(schema, value))
}

function toShown(schema: Schema | null, value: unknown): unknown {
  if (schema !== null && isDuration(schema)) return toDurationText(value)
  if (typeof value === 'string') {
    // A `${` that is left in a checked value is meant literally.
    return schema !== null && holdsSecret(schema) ? HIDDEN : withoutUserInfo(value).replaceAll('${', () => '$${')
  }
  if (Array.isArray(value)) return value.map((item, index) => toShown(schemaWithin(schema, index), item))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([key, item]) => [key, toShown(schemaWithin(schema, key), item)]))
}

/** Checked durations are milliseconds; an operator writes seconds, or says the unit. */
function toDurationText(milliseconds: unknown): unknown {
  if (milliseconds === null) return 'off'
  return typeof milliseconds === 'number' ? `${milliseconds}ms` : milliseconds
}

function asMap(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

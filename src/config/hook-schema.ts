// `pre_routing_hooks`: what one entry can say, and the HookConfig it becomes.
// What only the whole file shows (names that repeat, routes that don't exist) is in hook-checks.ts.

import { Secret, toSecret } from '../secret.ts'
import * as z from 'zod'
import type { HookConfig } from './config.ts'
import { flag, list, text, wholeNumber } from './scalars.ts'
import { secretHeaderValue, secretString } from './schema-walk.ts'
import { hookUrl } from './worker-url.ts'

/** Longest wait for a hook: a request waits for all of them, one after the other. */
const LONGEST_HOOK_MS = 60_000

/** One entry of `pre_routing_hooks`. */
export const hookSchema = z.strictObject(
  {
    /** Stands in a header's comma-separated list, so nothing that could be read as two names. */
    name: z.string({ error: 'must be text; put quotes around numbers' }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
      error: 'must be 1 to 64 letters, digits or . _ -, starting with a letter or digit',
    }),
    url: hookUrl(),
    /** For the hook's whole answer. */
    timeout_ms: wholeNumber(1, LONGEST_HOOK_MS).default(200),
    on_error: z.enum(['pass', 'block']).default('pass'),
    on_reject: z.enum(['block403', 'block400', 'pass']).default('block403'),
    /** Whether the hook may change the body. */
    transform: flag().default(false),
    headers: z.record(z.string(), secretHeaderValue(), { error: 'must be a map such as {x-team: search}' }).default({}),
    /** Bearer key sent to the hook. */
    api_key: secretString().nullable().default(null),
    routes: list(text(), '[/v1/chat/completions]')
      .min(1, { error: 'lists no route; remove the line to ask the hook on every route' })
      .nullable()
      .default(null),
    models: list(
      text().regex(/^[^*]*\*?$/, { error: 'may have a * at its end only, as in "openai/*"' }),
      '[llama-3.1-8b]',
    )
      .min(1, { error: 'lists no model; remove the line to ask the hook for every model' })
      .nullable()
      .default(null),
    send: z.enum(['body', 'metadata']).default('body'),
    parallel: flag().default(false),
    expose_reason: flag().default(false),
  },
  {
    error: (issue) =>
      issue.code === 'invalid_type'
        ? 'must be a map such as {name: safety, url: "http://10.0.0.9:9000/check"}'
        : undefined,
  },
)

/** A checked entry as the rest of the router sees it. */
export function toHook(hook: z.output<typeof hookSchema>): HookConfig {
  return {
    name: hook.name,
    url: hook.url,
    timeoutMs: hook.timeout_ms,
    onError: hook.on_error,
    onReject: hook.on_reject,
    mayTransform: hook.transform,
    headers: Object.fromEntries(
      Object.entries(hook.headers).map(([name, value]) => [name.toLowerCase(), new Secret(value)]),
    ),
    apiKey: toSecret(hook.api_key),
    routes: hook.routes,
    models: hook.models,
    send: hook.send,
    isParallel: hook.parallel,
    exposesReason: hook.expose_reason,
  }
}

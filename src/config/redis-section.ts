// What every section says that names a Redis of its own: where it is, over TCP or over HTTP, and what its keys begin with.

import * as z from 'zod'
import { flag } from './scalars.ts'
import { HIDDEN_MESSAGE, isNotHidden, secretString } from './schema-walk.ts'

/** An address that may hold a password, and so a secret as a whole. */
export function secretUrl(schemes: readonly string[], example: string) {
  return z
    .string('must be text in quotes')
    .refine(isNotHidden, HIDDEN_MESSAGE)
    .refine((value) => URL.canParse(value) && schemes.some((scheme) => value.startsWith(`${scheme}://`)), {
      error: `must be a URL such as ${example}`,
    })
    .refine((value) => !URL.canParse(value) || isDecodable(value), {
      error: 'has a % in its user or password that begins no character: write %25 for it',
    })
    .meta({ secret: true, reaches: 'service' })
}

/** The address of a Redis over TCP. */
export function redisUrl() {
  return secretUrl(['redis', 'rediss'], 'redis://user:password@10.0.0.9:6379/0, or rediss:// for TLS')
    .refine((value) => !URL.canParse(value) || /^\/?\d*$/.test(new URL(value).pathname), {
      error: 'must end with the number of a database, such as /0, or with none',
    })
    .meta({ secret: true, reaches: 'service' })
}

function isDecodable(url: string): boolean {
  const { username, password } = new URL(url)
  try {
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}

/** The fields that such sections have in common. */
export function redisShape(keyPrefix: string) {
  return {
    /** Over TCP, on every runtime but Workers. */
    url: redisUrl().optional(),
    /** Over HTTP as Upstash speaks it, on every runtime. */
    rest_url: secretUrl(['http', 'https'], 'https://eu1-name.upstash.io').optional(),
    token: secretString().optional(),
    key_prefix: z
      .string({ error: 'must be text; put quotes around numbers' })
      .regex(/^[\x21-\x7e]{0,128}$/, { error: 'must be at most 128 visible characters of ASCII' })
      .default(keyPrefix),
    /** For `rediss://` with a certificate that nobody signed. */
    tls_skip_verify: flag().default(false),
  }
}

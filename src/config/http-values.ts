// What operators may open towards HTTP: extra request headers, origins for CORS, extra paths.
// Everything here is a hole in a closed wall, so each refusal says why.

import * as z from 'zod'

/** Request headers that `forward_headers` can't open, by name or by prefix ending in `*`, and why. */
const REFUSED_HEADERS: readonly { readonly names: readonly string[]; readonly why: string }[] = [
  {
    names: [
      'connection',
      'keep-alive',
      'proxy-authenticate',
      'proxy-authorization',
      'proxy-connection',
      'te',
      'trailer',
      'transfer-encoding',
      'upgrade',
      'expect',
    ],
    why: 'belongs to one connection (RFC 9110 section 7.6.1) and never travels on',
  },
  { names: ['host', 'content-length'], why: 'is set for each worker by the router' },
  {
    names: ['authorization', 'cookie', 'x-api-key', 'x-router-key', 'x-admin-key'],
    why: "carries the caller's credentials, which no worker may see; a worker's own key goes in its api_key",
  },
  { names: ['x-vllm-*', 'x-vsr-*', 'x-authz-*'], why: 'is reserved: workers trust it to come from the router' },
  { names: ['x-data-parallel-rank'], why: 'is set by the router when it picks a data-parallel rank' },
]

/** The name of one request header to pass on, lower case. */
export function forwardHeader() {
  return z.string({ error: 'must be a header name such as x-team' }).transform((value, context): string => {
    const name = value.toLowerCase()
    const problem = headerProblem(name)
    if (problem === null) return name
    context.issues.push({ code: 'custom', message: problem, input: value })
    return z.NEVER
  })
}

/** Whether a lower-case name is one a header can have (RFC 9110, 5.1). */
export function isHeaderName(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)
}

function headerProblem(name: string): string | null {
  if (!isHeaderName(name)) return 'is no header name; write it like x-team'
  const refusal = REFUSED_HEADERS.find(({ names }) => names.some((pattern) => matches(name, pattern)))
  return refusal === undefined ? null : `can't be forwarded: it ${refusal.why}`
}

function matches(value: string, pattern: string): boolean {
  return pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : value === pattern
}

/** An origin browsers may call from, or `*`. */
export function corsOrigin() {
  return z.string({ error: 'must be an origin such as https://app.example.com' }).refine(isOrigin, {
    error:
      'must be an origin such as https://app.example.com (scheme, host, port; no path, no slash at the end), or "*"',
  })
}

function isOrigin(value: string): boolean {
  return value === '*' || (URL.canParse(value) && /^https?:/.test(value) && new URL(value).origin === value)
}

/** A path of a worker, written exactly as it is requested. */
export function passthroughPath() {
  const error = 'must be an exact path such as /load'
  return z
    .string({ error })
    .regex(/^\//, { error: `${error}, starting with /` })
    .regex(/^[^?#*]*$/, { error: `${error}, without a query, a fragment or a wildcard` })
    .regex(/^[^%\\\s]*$/, { error: `${error}, without percent-encoding, backslash or space` })
    .refine((value) => !/\/\.{0,2}(?=\/|$)/.test(value), {
      error: `${error}, without empty or dot segments and without a slash at the end`,
    })
}

/** Inference routes as the catalogue of routes writes them: what a hook's `routes` can name. */
export const HOOKABLE_PATHS: readonly string[] = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/responses',
  '/v1/responses/:id',
  '/v1/responses/:id/cancel',
  '/v1/messages',
  '/v1/messages/count_tokens',
  '/v1/rerank',
  '/v2/rerank',
  '/rerank',
  '/v1/score',
  '/score',
  '/classify',
  '/pooling',
  '/tokenize',
  '/detokenize',
  '/v1/audio/transcriptions',
  '/v1/audio/translations',
]

/** Paths the router answers itself; `/*` at the end covers everything below. */
export const OWN_PATHS: readonly string[] = [
  ...HOOKABLE_PATHS.filter((path) => !path.includes(':')),
  '/v1/responses/*',
  '/v1/models',
  '/v1/models/*',
  '/health',
  '/liveness',
  '/readiness',
  '/version',
  '/admin',
  '/admin/*',
  '/workers',
  '/workers/*',
  '/v1/router_replay',
  '/v1/router_replay/*',
]

/** Whether a path is one of the router's own. */
export function isOwnPath(path: string, ownPaths: readonly string[]): boolean {
  return ownPaths.some((pattern) => matches(path, pattern))
}

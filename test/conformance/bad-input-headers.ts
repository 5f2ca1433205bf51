// Headers and targets that are wrong in one way each (B20 to B44 of the reliability bar), as data. What must become of
// them is in http-bad-input.ts.

import { expect } from 'vitest'
import { type Accepted, GOOD, JSON_TYPE, KEY, type Refused } from './bad-input-cases.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

interface Sent {
  readonly name: string
  readonly headers: readonly string[]
  /** Header names that must not reach the worker. */
  readonly absent?: readonly string[]
  /** Those that must, with their value. */
  readonly present?: Readonly<Record<string, string>>
  /** What must not be found in anything that reaches it. */
  readonly canary?: string
}

/** A good request with odd headers: it is served, and the worker sees only what it may. */
const served = ({ name, headers, absent = [], present = {}, canary }: Sent): Accepted => ({
  name,
  headers: [JSON_TYPE, ...headers],
  body: GOOD,
  seen: ({ headers: seen, body }) => {
    for (const each of absent) expect(seen).not.toHaveProperty(each)
    expect(seen).toMatchObject(present)
    if (canary !== undefined) expect(JSON.stringify([seen, body])).not.toContain(canary)
  },
})

const INTERNAL = [
  'X-Vllm-Tenant',
  'X-VLLM-Router-Worker',
  'X-Vllm-Router-Model',
  'X-Vllm-Router-Decision-Id',
  'X-Data-Parallel-Rank',
  'X-Vsr-Selected-Model',
  'X-Authz-User-Id',
  'X-Internal',
] as const

export const ODD_HEADERS: readonly Accepted[] = [
  ...['caf\u00e9', '\u00e4\u00b8\u00ad', 'a\tb'].map((value) =>
    served({
      name: `B25 ${JSON.stringify(value)} in a header that passes`,
      headers: [`X-Session-Id: ${value}`],
      absent: ['x-session-id'],
    }),
  ),
  ...[
    'zz',
    `00-${TRACE}-${PARENT}`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01-x`,
  ].map((value) =>
    served({
      name: `B28 a traceparent that is none: ${value}`,
      headers: [`traceparent: ${value}`, 'tracestate: a=1'],
      absent: ['traceparent', 'tracestate'],
    }),
  ),
  served({ name: 'B28 baggage of nine kilobytes', headers: [`baggage: a=${'b'.repeat(9_000)}`], absent: ['baggage'] }),
  served({
    name: 'B29 Connection names headers that would pass',
    headers: ['Connection: x-session-id, X-Correlation-Id', 'X-Session-Id: canary-s', 'X-Correlation-Id: canary-c'],
    canary: 'canary',
  }),
  served({
    name: 'B29 headers of one connection',
    headers: ['Keep-Alive: canary', 'Proxy-Authorization: Basic canary', 'Trailer: canary', 'Proxy-Connection: canary'],
    canary: 'canary',
  }),
  ...INTERNAL.flatMap((name) =>
    [name, name.toLowerCase(), name.toUpperCase()].map((spelled) =>
      served({ name: `B34 ${spelled} of a client`, headers: [`${spelled}: canary`], canary: 'canary' }),
    ),
  ),
  served({
    name: 'B36 cookies of a client',
    headers: ['Cookie: session=canary', 'Cookie2: canary'],
    absent: ['cookie', 'cookie2'],
    canary: 'canary',
  }),
  ...[`Authorization: Bearer ${KEY}`, `X-Router-Key: ${KEY}`, `X-Admin-Key: ${KEY}`].map((header) =>
    served({ name: `B37 a key in ${header.split(':', 1)[0]}`, headers: [header], canary: KEY }),
  ),
  ...['gzip, br', '*', 'zstd;q=1, identity;q=0'].map((value) =>
    served({
      name: `B38 accept-encoding: ${value}`,
      headers: [`Accept-Encoding: ${value}`],
      present: { 'accept-encoding': 'identity' },
    }),
  ),
]

const GUARDED = { headers: [JSON_TYPE], body: GOOD, isExact: true } as const

/** Without a key: whatever the target is taken for, nothing behind a key is reached. */
export const ODD_TARGETS: readonly Refused[] = [
  ...['/%61dmin/config', '/admin/%63onfig', '/%2561dmin/config', '/v1/%63hat/completions', '/v1%2fmodels'].map(
    (target): Refused => ({ ...GUARDED, name: `B39 ${target}`, target, code: 'invalid_path' }),
  ),
  ...['//v1/models', '/v1/chat//completions', '/v1/models;x', '/v1/models%00', '/v1/models/%ff'].map(
    (target): Refused => ({ ...GUARDED, name: `B40 ${target}`, target, code: 'invalid_path' }),
  ),
  ...['/v1/chat/completions/', '/v1/CHAT/completions', '/ADMIN/config', '/admin/config/', '/v1', '/load'].map(
    (target): Refused => ({ ...GUARDED, name: `B40 ${target}`, target, code: 'not_found' }),
  ),
  ...['/v1/models/%', '/v1/models/%f', '/v1/models/%zz', '/v1/responses/%c0%af'].map((target): Refused => ({
    ...GUARDED,
    name: `B42 ${target}`,
    method: 'GET',
    body: '',
    target,
    code: 'invalid_path',
  })),
]

/** `Host` lines that would lead elsewhere where a URL is made of them. */
export const ODD_HOSTS: readonly string[] = [
  'x/health?y=',
  'x/v1/models?',
  'x/openapi.json#',
  'x\\health',
  'user@router.test',
  'x y',
  '[::1',
  'router.test:port',
]

/** Names that headers of ours have to carry, and what a client must read there. */
export const ODD_NAMES: readonly string[] = ['模型', 'café', '🚀', 'a b', '100%', 'naïve/模型@0']

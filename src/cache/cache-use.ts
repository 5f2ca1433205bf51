// What a cache may do for a request: answer it, only keep its answer, or neither.

/**
 * `use`: look up, and keep the answer of a miss. `refresh`: ask a worker and keep its answer in place of the known one.
 * `bypass`: neither.
 */
export type CacheUse = 'use' | 'refresh' | 'bypass'

export interface CacheUseInput {
  readonly json: Readonly<Record<string, unknown>>
  readonly headers: Headers
  readonly cachesNondeterministic: boolean
}

export function cacheUseOf({ json, headers, cachesNondeterministic }: CacheUseInput): CacheUse {
  const { noStore, noCache } = readCacheControl(headers)
  if (noStore || isTiedToTransfer(json)) return 'bypass'
  if (!cachesNondeterministic && !(isDeterministic(json) && !hasRemoteMedia(json))) return 'bypass'
  return noCache ? 'refresh' : 'use'
}

/** Whether `Cache-Control` of an answer lets others of the same party have it. */
export function mayBeKept(headers: Pick<Headers, 'get'>): boolean {
  return !/(?:^|[\s,])(?:no-store|private)(?:$|[\s,=;])/i.test(headers.get('cache-control') ?? '')
}

function readCacheControl(headers: Headers): { readonly noStore: boolean; readonly noCache: boolean } {
  const text = headers.get('cache-control')
  if (text === null) return { noStore: false, noCache: false }
  const directives = text.split(',').map((directive) => directive.trim().toLowerCase())
  return {
    noStore: directives.includes('no-store'),
    // Nothing that is kept is as young as that.
    noCache: directives.some((directive) => /^(?:no-cache|max-age\s*=\s*"?0+"?)$/.test(directive)),
  }
}

/** Greedy, or drawn with a seed: asked again, a worker would say the same. To vLLM a seed of -1 is none. */
function isDeterministic(json: CacheUseInput['json']): boolean {
  const seed = field(json, 'seed')
  return field(json, 'temperature') === 0 || (typeof seed === 'number' && seed !== -1)
}

/** One half of a request that two workers answer together; its answer is of use to the other half alone. */
function isTiedToTransfer(json: CacheUseInput['json']): boolean {
  return (field(json, 'kv_transfer_params') ?? null) !== null
}

/** Parts that a worker fetches: what is behind an address may change while the request stays the same. */
function hasRemoteMedia(json: CacheUseInput['json']): boolean {
  const messages = field(json, 'messages')
  return Array.isArray(messages) && messages.some((message) => partsOf(message).some(isRemote))
}

function partsOf(message: unknown): readonly unknown[] {
  const content = isMap(message) ? field(message, 'content') : null
  return Array.isArray(content) ? content : []
}

function isRemote(part: unknown): boolean {
  if (!isMap(part)) return false
  return Object.entries(part).some(([name, value]) => {
    if (!name.endsWith('_url')) return false
    const url = isMap(value) ? field(value, 'url') : value
    return typeof url === 'string' && !url.startsWith('data:')
  })
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Own properties only: `__proto__` in a body must not lend its fields. */
function field(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

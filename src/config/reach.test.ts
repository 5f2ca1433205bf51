// Every field that takes an address or a path says where it leads, so that no section added later is a way around the
// checks on configurations from the API.

import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { fieldsOf, type Schema } from '../../test/support/schema-fields.ts'
import { digestOfReach, reachedBy, reachOf } from './reach.ts'
import { configSchema } from './schema.ts'
import { secretString } from './schema-walk.ts'
import { hookUrl } from './worker-url.ts'

/** Addresses that no request of the router goes to. */
const LEADS_NOWHERE: readonly string[] = ['cors_allowed_origins[]']

const ADDRESSES = ['http://h.example:1/x', 'https://h.example', 'redis://h.example:1', 'postgres://h.example/db']

function takesAddresses(schema: Schema): boolean {
  const takes = (value: string) => z.safeParse(schema, value).success
  return !takes('word') && !takes('two words') && ADDRESSES.some(takes)
}

describe('the schema', () => {
  const fields = fieldsOf(configSchema)

  test('marks every field that takes addresses and nothing else', () => {
    const found = fields.filter(({ schema }) => takesAddresses(schema))
    expect(found.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['workers[].url', 'pre_routing_hooks[].url', 'api_key_validation_urls[]']),
    )
    const unmarked = found.filter(({ path, schema }) => reachOf(schema) === null && !LEADS_NOWHERE.includes(path))
    expect(unmarked.map(({ path }) => path)).toEqual([])
  })

  test('marks every field whose name says that it is a path or an address', () => {
    const named = fields.filter(({ path }) =>
      /(?:^|[._])(?:path|file|dir|directory|url|uri|endpoint|host)(?:\[\])?$/.test(path),
    )
    // A path of the worker that is asked, where the router itself listens, and where the Rust router would have.
    const own = ['health_check.endpoint', 'host', 'metrics.host']
    const unmarked = named.filter(({ path, schema }) => reachOf(schema) === null && !own.includes(path))
    expect(unmarked.map(({ path }) => path)).toEqual([])
  })
})

describe('what a value leads to', () => {
  const schema = z.strictObject({
    list: z.array(hookUrl()).default([]),
    map: z.record(z.string(), hookUrl()).optional(),
    either: z.union([z.strictObject({ url: hookUrl() }), z.strictObject({ name: z.string() })]).optional(),
    secret: secretString().meta({ secret: true, reaches: 'service' }).nullable().default(null),
  })

  test('is found in lists, maps and unions, and in a section that is only partly valid', () => {
    const value = { list: ['http://a/', undefined], map: { x: 'http://b/' }, either: { url: 'http://c/' }, secret: 'd' }
    expect(reachedBy(schema, value).map(({ path, value: at }) => `${path.join('.')} ${at}`)).toEqual([
      'list.0 http://a/',
      'map.x http://b/',
      'either.url http://c/',
      'secret d',
    ])
    expect(reachedBy(schema, { list: null, secret: null, unknown: 'http://e/' })).toEqual([])
  })

  test('stays the same place when its password changes, and becomes another with its host, port or path', () => {
    const at = (value: string) => digestOfReach({ reach: 'service', value })
    expect(at('redis://:one@cache:6379/0')).toBe(at('redis://:two@cache:6379/0'))
    const places = [
      'redis://cache:6379/0',
      'redis://cache:6379/1',
      'redis://cache/0',
      'rediss://cache:6379/0',
      '/var/log/x',
    ]
    expect(new Set(places.map(at)).size).toBe(places.length)
    expect(at('redis://:one@cache:6379/0')).not.toContain('one')
  })
})

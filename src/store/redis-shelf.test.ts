import { Secret } from '../secret.ts'
import { expect, test } from 'vitest'
import type { CacheRedisConfig } from '../config/cache-redis-schema.ts'
import { RedisShelf } from './redis-shelf.ts'

function configOf(url: string, given: Partial<CacheRedisConfig> = {}): CacheRedisConfig {
  const plain = { restUrl: null, token: null, keyPrefix: 'p:', skipsVerification: false, commandTimeoutMs: 500 }
  return { url: new Secret(url), ...plain, ...given }
}

function create() {
  const opened: string[] = []
  const closed: string[] = []
  const shelf = new RedisShelf(({ url }) => {
    opened.push(String(url?.reveal()))
    return { command: async () => null, close: async () => void closed.push(String(url?.reveal())) }
  })
  return { shelf, opened, closed }
}

test('one connection for each server, whatever its keys begin with', () => {
  const { shelf, opened } = create()
  const one = shelf.at(configOf('redis://a'))
  expect(shelf.at(configOf('redis://a', { keyPrefix: 'q:', commandTimeoutMs: 5 }))).toBe(one)
  expect(shelf.at(configOf('redis://b'))).not.toBe(one)
  expect(opened).toEqual(['redis://a', 'redis://b'])
})

test('closes what nobody names any more, and opens it anew when somebody does', () => {
  const { shelf, opened, closed } = create()
  shelf.at(configOf('redis://a'))
  shelf.at(configOf('redis://b'))
  shelf.keepOnly([configOf('redis://b', { keyPrefix: 'q:' })])
  expect(closed).toEqual(['redis://a'])
  shelf.at(configOf('redis://a'))
  expect(opened).toEqual(['redis://a', 'redis://b', 'redis://a'])
})

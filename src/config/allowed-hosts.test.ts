// Which addresses a list of hosts covers, in all the spellings of one address.

import { describe, expect, test } from 'vitest'
import { isAllowedUrl } from './allowed-hosts.ts'
import { parseWorkerUrl } from './worker-url.ts'

/** As the API does it: first the URL's normal form, then the comparison. */
function isAllowed(url: string, ...patterns: string[]): boolean {
  const parsed = parseWorkerUrl(url)
  return parsed.ok && isAllowedUrl(parsed.url, patterns)
}

describe('a listed host', () => {
  test.each([
    ['http://10.0.0.7:8000', 'http://10.0.0.7:8000'],
    ['http://10.0.0.7:8000', '10.0.0.7:8000'],
    ['https://10.0.0.7:8000', '10.0.0.7:8000'],
    ['http://10.0.0.7', '10.0.0.7'],
    ['https://10.0.0.7', '10.0.0.7'],
    ['https://gpu', 'https://gpu:443'],
    ['http://gpu:80', 'http://gpu'],
    ['http://10.0.0.7:9', '10.0.0.7:*'],
    ['http://10.0.0.7:8000', '10.0.0.*:8000'],
    ['http://GPU-1.internal:8000', 'gpu-1.internal:8000'],
    ['http://gpu-1.internal.:8000', 'gpu-1.internal:8000'],
    ['http://gpu-1.internal:8000', '*.internal:8000'],
    ['http://gpu-1:8000', 'gpu-*:8000'],
    ['http://x-gpu-1:8000', '*gpu*:8000'],
    ['http://gpu.example:8000', '*:8000'],
    ['http://[fd00::7]:8000', '[fd00:0:0::7]:8000'],
    ['http://2130706433:8000', '127.0.0.1:8000'],
    ['http://0x7f.1:8000', '127.0.0.1:8000'],
    ['http://[::ffff:127.0.0.1]:8000', '127.0.0.1:8000'],
    ['http://10.0.0.7:8000/prefix', '10.0.0.7:8000'],
  ])('covers %s: %s', (url, pattern) => expect(isAllowed(url, pattern)).toBe(true))
})

describe('a host that is not listed', () => {
  test.each([
    ['http://10.0.0.7:8001', '10.0.0.7:8000'],
    ['http://10.0.0.7:8000', '10.0.0.7'],
    ['http://10.0.0.7:443', '10.0.0.7'],
    ['https://10.0.0.7:8000', 'http://10.0.0.7:8000'],
    ['http://10.0.0.evil.example:8000', '10.0.0.*:8000'],
    ['http://10.0.0.7.evil.example:8000', '10.0.0.7:8000'],
    ['http://gpu-1.evil.example:8000', 'gpu-*:8000'],
    ['http://evil.example:8000', '*.internal:8000'],
    ['http://internal.evil.example:8000', '*internal*:8000'],
    ['http://internal:8000', '*.internal:8000'],
    // The cloud's metadata service and this very machine, in spellings that say it and in those that don't.
    ...['169.254.169.254', '127.0.0.1', 'localhost', 'localhost.', 'a.localhost', '[::1]', '[::]'].map((host) => [
      `http://${host}:8000`,
      '*:8000',
    ]),
    ...['127.1', '0x7f.1', '2130706433', '0177.0.0.1', '①②⑦.0.0.1', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]'].map(
      (host) => [`http://${host}:8000`, '*:8000'],
    ),
    ...['127.1', '2130706433', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '[::7f00:1]', 'localhost', 'ⓛocalhost'].map(
      (host) => [`http://${host}:8000`, '10.0.0.*:8000'],
    ),
    ['http://user:pw@10.0.0.7:8000', '10.0.0.7:8000'],
    ['http://10.0.0.7:8000@evil.example', '10.0.0.7:8000'],
    ['http://evil.example:8000#10.0.0.7:8000', '10.0.0.7:8000'],
    ['file:///etc/passwd', '*'],
    ['data:text/plain,hi', '*'],
    ['unix:///var/run/docker.sock', '*'],
  ])('is not covered: %s by %s', (url, pattern) => expect(isAllowed(url, pattern)).toBe(false))

  test('with nothing listed nothing is covered', () => expect(isAllowed('http://10.0.0.7:8000')).toBe(false))
})

describe('services that speak something else', () => {
  test.each([
    ['redis://cache.internal', 'cache.internal:6379'],
    ['redis://cache.internal:6379/0', 'redis://cache.internal'],
    ['rediss://:pw@CACHE.internal:6380', 'rediss://*.internal:6380'],
    ['postgres://u:pw@10.0.0.5/db', '10.0.0.*'],
    ['redis://127.1:6379', '127.0.0.1:6379'],
  ])('are covered: %s by %s', (url, pattern) => expect(isAllowedUrl(url, [pattern])).toBe(true))

  test.each([
    ['redis://cache.internal:6380', 'cache.internal'],
    ['redis://cache.internal', 'https://cache.internal:6379'],
    ['redis://allowed.internal\\@evil:6379', 'allowed.internal:6379'],
    ['redis://allowed.internal%2eevil:6379', 'allowed.internal:6379'],
    ['postgres://evil,db.internal/db', '*.internal'],
    ['postgres://db.internal:5432,evil:5432/db', 'db.internal'],
    ['redis://2130706433:6379', '*:6379'],
    ['redis:///var/run/redis.sock', '*:*'],
    ['not a url', '*:*'],
  ])('are not: %s by %s', (url, pattern) => expect(isAllowedUrl(url, [pattern])).toBe(false))
})

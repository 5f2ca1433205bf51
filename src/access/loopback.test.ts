import { describe, expect, test } from 'vitest'
import { isLoopbackHost, strangeness } from './loopback.ts'

test.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.1.2.3', '::1', '[::1]'])('%s is this machine', (host) =>
  expect(isLoopbackHost(host)).toBe(true),
)

test.each([
  '0.0.0.0',
  '::',
  '10.0.0.1',
  'localhost.',
  'a.localhost',
  '127.0.0.1.evil.example',
  'x127.0.0.1',
  '',
  '127.1',
])('%s is not taken for this machine', (host) => expect(isLoopbackHost(host)).toBe(false))

describe('a request', () => {
  const judge = (headers: Readonly<Record<string, string>>) => {
    const given = new Headers(headers)
    return strangeness((name) => given.get(name))
  }

  test.each([
    { host: '127.0.0.1:3001' },
    { host: 'localhost:3001' },
    { host: '[::1]:3001' },
    { host: 'localhost' },
    { host: 'localhost:3001', origin: 'http://localhost:3001' },
    { host: 'LOCALHOST:3001', origin: 'http://localhost:3001' },
    { host: '[::1]:3001', origin: 'http://[::1]:3001' },
    { host: 'localhost', origin: 'http://localhost' },
    { host: 'localhost:80', origin: 'http://localhost' },
    { host: 'localhost:3001', 'sec-fetch-site': 'same-origin' },
    { host: 'localhost:3001', 'sec-fetch-site': 'none' },
  ])('of this machine: %o', (headers) => expect(judge(headers)).toBeNull())

  test.each([
    {},
    { host: '' },
    { host: 'evil.example' },
    { host: 'evil.example:3001' },
    { host: 'localhost.evil.example:3001' },
    { host: 'localhost.:3001' },
    { host: '127.0.0.1@evil.example' },
    { host: 'localhost:3001', origin: 'https://evil.example' },
    { host: 'localhost:3001', origin: 'http://localhost:5173' },
    { host: 'localhost:3001', origin: 'http://localhost' },
    { host: 'localhost:3001', origin: 'https://localhost:3001' },
    { host: 'localhost:3001', origin: 'http://127.0.0.1:3001' },
    { host: 'localhost:3001', origin: 'http://a.localhost:3001' },
    { host: 'localhost:3001', 'x-forwarded-proto': 'https' },
    { host: 'localhost:3001', 'x-client-ip': '203.0.113.9' },
    { host: 'localhost:3001', origin: 'null' },
    { host: 'localhost:3001', origin: 'http://localhost.evil.example' },
    { host: 'localhost:3001', 'sec-fetch-site': 'cross-site' },
    { host: 'localhost:3001', 'sec-fetch-site': 'same-site' },
    { host: 'localhost:3001', 'x-forwarded-for': '203.0.113.9' },
    { host: 'localhost:3001', forwarded: 'for=203.0.113.9' },
  ])('of somebody else, perhaps: %o', (headers) => expect(judge(headers as Record<string, string>)).not.toBeNull())
})

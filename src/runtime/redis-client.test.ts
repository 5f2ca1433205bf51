// The connection to a real Redis: quick to fail while there is none, and whole again when there is one.

import { expect, onTestFinished, test } from 'vitest'
import { freePort, until } from '../../test/support/launch.ts'
import { type RedisServer, startRedisServer } from '../../test/support/redis-server.ts'
import { connectRedis } from './redis-client.ts'

async function serverOf(options: Parameters<typeof startRedisServer>[0] = {}): Promise<RedisServer> {
  const server = await startRedisServer(options)
  onTestFinished(() => server.stop())
  return server
}

async function linkTo(url: string, { connectTimeoutMs = 10_000, commandTimeoutMs = 10_000 } = {}) {
  const link = await connectRedis({ url, keyPrefix: '', connectTimeoutMs, commandTimeoutMs })
  onTestFinished(() => link.close())
  return link
}

const READ = `return redis.call('GET', KEYS[1])`
const WRITE = `return redis.call('SET', KEYS[1], ARGV[1])`

test('speaks with a server that wants a password', { timeout: 60_000 }, async () => {
  const { url } = await serverOf({ password: 'p@ss:word' })
  const link = await linkTo(url)
  await link.eval(WRITE, { keys: ['k'], args: [7] })
  expect(await link.get('k')).toBe('7')
  expect(await link.get('none')).toBeNull()
  expect(await link.eval(`return {1, 'a', false, {2}}`, { keys: [], args: [] })).toEqual([1, 'a', null, [2]])
  expect(Math.abs((await link.timeMs()) - Date.now())).toBeLessThan(60_000)
  await expect(link.eval('return nonsense(', { keys: [], args: [] })).rejects.toThrow()
})

test('goes on without a server, says so at once, and names no password', { timeout: 60_000 }, async () => {
  const port = await freePort()
  const link = await linkTo(`redis://u:s3cret@127.0.0.1:${port}`, { connectTimeoutMs: 300 })
  const startedAtMs = Date.now()
  for (let time = 0; time < 100; time += 1) {
    await link.get('k').catch((error: unknown) => expect(String(error)).not.toContain('s3cret'))
    await expect(link.eval(READ, { keys: ['k'], args: [] })).rejects.toThrow()
  }
  expect(Date.now() - startedAtMs).toBeLessThan(5_000)
})

test('connects again by itself, and listens where it listened before', { timeout: 60_000 }, async () => {
  const first = await startRedisServer()
  const heard: string[] = []
  const link = await linkTo(first.url)
  link.subscribe('news', (message) => heard.push(message))
  await until(
    async () => (await link.publish('news', 'one')) === 1,
    20_000,
    () => 'it never listened',
  )
  await first.stop()
  await expect(link.get('k')).rejects.toThrow()
  const second = await serverOf({ port: first.port })
  const other = await linkTo(second.url)
  await until(
    async () => (await other.publish('news', 'two')) === 1,
    20_000,
    () => 'it does not listen any more',
  )
  await until(
    () => heard.includes('two'),
    20_000,
    () => 'it hears nothing',
  )
  // Once each, over any number of connections.
  expect(await other.publish('news', 'three')).toBe(1)
  await until(
    () => heard.includes('three'),
    20_000,
    () => 'it hears nothing',
  )
  expect(heard.filter((message) => message === 'three')).toHaveLength(1)
})

test('does not wait for a server that hangs', { timeout: 60_000 }, async () => {
  const server = await serverOf()
  const link = await linkTo(server.url, { commandTimeoutMs: 200 })
  server.process.kill('SIGSTOP')
  await expect(link.get('k')).rejects.toThrow('Redis did not answer within 200 ms')
  server.process.kill('SIGCONT')
  await until(
    () =>
      link.get('k').then(
        () => true,
        () => false,
      ),
    20_000,
    () => 'it does not answer any more',
  )
})

test('goes on trying when it is refused: its password may be right later', { timeout: 60_000 }, async () => {
  const old = await startRedisServer({ password: 'old' })
  const link = await linkTo(old.url.replace('old', 'new'), { connectTimeoutMs: 300 })
  await expect(link.get('k')).rejects.toThrow()
  await old.stop()
  await serverOf({ port: old.port, password: 'new' })
  await until(
    () =>
      link.get('k').then(
        () => true,
        () => false,
      ),
    20_000,
    () => 'it gave up',
  )
})

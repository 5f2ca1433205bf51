// The connection to a real Redis: quick to fail while there is none, and whole again when there is one.

import { Secret } from '../secret.ts'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { freePort, until } from '../../test/support/launch.ts'
import { type RedisServer, startRedisServer } from '../../test/support/redis-server.ts'
import type { RedisLink } from '../store/redis-link.ts'
import { connectRedis } from './redis-client.ts'

async function serverOf(options: Parameters<typeof startRedisServer>[0] = {}): Promise<RedisServer> {
  const server = await startRedisServer(options)
  onTestFinished(() => server.stop())
  return server
}

async function linkTo(url: string, { connectTimeoutMs = 10_000, commandTimeoutMs = 10_000 } = {}) {
  const link = await connectRedis({ url: new Secret(url), keyPrefix: '', connectTimeoutMs, commandTimeoutMs })
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

function untilAnswers(link: RedisLink, whyNot: string): Promise<void> {
  return until(
    () =>
      link.get('k').then(
        () => true,
        () => false,
      ),
    20_000,
    () => whyNot,
  )
}

test('does not wait for a server that hangs', { timeout: 60_000 }, async () => {
  const server = await serverOf()
  const link = await linkTo(server.url, { commandTimeoutMs: 200 })
  server.process.kill('SIGSTOP')
  await expect(link.get('k')).rejects.toThrow('Redis: no answer within 200 ms')
  server.process.kill('SIGCONT')
  await untilAnswers(link, 'it does not answer any more')
})

test('goes on trying when it is refused: its password may be right later', { timeout: 60_000 }, async () => {
  const old = await startRedisServer({ password: 'old' })
  const link = await linkTo(old.url.replace('old', 'new'), { connectTimeoutMs: 300 })
  await expect(link.get('k')).rejects.toThrow()
  await old.stop()
  await serverOf({ port: old.port, password: 'new' })
  await untilAnswers(link, 'it gave up')
})

test('says why it is refused, and no password with it', { timeout: 60_000 }, async () => {
  const { url } = await serverOf({ password: 's3cret%40' })
  const port = new URL(url).port
  const refusalOf = async (address: string) => {
    const link = await linkTo(address, { connectTimeoutMs: 300 })
    let words = ''
    await until(
      async () => {
        words = String(await link.get('k').catch(String))
        return !words.includes('no answer')
      },
      20_000,
      () => 'it does not say why',
    )
    return words
  }
  const wrong = await refusalOf(`redis://:wr0ng%25word@127.0.0.1:${port}`)
  expect(wrong).toContain("Redis can't be reached: WRONGPASS")
  expect(wrong).not.toContain('wr0ng')
  expect(await refusalOf(`redis://127.0.0.1:${port}`)).toContain("Redis can't be reached: NOAUTH")
})

test('hides a password that the server says again', { timeout: 60_000 }, async () => {
  // As one older than HELLO does.
  const old = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () =>
      socket.write("-ERR unknown command 'HELLO', with args: '3', 'AUTH', 'u', 'p@ss word'\r\n"),
    )
  })
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void old.close())
  const { port } = old.address() as AddressInfo
  const link = await linkTo(`redis://u:p%40ss%20word@127.0.0.1:${port}`, { connectTimeoutMs: 300 })
  const words = String(await link.get('k').catch(String))
  expect(words).toContain('unknown command')
  expect(words).not.toMatch(/p@ss|p%40ss/)
})

test('is of no use where it may not listen, and says so, until it may', { timeout: 60_000 }, async () => {
  const { url, port } = await serverOf()
  const owner = await linkTo(url)
  const user = (...rules: string[]) => runCommand(port, ['ACL', 'SETUSER', 'deaf', ...rules])
  await user('on', '>pw', '~*', 'resetchannels', '+@all')
  const link = await linkTo(`redis://deaf:pw@127.0.0.1:${port}`)
  const heard: string[] = []
  link.subscribe('news', (message) => heard.push(message))
  await until(
    () =>
      link.get('k').then(
        () => false,
        (error: unknown) => /can't listen.*NOPERM/.test(String(error)),
      ),
    20_000,
    () => 'it does not say that it is deaf',
  )
  await user('allchannels')
  await until(
    () =>
      link.get('k').then(
        () => true,
        () => false,
      ),
    20_000,
    () => 'it stays deaf',
  )
  await owner.publish('news', 'one')
  await until(
    () => heard.length > 0,
    20_000,
    () => 'it hears nothing',
  )
})

test('goes on when its server may be written to again', { timeout: 60_000 }, async () => {
  const { url, port } = await serverOf()
  const link = await linkTo(url)
  await runCommand(port, ['REPLICAOF', '127.0.0.1', '1'])
  await expect(link.eval(WRITE, { keys: ['k'], args: [7] })).rejects.toThrow('READONLY')
  await runCommand(port, ['REPLICAOF', 'NO', 'ONE'])
  await link.eval(WRITE, { keys: ['k'], args: [7] })
})

/** A command by another way than the one that is tested. */
async function runCommand(port: number, words: readonly string[]): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const answered = new Promise<string>((resolve, reject) => {
    socket.once('data', (text: Buffer) => resolve(text.toString()))
    socket.once('error', reject)
  })
  socket.write(`${words.join(' ')}\r\n`)
  expect(await answered).toMatch(/^\+OK/)
  socket.destroy()
}

import { expect, test } from 'vitest'
import { VirtualTime } from '../../test/support/virtual-time.ts'
import { CacheCalls } from './cache-calls.ts'

const never = new AbortController().signal

function rig() {
  const clock = new VirtualTime()
  const told: string[] = []
  const calls = new CacheCalls({
    backend: 'redis',
    budgetMs: 100,
    platform: clock,
    events: {
      cacheFailed: ({ why, cause }) => told.push(`${why} ${cause instanceof Error ? cause.message : ''}`.trim()),
      cacheRecovered: ({ backend }) => told.push(`${backend} works`),
    },
  })
  let asked = 0
  const fail = (why: string) => () => {
    asked += 1
    return Promise.reject(new Error(why))
  }
  return { clock, told, calls, fail, asked: () => asked }
}

test('a failure is told with what it was, and once that it is over', async () => {
  const { told, calls, fail } = rig()
  expect(await calls.read(never, fail('WRONGPASS'))).toBeNull()
  expect(told).toEqual(['error WRONGPASS'])
  expect(await calls.read(never, async () => 1)).toBe(1)
  expect(await calls.read(never, async () => 2)).toBe(2)
  expect(told).toEqual(['error WRONGPASS', 'redis works'])
})

test('a place that takes no writes has not recovered because it can be read', async () => {
  const { told, calls, fail } = rig()
  await calls.write(fail('READONLY'))
  await calls.read(never, fail('LOADING'))
  await calls.read(never, async () => 1)
  expect(told).toEqual(['error READONLY', 'error LOADING'])
  await calls.write(async () => {})
  expect(told.at(-1)).toBe('redis works')
})

test('one that hangs is a timeout, and after several nobody asks it for a while', async () => {
  const { clock, told, calls, fail, asked } = rig()
  const hung = calls.read(never, () => new Promise(() => {}))
  await clock.advance(100)
  expect(await hung).toBeNull()
  expect(told).toEqual(['timeout'])
  for (let n = 0; n < 10; n += 1) expect(await calls.read(never, fail('gone'))).toBeNull()
  expect(asked()).toBe(4)
  expect(told.length).toBe(5)
  await clock.advance(10_000)
  expect(await calls.read(never, async () => 1)).toBe(1)
  expect(told.at(-1)).toBe('redis works')
})

test('whoever orders something hears whether it was done, breaker or not', async () => {
  const { calls, fail } = rig()
  for (let n = 0; n < 8; n += 1) await calls.write(fail('gone'))
  await expect(calls.order(fail('gone'))).rejects.toThrow('the redis cache: error')
  await calls.order(async () => {})
})

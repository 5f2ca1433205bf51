import { expect, test } from 'vitest'
import { LEAVING_MS, PoolTransition } from './pool-transition.ts'

const of = (...ids: string[]) => ({ workers: ids.map((id) => ({ id, url: `http://${id}`, models: null })) })
const ids = ({ workers }: ReturnType<typeof of>) => workers.map(({ id }) => id).sort()

test('workers that come are known before, workers that leave for a while after', () => {
  const transition = new PoolTransition(of('a', 'b'))
  expect(transition.towards(of('b', 'c'), 0).map(ids)).toEqual([
    ['a', 'b'],
    ['a', 'b', 'c'],
  ])
  expect(transition.mustAsk()).toBe(true)
  transition.arrive(of('b', 'c'), 0)
  expect(ids(transition.pool(LEAVING_MS - 1))).toEqual(['a', 'b', 'c'])
  expect(ids(transition.pool(LEAVING_MS))).toEqual(['b', 'c'])
})

test('one that comes back begins anew', () => {
  const transition = new PoolTransition(of('a', 'b'))
  transition.towards(of('b'), 0)
  transition.arrive(of('b'), 0)
  expect(transition.towards(of('a', 'b'), 1).map(ids)).toEqual([['b'], ['a', 'b']])
  transition.arrive(of('a', 'b'), 1)
  expect(ids(transition.pool(2 * LEAVING_MS))).toEqual(['a', 'b'])
})

test('a change that is abandoned leaves nothing behind', () => {
  const transition = new PoolTransition(of('a'))
  transition.towards(of('b'), 0)
  transition.abandon()
  expect(ids(transition.pool(0))).toEqual(['a'])
  expect(transition.mustAsk()).toBe(false)
})

test('workers whose models are configured need not be asked', () => {
  const transition = new PoolTransition(of('a'))
  transition.towards({ workers: [{ id: 'b', url: 'http://b', models: ['m'] as never }] }, 0)
  expect(transition.mustAsk()).toBe(false)
})

test('workers that leave one after the other leave one after the other', () => {
  const transition = new PoolTransition(of('a', 'b', 'c'))
  transition.arrive(of('b', 'c'), 0)
  transition.arrive(of('c'), 1_000)
  expect(ids(transition.pool(LEAVING_MS))).toEqual(['b', 'c'])
  expect(ids(transition.pool(LEAVING_MS + 1_000))).toEqual(['c'])
})

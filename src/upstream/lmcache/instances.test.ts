// Which workers LMCache's instances stand for.

import { describe, expect, test } from 'vitest'
import { byWorker, createInstanceJoin, type JoinOptions } from './instances.ts'

const WORKERS = [
  { id: 'gpu-a', url: 'http://10.0.0.7:8000' },
  { id: 'http://10.0.0.8:8000', url: 'http://10.0.0.8:8000' },
  { id: 'gpu-c', url: 'http://vllm-c:8000' },
  { id: 'gpu-d', url: 'http://10.0.0.9:8001' },
  { id: 'gpu-e', url: 'http://10.0.0.9:8002' },
  { id: 'gpu-f', url: 'https://[2001:db8::7]' },
]

function joinOf(given: Partial<JoinOptions> = {}) {
  return createInstanceJoin({ workers: WORKERS, workerMap: {}, instances: [], isPerNode: false, ...given })
}

describe('an instance is the worker', () => {
  test.each([
    ['whose id it has', 'gpu-a', ['gpu-a']],
    ['whose host and port it has', '10.0.0.8:8000', ['http://10.0.0.8:8000']],
    ['whose name and port it has', 'vllm-c:8000', ['gpu-c']],
    ['whose port goes without saying', '[2001:db8::7]:443', ['gpu-f']],
    ['or nobody', 'vllm-001', []],
    ['not by its host alone', '10.0.0.7', []],
    ['not by what every object has', 'constructor', []],
  ])('%s', (_, instanceId, workers) => expect(joinOf()(instanceId)).toEqual(workers))

  test('that an operator says, by id or URL, whatever it is called', () => {
    const workerMap = {
      'vllm-001': ['gpu-a'],
      'vllm-002': ['http://10.0.0.8:8000/'],
      'node-9': ['gpu-d', 'gpu-e'],
      'gpu-c': ['gpu-a'],
      loud: ['HTTP://VLLM-C:8000/'],
      lost: ['http://10.9.9.9:8000'],
    }
    const join = joinOf({ workerMap })
    expect(join('vllm-001')).toEqual(['gpu-a'])
    expect(join('vllm-002')).toEqual(['http://10.0.0.8:8000'])
    expect(join('node-9')).toEqual(['gpu-d', 'gpu-e'])
    expect(join('gpu-c')).toEqual(['gpu-a'])
    expect(join('loud')).toEqual(['gpu-c'])
    expect(join('lost')).toEqual([])
  })
})

describe('an address tells', () => {
  const at = (instanceId: string, ip: string | null) => ({ instanceId, ip })

  test('where one instance and one worker have it', () => {
    const join = joinOf({ instances: [at('x', '10.0.0.7'), at('y', '2001:db8::7'), at('z', null)] })
    expect([join('x'), join('y'), join('z')]).toEqual([['gpu-a'], ['gpu-f'], []])
  })

  test('nothing where two workers or two instances share it, or a worker has a name', () => {
    const instances = [at('d', '10.0.0.9'), at('one', '10.0.0.7'), at('two', '10.0.0.7'), at('c', '10.1.1.1')]
    const join = joinOf({ instances })
    for (const id of ['d', 'one', 'two', 'c']) expect(join(id)).toEqual([])
  })

  test('of all workers of a node, where an instance is a node', () => {
    const join = joinOf({ instances: [at('node', '10.0.0.9')], isPerNode: true })
    expect(join('node')).toEqual(['gpu-d', 'gpu-e'])
  })
})

test('counts of instances are those of their workers', () => {
  const join = joinOf({ workerMap: { one: ['gpu-a'], two: ['gpu-a'], node: ['gpu-d', 'gpu-e'] } })
  const counts: [string, number][] = [
    ['one', 256],
    ['two', 512],
    ['node', 768],
    ['stranger', 1_024],
  ]
  expect(byWorker(counts, join, Math.max)).toEqual({ 'gpu-a': 512, 'gpu-d': 768, 'gpu-e': 768 })
  expect(byWorker(counts, join, (one, other) => one + other)['gpu-a']).toBe(768)
})

// Every shape in which LMCache's control planes were seen to say how full caches are, and shapes that are none.

import { describe, expect, test } from 'vitest'
import { parseDirectory, parseWorkers } from './occupancy-answer.ts'

const RANK = {
  instance_id: 'vllm-001',
  worker_id: 0,
  ip: '10.0.3.17',
  port: 8500,
  peer_init_url: '10.0.3.17:8200',
  registration_time: 1_767_000_000.1,
  last_heartbeat_time: 1_767_000_042.9,
  key_count: 1_234,
}

const answerOf = (...workers: readonly unknown[]) => ({ workers, total_count: workers.length })
const one = (chunks: number | null, more: object = {}) => ({
  instanceId: 'vllm-001',
  ip: '10.0.3.17',
  chunks,
  ...more,
})

describe('/controller/workers', () => {
  const { key_count: _keys, ...withoutCount } = RANK
  test.each<readonly [string, unknown, readonly unknown[]]>([
    ['nobody', answerOf(), []],
    ['one rank', answerOf(RANK), [one(1_234)]],
    ['two ranks of one engine: each counts each chunk', answerOf(RANK, { ...RANK, worker_id: 1 }), [one(1_234)]],
    ['ranks that evict apart', answerOf(RANK, { ...RANK, worker_id: 1, key_count: 1_000 }), [one(1_117)]],
    ['ranks in another order', answerOf({ ...RANK, worker_id: 1, ip: '10.0.3.18' }, RANK), [one(1_234)]],
    ['a rank that stands there twice', answerOf({ ...RANK, key_count: 1 }, RANK), [one(1_234)]],
    ['no worker_id: each a rank', answerOf({ ...RANK, worker_id: undefined }, RANK), [one(1_234)]],
    ['no key_count, as in older releases', answerOf(withoutCount), [one(null)]],
    ['a key_count of one rank only', answerOf(withoutCount, { ...RANK, worker_id: 1 }), [one(1_234)]],
    ['key_count null', answerOf({ ...RANK, key_count: null }), [one(null)]],
    ['key_count as text', answerOf({ ...RANK, key_count: '12' }), [one(null)]],
    ['key_count below zero', answerOf({ ...RANK, key_count: -1 }), [one(null)]],
    ['no keys yet', answerOf({ ...RANK, key_count: 0 }), [one(0)]],
    ['no ip', answerOf({ ...RANK, ip: undefined }), [one(1_234, { ip: null })]],
    ['a name alone', answerOf({ instance_id: 'vllm-001' }), [one(null, { ip: null })]],
    ['a field that is new', answerOf({ ...RANK, model: 'm' }), [one(1_234)]],
    ['no total_count', { workers: [RANK] }, [one(1_234)]],
    ['an entry that is none among others', answerOf(null, 7, { worker_id: 3 }, RANK), [one(1_234)]],
    ['two engines', answerOf(RANK, { ...RANK, instance_id: 'b' }), [one(1_234), one(1_234, { instanceId: 'b' })]],
  ])('%s', (_, answer, expected) => expect(parseWorkers(answer)).toEqual(expected))

  test.each<readonly [string, unknown]>([
    ['null', null],
    ['a list', [RANK]],
    ['text', 'none'],
    ['workers of another shape', { workers: 'none' }],
    ['the error of FastAPI', { detail: 'Not Found' }],
    ['entries without a name', answerOf({ worker_id: 1 }, {})],
    ['names that are none', answerOf({ instance_id: 7 }, { instance_id: '' })],
  ])('%s is no answer', (_, answer) => expect(parseWorkers(answer)).toBeNull())

  describe('heartbeats', () => {
    const OLD = { ...RANK, instance_id: 'old', last_heartbeat_time: RANK.last_heartbeat_time - 301 }
    const BEATING = { ...OLD, registration_time: OLD.last_heartbeat_time - 1_000 }

    test('a rank that has stopped sending them says nothing any more', () => {
      expect(parseWorkers(answerOf(RANK, BEATING))?.map(({ chunks }) => chunks)).toEqual([1_234, null])
    })
    test('a little late is not gone', () => {
      const late = { ...BEATING, last_heartbeat_time: RANK.last_heartbeat_time - 299 }
      expect(parseWorkers(answerOf(RANK, late))?.map(({ chunks }) => chunks)).toEqual([1_234, 1_234])
    })
    test('one that never sent any is no worse for it, which is how LMCache comes', () => {
      const never = { ...OLD, registration_time: OLD.last_heartbeat_time }
      expect(parseWorkers(answerOf(RANK, never))?.map(({ chunks }) => chunks)).toEqual([1_234, 1_234])
    })
    test('of an engine the ranks that live are counted', () => {
      const gone = { ...BEATING, instance_id: 'vllm-001', worker_id: 1, key_count: 10 }
      expect(parseWorkers(answerOf(RANK, gone))).toEqual([one(1_234)])
    })
    test('a fleet that is silent together is not gone, whatever our clock says', () => {
      expect(parseWorkers(answerOf(BEATING))?.map(({ chunks }) => chunks)).toEqual([1_234])
    })
  })

  test('a list without end is cut', () => {
    const many = Array.from({ length: 5_000 }, (_, at) => ({ ...RANK, instance_id: `i${at}` }))
    expect(parseWorkers(answerOf(...many))).toHaveLength(1_000)
  })
})

describe('/directory/stats', () => {
  const STATS = { num_keys: 3, num_placements: 4, l1_keys_by_instance: { 'node-a': 3, 'node-b': 1 }, blend: {} }
  const INSTANCES = { instances: [{ instance_id: 'node-a', ip: '10.0.0.1', http_port: 8080 }] }
  test.each<readonly [string, unknown, unknown, unknown]>([
    [
      'with addresses where they are known',
      STATS,
      INSTANCES,
      [
        { instanceId: 'node-a', ip: '10.0.0.1', chunks: 3 },
        { instanceId: 'node-b', ip: null, chunks: 1 },
      ],
    ],
    [
      'one that is registered and holds nothing yet',
      { l1_keys_by_instance: {} },
      INSTANCES,
      [{ instanceId: 'node-a', ip: '10.0.0.1', chunks: 0 }],
    ],
    [
      'a count that is none',
      { l1_keys_by_instance: { a: 'many' } },
      null,
      [{ instanceId: 'a', ip: null, chunks: null }],
    ],
    ['nobody', { l1_keys_by_instance: {} }, { instances: [] }, []],
    [
      'instances that could not be had',
      { l1_keys_by_instance: { a: 2 } },
      null,
      [{ instanceId: 'a', ip: null, chunks: 2 }],
    ],
    [
      'instances of another shape',
      { l1_keys_by_instance: { a: 2 } },
      { instances: 7 },
      [{ instanceId: 'a', ip: null, chunks: 2 }],
    ],
    ['no counts', { num_keys: 3 }, INSTANCES, null],
    ['counts of another shape', { l1_keys_by_instance: [1] }, INSTANCES, null],
    ['null', null, INSTANCES, null],
  ])('%s', (_, stats, instances, expected) => expect(parseDirectory(stats, instances)).toEqual(expected))
})

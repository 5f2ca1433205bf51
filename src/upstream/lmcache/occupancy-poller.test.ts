// Polls of LMCache's control plane over virtual time: when it is asked, how, and what becomes of answers that don't come.

import { Secret } from '../../secret.ts'
import { describe, expect, test } from 'vitest'
import { VirtualTime } from '../../../test/support/virtual-time.ts'
import type { SendRequest, WorkerAnswer } from '../../platform.ts'
import type { HeardOccupancy } from '../../store/lmcache-occupancy.ts'
import { createOccupancyPoller, type OccupancySettings } from './occupancy-poller.ts'
import { startOccupancyTimer } from './occupancy-timer.ts'

const SETTINGS: OccupancySettings = {
  controllerUrl: 'http://lmcache.test:9000',
  controllerType: 'legacy',
  controllerApiKey: null,
  controllerBinding: null,
  pollIntervalMs: 10_000,
  controllerTimeoutMs: 2_000,
}

const WORKERS = JSON.stringify({ workers: [{ instance_id: 'a', worker_id: 0, ip: '10.0.0.1', key_count: 7 }] })
const INSTANCES_OF_A = [{ instanceId: 'a', ip: '10.0.0.1', chunks: 7 }]

type Answer = (path: string, headers: Headers) => Promise<WorkerAnswer>

const says =
  (text: string, status = 200): Answer =>
  async () =>
    new Response(text, { status })
const refuses: Answer = async () => {
  throw new Error('connect ECONNREFUSED')
}
const hangs: Answer = () => new Promise(() => {})

function rigOf(settings: OccupancySettings | null = SETTINGS) {
  const time = new VirtualTime()
  const rig = {
    time,
    settings,
    answer: says(WORKERS),
    bound: says(WORKERS),
    mayPoll: true,
    asked: [] as { readonly atMs: number; readonly url: string; readonly key: string | null }[],
    heard: [] as (HeardOccupancy | null)[],
  }
  const startedAtMs = time.now()
  const send: SendRequest = (url, { headers }) => {
    rig.asked.push({ atMs: time.now() - startedAtMs, url, key: new Headers(headers).get('authorization') })
    return rig.answer(new URL(url).pathname, new Headers(headers))
  }
  const platform = {
    now: time.now,
    after: time.after,
    random: () => 0.5,
    send,
    binding: (name: string) => ({
      fetch: async ({ url, headers }: Request) => {
        rig.asked.push({
          atMs: time.now() - startedAtMs,
          url: `${name} ${url}`,
          key: new Headers(headers).get('authorization'),
        })
        return (await rig.bound(new URL(url).pathname, new Headers(headers))) as Response
      },
    }),
  }
  const poller = createOccupancyPoller({
    platform,
    needs: () => rig.settings,
    onHeard: (heard) => void rig.heard.push(heard),
  })
  const timer = startOccupancyTimer(platform, poller, async () => rig.mayPoll)
  return Object.assign(rig, { poller, timer, last: () => rig.heard.at(-1), startedAtMs })
}

const seconds = ({ asked }: { readonly asked: readonly { readonly atMs: number }[] }) =>
  asked.map(({ atMs }) => atMs / 1_000)

describe('polls', () => {
  test('begin at once and come once an interval', async () => {
    const rig = rigOf()
    await rig.time.advance(35_000)
    expect(seconds(rig)).toEqual([0, 10, 20, 30])
    expect(rig.asked[0]).toMatchObject({ url: 'http://lmcache.test:9000/controller/workers', key: null })
    expect(rig.last()).toEqual({ instances: INSTANCES_OF_A, saidAtMs: rig.startedAtMs + 30_000, lastPoll: 'ok' })
  })

  test('however often it is looked whether one is due', async () => {
    const rig = rigOf()
    for (let at = 0; at < 95; at += 1) {
      await Promise.all([rig.poller.pollIfDue(), rig.poller.pollIfDue()])
      await rig.time.advance(200)
    }
    expect(seconds(rig)).toEqual([0, 10])
  })

  test('send the key', async () => {
    const rig = rigOf({ ...SETTINGS, controllerApiKey: new Secret('secret') })
    await rig.time.advance(0)
    expect(rig.asked).toMatchObject([{ key: 'Bearer secret' }])
  })

  test('go through the binding', async () => {
    const rig = rigOf({ ...SETTINGS, controllerBinding: 'NETWORK', controllerUrl: 'https://lmcache.test' })
    await rig.time.advance(0)
    expect(rig.asked).toMatchObject([{ url: 'NETWORK https://lmcache.test/controller/workers' }])
    expect(rig.last()?.lastPoll).toBe('ok')
  })

  test('ask the coordinator for counts and addresses', async () => {
    const rig = rigOf({ ...SETTINGS, controllerType: 'coordinator' })
    const answers: Readonly<Record<string, string>> = {
      '/directory/stats': '{"l1_keys_by_instance":{"a":7}}',
      '/instances': '{"instances":[{"instance_id":"a","ip":"10.0.0.1"}]}',
    }
    rig.answer = async (path) => new Response(answers[path] ?? '', { status: path in answers ? 200 : 404 })
    await rig.time.advance(0)
    expect(rig.asked.map(({ url }) => new URL(url).pathname)).toEqual(['/directory/stats', '/instances'])
    expect(rig.last()?.instances).toEqual(INSTANCES_OF_A)
  })

  test('do without the addresses of a coordinator that does not tell them', async () => {
    const rig = rigOf({ ...SETTINGS, controllerType: 'coordinator' })
    rig.answer = async (path) =>
      path === '/instances' ? refuses(path, new Headers()) : new Response('{"l1_keys_by_instance":{"a":7}}')
    await rig.time.advance(0)
    expect(rig.last()).toMatchObject({ instances: [{ instanceId: 'a', ip: null, chunks: 7 }], lastPoll: 'ok' })
  })

  test('are not for a process that does not lead, until it does', async () => {
    const rig = rigOf()
    rig.mayPoll = false
    await rig.time.advance(0)
    rig.asked.length = 0
    await rig.time.advance(60_000)
    expect(rig.asked).toEqual([])
    rig.mayPoll = true
    await rig.time.advance(1_000)
    expect(rig.asked).toHaveLength(1)
  })

  test('end with the timer', async () => {
    const rig = rigOf()
    await rig.time.advance(0)
    rig.timer.close()
    await rig.time.advance(60_000)
    expect(rig.asked).toHaveLength(1)
  })
})

describe('a control plane that fails', () => {
  test.each<readonly [string, Answer, string]>([
    ['refuses', refuses, 'unreachable'],
    ['hangs', hangs, 'timeout'],
    ['answers 500', says('{"detail":"x"}', 500), 'bad_status'],
    ['answers 503', says('', 503), 'bad_status'],
    ['redirects', says('', 302), 'bad_status'],
    ['answers a page', says('<!doctype html>'), 'bad_answer'],
    ['answers another schema', says('{"workers":"none"}'), 'bad_answer'],
    ['answers nothing', says(''), 'bad_answer'],
    ['answers more than is read', says(`${WORKERS}${' '.repeat(5_000_000)}`), 'bad_answer'],
  ])('%s: what it said before stays with its age', async (_, answer, outcome) => {
    const rig = rigOf()
    await rig.time.advance(0)
    rig.answer = answer
    await rig.time.advance(10_000)
    if (outcome === 'timeout') await rig.time.advance(SETTINGS.controllerTimeoutMs)
    // Bodies are read by the runtime, which virtual time knows nothing of.
    while (rig.heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(rig.last()).toEqual({ instances: INSTANCES_OF_A, saidAtMs: rig.startedAtMs, lastPoll: outcome })
  })

  test('is asked more and more seldom, down to once a minute, and as usual once it answers', async () => {
    const rig = rigOf()
    rig.answer = refuses
    await rig.time.advance(230_000)
    // Each time twice: the first connection may have been an idle one.
    expect([...new Set(seconds(rig))]).toEqual([0, 10, 30, 70, 130, 190])
    rig.answer = says(WORKERS)
    rig.asked.length = 0
    await rig.time.advance(45_000)
    expect(seconds(rig)).toEqual([250, 260, 270])
  })

  test('is never asked twice at a time', async () => {
    const rig = rigOf({ ...SETTINGS, pollIntervalMs: 1_000, controllerTimeoutMs: 5_000 })
    rig.answer = hangs
    await rig.time.advance(4_900)
    expect(rig.asked).toHaveLength(1)
    await rig.time.advance(200)
    expect(rig.last()).toEqual({ instances: [], saidAtMs: null, lastPoll: 'timeout' })
  })
})

describe('another configuration', () => {
  test('without LMCache: nobody is asked any more, and what was said is forgotten', async () => {
    const rig = rigOf()
    await rig.time.advance(0)
    rig.settings = null
    rig.timer.look()
    await rig.time.advance(60_000)
    expect(rig.asked).toHaveLength(1)
    expect(rig.last()).toBeNull()
  })

  test('with LMCache: it is asked at once', async () => {
    const rig = rigOf(null)
    await rig.time.advance(60_000)
    expect(rig.asked).toEqual([])
    rig.settings = SETTINGS
    rig.timer.look()
    await rig.time.advance(10_000)
    expect(seconds(rig)).toEqual([60, 70])
  })

  test('with another control plane: what the one before said is forgotten, and a late answer of it too', async () => {
    const rig = rigOf()
    let answerLate: (answer: WorkerAnswer) => void = () => {}
    rig.answer = () => new Promise((resolve) => (answerLate = resolve))
    await rig.time.advance(0)
    rig.settings = { ...SETTINGS, controllerUrl: 'http://other.test:9000' }
    rig.answer = says('{"workers":[]}')
    await rig.poller.pollIfDue()
    answerLate(new Response(WORKERS))
    await rig.time.advance(5_000)
    expect(rig.heard.filter((heard) => heard !== null && heard.instances.length > 0)).toEqual([])
    expect(rig.asked.map(({ url }) => new URL(url).hostname)).toEqual(['lmcache.test', 'other.test'])
  })
})

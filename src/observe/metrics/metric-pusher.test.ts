// Messages of one process: one an interval, the whole each time, and a last one at the end.

import { expect, test } from 'vitest'
import { VirtualTime } from '../../../test/support/virtual-time.ts'
import type { MetricsPushConfig } from '../../config/config.ts'
import { toSecrets } from '../../secret.ts'
import { MetricPusher } from './metric-pusher.ts'
import { MetricStore } from './metric-store.ts'

const CONFIG: MetricsPushConfig = {
  endpoint: 'http://collector/v1/metrics',
  protocol: 'http/json',
  headers: toSecrets({ 'x-api-key': 'one' }),
  serviceName: 'edge',
  intervalMs: 60_000,
}

function openPusher(answer: () => Promise<Response> = async () => new Response('')) {
  const time = new VirtualTime()
  const store = new MetricStore()
  const sent: string[] = []
  const taken: boolean[] = []
  const pusher = new MetricPusher({
    platform: {
      now: time.now,
      after: time.after,
      randomId: () => 'one',
      async send(url, { signal, headers }) {
        sent.push(`${url} ${new Headers(headers).get('x-api-key')}`)
        const aborted = new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')))
        })
        return Promise.race([answer(), aborted])
      },
    },
    families: async () => store.families(),
    onPushed: (isTaken) => void taken.push(isTaken),
  })
  return { time, pusher, sent, taken }
}

test('one an interval, and a last one', async () => {
  const { time, pusher, sent, taken } = openPusher()
  pusher.use(CONFIG)
  await time.advance(179_000)
  expect(sent).toHaveLength(2)
  await pusher.close()
  expect(taken).toEqual([true, true, true])
  await time.advance(600_000)
  expect(sent).toHaveLength(3)
})

test('none without a collector', async () => {
  const { time, pusher, sent } = openPusher()
  pusher.use(null)
  await time.advance(600_000)
  await pusher.close()
  expect(sent).toEqual([])
})

test('another configuration takes the place of the one before, be it another key; the same goes on', async () => {
  const { time, pusher, sent } = openPusher()
  pusher.use(CONFIG)
  await time.advance(50_000)
  pusher.use({ ...CONFIG, headers: toSecrets({ 'x-api-key': 'one' }) })
  await time.advance(11_000)
  expect(sent).toHaveLength(1)
  pusher.use({ ...CONFIG, headers: toSecrets({ 'x-api-key': 'two' }) })
  await time.advance(61_000)
  pusher.use(null)
  await time.advance(600_000)
  expect(sent).toEqual(['http://collector/v1/metrics one', 'http://collector/v1/metrics two'])
})

test('a collector that hangs has one message at a time', async () => {
  const { time, pusher, sent, taken } = openPusher(() => new Promise(() => {}))
  pusher.use({ ...CONFIG, intervalMs: 1_000 })
  await time.advance(5_500)
  expect(sent).toHaveLength(1)
  await time.advance(2_000)
  expect([sent.length, taken]).toEqual([2, [false]])
})

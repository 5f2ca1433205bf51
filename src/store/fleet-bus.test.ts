// Questions over a Redis that is a map of listeners here: who is asked, what is missed, and what is not ours.

import { expect, test } from 'vitest'
import { reportOf } from '../../test/support/fleet.ts'
import { VirtualTime } from '../../test/support/virtual-time.ts'
import { FleetBus, type FleetQuestion } from './fleet-bus.ts'
import { fromFleetJson, toFleetJson } from './fleet-json.ts'
import type { RedisLink } from './redis-link.ts'

function busBench() {
  const listeners = new Map<string, (message: string) => void>()
  const unused = () => Promise.reject(new Error('not used here'))
  const link: RedisLink = {
    timeMs: unused,
    get: unused,
    eval: unused,
    async publish(channel, message) {
      listeners.get(channel)?.(message)
      return listeners.has(channel) ? 1 : 0
    },
    subscribe: (channel, onMessage) => void listeners.set(channel, onMessage),
    close: () => {},
  }
  const time = new VirtualTime()
  const join = (name: string, answer: (question: FleetQuestion) => { term: number; value: unknown } | null) =>
    new FleetBus({
      link,
      keyPrefix: 'p',
      name,
      now: time.now,
      after: time.after,
      answer: async (question) => answer(question),
    })
  return { join, time, listeners }
}

const QUESTION: FleetQuestion = { op: 'sync', report: reportOf('x', { inFlight: new Map([['a', 2]]) }) }

test('a question arrives as it was asked, and its answer as it was given', async () => {
  const { join } = busBench()
  const heard: FleetQuestion[] = []
  join('leader', (question) => {
    heard.push(question)
    return { term: 7, value: { inFlightElsewhere: new Map([['b', 1]]) } }
  })
  const answer = await join('other', () => null).ask('leader', QUESTION, 500)
  expect(heard).toEqual([QUESTION])
  expect(answer).toEqual({ term: 7, value: { inFlightElsewhere: new Map([['b', 1]]) } })
})

test('one that is gone is missed at once, one that says nothing after a while', async () => {
  const { join, time } = busBench()
  const bus = join('other', () => null)
  await expect(bus.ask('nobody', QUESTION, 500)).rejects.toThrow('the leader of the fleet is gone')
  join('silent', () => null)
  const asked = bus.ask('silent', QUESTION, 500)
  asked.catch(() => {})
  await time.advance(500)
  await expect(asked).rejects.toThrow('no answer of the leader within 500 ms')
})

test('what no router wrote is passed over', async () => {
  const { join, listeners } = busBench()
  join('leader', () => ({ term: 1, value: 'fine' }))
  for (const text of ['', 'nonsense', 'null', '[]', '{"kind":"answer"}', '{"kind":"question"}']) {
    expect(() => listeners.get('p:inbox:leader')?.(text)).not.toThrow()
  }
  expect(await join('other', () => null).ask('leader', QUESTION, 500)).toEqual({ term: 1, value: 'fine' })
})

test('maps survive the way, also inside each other, and so does what looks like one', () => {
  for (const value of [new Map([['a', new Map([['b', 1]])]]), { of: [new Map()] }, { $map: 'no' }, null, 1]) {
    expect(fromFleetJson(toFleetJson(value))).toEqual(value)
  }
})

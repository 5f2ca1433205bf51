// Answers on their way through the response cache: long ones, equal requests at the same time, purges meanwhile.

import { expect, test } from 'vitest'
import { as, CHAT, type ResponseCacheRig, statusOf } from '../support/response-cache-rig.ts'

const MEGABYTE = 1_000_000

export function answersUnderWayConformance({ runtime, fleet, admin, chat, slow, ...rig }: ResponseCacheRig): void {
  const body = (text: string, more: object = {}) => rig.body(text, { model: 'slow', ...more })

  test.each([
    [9 * MEGABYTE, 'miss'],
    [MEGABYTE, 'exact-hit'],
  ])('an answer of %i bytes is passed on whole, and the next is a %s', async (length, expected) => {
    const asked = body('long', { vllm_xargs: { length } })
    const [first, second] = [await chat(asked), await chat(asked)]
    for (const answer of [first, second]) {
      expect(answer.status).toBe(200)
      expect(answer.json().choices[0].message.content.length).toBe(length)
    }
    expect([statusOf(first), statusOf(second)]).toEqual(['miss', expected])
  })

  test('an error that says it is a success is passed on, and not kept', async () => {
    const asked = body('gateway', { vllm_xargs: { failsAs200: true } })
    const [first, second] = [await chat(asked), await chat(asked)]
    expect(second.json()).toEqual({ error: { message: 'the engine is gone' } })
    expect([statusOf(first), statusOf(second)]).toEqual(['miss', 'miss'])
  })

  test('an answer that was under way during a purge is given to nobody after it', async () => {
    const open = slow.hold()
    const before = slow.count()
    const asked = body('under way')
    const first = chat(asked)
    await slow.untilAsked(before, 'nobody asked the worker')
    const purged = await admin.post('/admin/cache/purge', { model: 'slow' })
    expect(purged.status, purged.text).toBe(200)
    // Nor does who comes after the purge wait for what began before it.
    const second = chat(asked)
    await slow.untilAsked(before + 1, 'the second waits for the first')
    open()
    const ids = [(await first).json().id, (await second).json().id]
    expect(new Set(ids).size).toBe(2)
    expect((await chat(asked)).json().id).not.toBe(ids[0])
  })

  test('equal requests at the same time ask as few workers as the platform lets them', async () => {
    const open = slow.hold()
    const before = slow.count()
    const sent = Array.from({ length: 8 }, () => chat(body('at once')))
    await slow.untilAsked(before, 'nobody asked the worker')
    open()
    const answers = await Promise.all(sent)
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    if (runtime === 'workerd') return
    // Whoever came before the first was answered has its answer; so have those after.
    expect(slow.count() - before).toBe(1)
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(answers.map(statusOf).sort()).toEqual([...Array(7).fill('exact-hit'), 'miss'])
  })

  test('when the one that asks fails, the others see for themselves', async () => {
    const before = slow.count()
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => chat(body('fails', { vllm_xargs: { fails: true } }))),
    )
    expect(answers.map(({ status }) => status)).toEqual([500, 500, 500, 500])
    expect(slow.count() - before).toBe(4)
  })

  test('when the one that asks leaves, another takes its place', async () => {
    const open = slow.hold()
    const before = slow.count()
    const asked = body('leaves')
    const controller = new AbortController()
    const leaver = fetch(fleet.url + CHAT, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...as('acme') },
      body: JSON.stringify(asked),
      signal: controller.signal,
    }).catch(() => 'gone')
    await slow.untilAsked(before, 'the first did not reach the worker')
    const others = [chat(asked), chat(asked)]
    controller.abort()
    expect(await leaver).toBe('gone')
    await slow.untilAsked(before + 1, 'nobody took the place of the one that left')
    open()
    for (const answer of await Promise.all(others)) expect(answer.status).toBe(200)
  })
}

// Forms whose attempt failed: one that is held whole is sent again as a JSON body is, one that streams while nothing of
// it is lost.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { FaultRuleInput } from '../../src/simulator/fault-schema.ts'
import { type Answered, ask, expectRefusal } from '../support/ask.ts'
import { until } from '../support/launch.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'
import type { RetryBench } from './retry-bench.ts'

const AUDIO = '/v1/audio/transcriptions'
const TYPE = 'multipart/form-data; boundary=cut'

interface Field {
  readonly name: string
  readonly value: string
}

/** A form with a file of so many bytes between `model` and the other fields. */
function formOf(model: string, bytes: number, fields: readonly Field[] = []): string {
  const part = (disposition: string, value: string) =>
    `--cut\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`
  const file = part('name="file"; filename="a.wav"', 'RIFF'.repeat(bytes / 4))
  const rest = fields.map(({ name, value }) => part(`name="${name}"`, value))
  return `${part('name="model"', model)}${file}${rest.join('')}--cut--\r\n`
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const SHORT = formOf('m', 900_000)
const LONG = formOf('m', 2_000_000)

export function resentForms(bench: RetryBench): void {
  const { fleet, runtime } = bench

  async function post(form: string, fault: FaultRuleInput = {}): Promise<Answered & { id: string }> {
    const id = bench.nextId()
    const headers = await bench.homeward(id)
    await fleet.worker('home').setFaults(fault)
    const answer = await ask(fleet.url + AUDIO, {
      method: 'POST',
      headers: { ...headers, 'content-type': TYPE },
      body: form,
    })
    await fleet.worker('home').setFaults([])
    return { ...answer, id }
  }

  test.each([
    { status: 503 },
    { status: 502 },
    { die_before_headers: true },
    { truncated_json: true },
    { refuse: true },
  ])('a short one is sent again, to the byte: %j', async (fault) => {
    const answer = await post(SHORT, fault)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.headers.get('x-vllm-router-attempts')).toBe('2')
    const sent = fleet.call(`${answer.id}-r1`)
    expect(sent).toMatchObject({ sha256: sha256(SHORT), headers: { 'content-type': TYPE } })
  })

  test('a short one goes down a chain, with each model’s name in its field', async () => {
    const isLed = async () => (await post(formOf('rescued', 4))).headers.get('x-vllm-router-model') === 'lone'
    await until(isLed, 8_000, () => 'the chain never began with lone again')
    await fleet.worker('lone').setFaults({ status: 500, times: 1 })
    const answer = await post(formOf('rescued', 4_000))
    expect([answer.status, answer.headers.get('x-vllm-router-model')]).toEqual([200, 'second'])
    expect(fleet.call(answer.id).sha256).toBe(sha256(formOf('lone', 4_000)))
    expect(fleet.call(`${answer.id}-r1`).sha256).toBe(sha256(formOf('second', 4_000)))
  })

  test('a long one that a worker has read of is not sent again', async () => {
    const answer = await post(LONG, { status: 503 })
    expect([answer.status, answer.headers.get('x-vllm-router-attempts')]).toEqual([503, '1'])
    expect((await post(LONG)).json()).toMatchObject({ size: 2_000_000 })
  })

  // Where the runtime can't say that nothing was sent, it may have been, and then the form is half gone.
  test(`a long one that was refused is ${runtime === 'workerd' ? 'not ' : ''}sent again`, async () => {
    const answer = await post(LONG, { refuse: true })
    if (runtime === 'workerd') expectRefusal(answer, 'upstream_unreachable')
    else {
      expect([answer.status, answer.headers.get('x-vllm-router-attempts')]).toEqual([200, '2'])
      expect(fleet.call(`${answer.id}-r1`).sha256).toBe(sha256(LONG))
    }
  })

  test('one that turns out too large on its way to a worker is 413, and the worker is not blamed', async () => {
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
    const head = rawRequest(`POST ${AUDIO}`, [`Content-Type: ${TYPE}`, 'Transfer-Encoding: chunked'])
    const form = head + chunk(formOf('lone', 0).replace('--cut--', '')) + chunk('s'.repeat(0x8000)).repeat(130)
    for (let times = 0; times < 3; times += 1) expectRefusal(await sendRaw(fleet.url, form), 'body_too_large')
    const answer = await post(formOf('lone', 4_000))
    expect(answer.status, answer.text).toBe(200)
  })

  test('one that asks for events and gets none is a 502, as for JSON', async () => {
    const answer = await post(formOf('m', 400, [{ name: 'stream', value: 'true' }]))
    expectRefusal(answer, 'upstream_invalid')
    expect((await post(formOf('m', 400, [{ name: 'stream', value: 'false' }]))).status).toBe(200)
  })
}

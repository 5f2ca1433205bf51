// The example hooks, alone and in front of the demo: what they let through, turn away and hide.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { judge, mask } from '../../scripts/hook-server.ts'
import { freePort } from '../support/launch.ts'
import { killGroups, startUntil } from '../support/program-group.ts'

const run = promisify(execFile)

afterEach(killGroups)

describe('the example hooks', () => {
  test('reject by the word list, wherever the text is', () => {
    const asking = 'please tell me how to Build a BOMB'
    for (const body of [
      { messages: [{ role: 'user', content: asking }] },
      { messages: [{ role: 'user', content: [{ type: 'text', text: asking }] }] },
      { prompt: ['hello', asking] },
      { input: asking },
      { input: [{ role: 'user', content: [{ type: 'input_text', text: asking }] }] },
      { system: asking, messages: [] },
    ]) {
      expect(judge(body)).toMatchObject({ action: 'reject' })
    }
    expect(judge({ messages: [{ role: 'user', content: 'a bomb calorimeter' }] })).toEqual({ action: 'allow' })
  })

  test('mask addresses and card numbers, and nothing else', () => {
    const body = {
      model: 'someone@example.com',
      messages: [
        { role: 'user', content: 'I am ada.l+x@mail.example.org, card 4111-1111-1111-1111, phone 0301234567890123' },
        { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:4111111111111111' } }] },
      ],
    }
    expect(mask(body)).toEqual({
      action: 'transform',
      body: {
        model: 'someone@example.com',
        messages: [
          { role: 'user', content: 'I am [email], card [card], phone 0301234567890123' },
          { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:4111111111111111' } }] },
        ],
      },
    })
    expect(mask({ prompt: 'order 1234567890123' })).toEqual({ action: 'allow' })
  })

  test('run as a service of their own', async () => {
    const port = await freePort()
    await startUntil(process.execPath, ['scripts/hook-server.ts', '--port', String(port)], /listening on/)
    const answer = await fetch(`http://127.0.0.1:${port}/mask`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'mail a@example.com' }),
    })
    expect(await answer.json()).toEqual({ action: 'transform', body: { prompt: 'mail [email]' } })
  })
})

test('npm start -- --hooks prints curls that are rejected and masked', { timeout: 90_000 }, async () => {
  const port = await freePort()
  const { output } = await startUntil('npm', ['start', '--', '--port', String(port), '--hooks'], /Ctrl-C ends/)
  const curls = [...output().matchAll(/^ {2}(curl -i .*)$/gm)].map(([, command = '']) => command)
  expect(curls).toHaveLength(2)
  const [rejected = '', masked = ''] = await Promise.all(
    curls.map(async (command) => (await run('sh', ['-c', command])).stdout),
  )
  expect(rejected).toContain('HTTP/1.1 403')
  expect(rejected).toContain('x-vllm-router-hooks: content-safety:rejected')
  expect(rejected).toContain('The prompt asks for something unsafe.')
  expect(masked).toContain('HTTP/1.1 200')
  expect(masked).toContain('x-vllm-router-hooks: content-safety,pii-mask:transformed')
})

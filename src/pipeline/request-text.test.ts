// What a record may keep of a prompt: nothing unless told to, and then its text, cut where a character ends.

import { describe, expect, test } from 'vitest'
import { inProcessRouter } from '../../test/support/in-process-router.ts'
import { decidedExchange } from '../../test/support/recorded-exchange.ts'
import { inputOf, viewOf } from '../../test/conformance/policy.ts'
import type { Config } from '../config/config.ts'
import { MAX_REQUEST_TEXT_BYTES, noteRequestText } from './request-text.ts'

const nobody = { name: 'nobody', needs: {}, score: () => [] }

function textOf(json: Readonly<Record<string, unknown>> | null, includesRequestText = true): string | null {
  const config = { decisionLog: { includesRequestText } } as Config // all that is read of it here
  const decided = { input: inputOf(), policy: nobody, view: viewOf([]), seed: 1 }
  const exchange = { ...decidedExchange(decided), config }
  noteRequestText(exchange, { json })
  return exchange.requestText
}

test('nothing, unless the configuration says so', () => {
  expect(textOf({ prompt: 'a secret' }, false)).toBeNull()
})

test.each([
  [
    'a chat',
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Why?' },
        { role: 'assistant', content: 'Because.' },
        { role: 'user', content: [{ type: 'text', text: 'Why not?' }] },
      ],
    },
    '\nsystem:Be brief.\nuser:Why?\nassistant:Because.\nuser:\nWhy not?',
  ],
  ['a completion', { prompt: 'Once upon' }, 'Once upon'],
  [
    'messages as Anthropic has them',
    { system: 'Be brief.', messages: [{ role: 'user', content: 'Why?' }] },
    'Be brief.\nuser:Why?',
  ],
  ['embeddings', { input: ['one', 'two'] }, '\none\ntwo'],
  ['a body without a prompt', { model: 'm' }, null],
  ['no JSON', null, null],
])('%s', (_, json, expected) => {
  expect(textOf(json)).toBe(expected)
})

describe('is cut at its limit', () => {
  test.each([
    ['one byte each', 'a', MAX_REQUEST_TEXT_BYTES],
    ['two bytes each', 'ü', MAX_REQUEST_TEXT_BYTES / 2],
    ['three bytes each', '語', Math.floor(MAX_REQUEST_TEXT_BYTES / 3)],
    ['four bytes each', '🦊', MAX_REQUEST_TEXT_BYTES / 4],
  ])('%s', (_, character, kept) => {
    expect(textOf({ prompt: character.repeat(40_000) })).toBe(character.repeat(kept))
    // Off by one, so that the limit falls into a character.
    const shifted = textOf({ prompt: `a${character.repeat(40_000)}` }) ?? ''
    expect(shifted).toBe(`a${character.repeat([...shifted].length - 1)}`)
    expect(new TextEncoder().encode(shifted).length).toBeGreaterThan(MAX_REQUEST_TEXT_BYTES - 4)
  })

  test('a text that just fits is kept whole', () => {
    expect(textOf({ prompt: 'a'.repeat(MAX_REQUEST_TEXT_BYTES) })).toHaveLength(MAX_REQUEST_TEXT_BYTES)
  })
})

describe('in a router', () => {
  const answer = async () => Response.json({ ok: true })
  const chat = { model: 'm', messages: [{ role: 'user', content: 'MARKER' }] }
  async function recordsWith(settings: string): Promise<string> {
    const workers = 'workers: [{ url: "http://10.0.0.1:8000", models: [m] }]\n'
    const { chat: send, router } = await inProcessRouter(workers + settings, answer)
    await send(chat, { headers: { 'x-session-id': 'MARKER' } })
    await send({ ...chat, stream: 'MARKER' })
    await send({ ...chat, model: 'nobody' })
    return JSON.stringify(router.decisions.recent(10))
  }

  test('no record holds a word of it by default', async () => {
    const text = await recordsWith('')
    expect(text.match(/"decision_id"/g)).toHaveLength(3)
    expect(text).not.toContain('MARKER')
  })

  test('with the setting every record of a request that could be read does', async () => {
    const text = await recordsWith('decision_log: { include_request_text: true }\n')
    expect(text.match(/"request_text":"\\nuser:MARKER"/g)).toHaveLength(2)
    expect(text.match(/MARKER/g)).toHaveLength(2)
  })
})

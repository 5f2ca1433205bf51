// Hashes of a prompt's blocks: each stands for its block and all before it, so that what two prompts have in common can be
// counted, and nothing of their text is kept.

import { describe, expect, test } from 'vitest'
import { inProcessRouter } from '../../test/support/in-process-router.ts'
import { decisionRecordSchema } from '../record/schema.ts'
import { PrefixCaches } from '../replay/prefix-cache.ts'
import { MAX_PREFIX_BLOCKS, PREFIX_BLOCK_BYTES, prefixHashesOf } from './prefix-hashes.ts'

const hashesOf = (json: Readonly<Record<string, unknown>>, model: string | null = 'm') =>
  prefixHashesOf({ json, model }) ?? []

const blocks = (...letters: readonly string[]) => letters.map((letter) => letter.repeat(PREFIX_BLOCK_BYTES)).join('')

describe('the hashes of a prompt', () => {
  test('one for each whole block', () => {
    expect(hashesOf({ prompt: blocks('a', 'b', 'c') })).toHaveLength(3)
    expect(hashesOf({ prompt: `${blocks('a', 'b', 'c')}!` })).toHaveLength(3)
    expect(hashesOf({ prompt: blocks('a').slice(1) })).toEqual([])
    for (const hash of hashesOf({ prompt: blocks('a', 'b', 'c') })) expect(hash).toMatch(/^[0-9a-f]{16}$/)
  })

  test('the same text gives the same on every day and runtime', () => {
    expect(hashesOf({ prompt: blocks('a', 'b') })).toEqual(['c5c95c4fe338c60a', '5666fbd243df14da'])
  })

  test('a block stands for all before it', () => {
    const [first, second, third] = hashesOf({ prompt: blocks('a', 'a', 'a') })
    expect(new Set([first, second, third]).size).toBe(3)
    expect(hashesOf({ prompt: blocks('a', 'b', 'c') })[2]).not.toBe(hashesOf({ prompt: blocks('b', 'b', 'c') })[2])
  })

  test('a conversation that grows keeps those of its beginning', () => {
    const turn = (role: string, letter: string) => ({ role, content: blocks(letter) })
    const messages = [turn('system', 's'), turn('user', 'u')]
    const before = hashesOf({ messages })
    const after = hashesOf({ messages: [...messages, turn('assistant', 'a'), turn('user', 'w')] })
    expect(before).toHaveLength(2)
    expect(after.slice(0, 2)).toEqual(before)
    expect(after).toHaveLength(4)
    const other = hashesOf({ messages: [turn('system', 's'), turn('user', 'x')] })
    expect([other[0] === before[0], other[1] === before[1]]).toEqual([true, false])
  })

  test.each([
    ['models', { prompt: blocks('a') }, 'other'],
    ['salts of the cache', { prompt: blocks('a'), cache_salt: 'acme' }, 'm'],
  ])('different %s share nothing', (_, json, model) => {
    expect(hashesOf(json, model)).toHaveLength(1)
    expect(hashesOf(json, model)).not.toEqual(hashesOf({ prompt: blocks('a') }))
  })

  test('different tools, which stand before the messages, share nothing', () => {
    const messages = [{ role: 'user', content: blocks('a') }]
    expect(hashesOf({ messages, tools: [{ type: 'function' }] })[0]).not.toEqual(hashesOf({ messages })[0])
  })

  test.each([
    ['two bytes each', 'ü'],
    ['three bytes each', '語'],
    ['four bytes each', '🦊'],
    ['half characters', '\uD83E'],
  ])('characters of %s: blocks are counted in bytes', (_, character) => {
    const count = (text: string) => hashesOf({ prompt: text }).length
    const each = new TextEncoder().encode(character).length
    const perBlock = Math.floor(PREFIX_BLOCK_BYTES / each)
    expect(count(character.repeat(perBlock + 1))).toBe(1)
    expect(count(character.repeat(perBlock - 1))).toBe(0)
    expect(count(character.repeat(Math.ceil((PREFIX_BLOCK_BYTES * 10) / each)))).toBe(10)
  })

  test('are bounded', () => {
    const long = 'a'.repeat((MAX_PREFIX_BLOCKS + 10) * PREFIX_BLOCK_BYTES)
    expect(hashesOf({ prompt: long })).toHaveLength(MAX_PREFIX_BLOCKS)
  })

  test.each([
    ['has no text', { model: 'm' }],
    ['is a batch of prompts', { prompt: [blocks('a'), blocks('b')] }],
    ['is a batch of prompts in tokens', { prompt: [[1, 2], [3]] }],
    ['goes on from a stored response', { input: blocks('a'), previous_response_id: 'resp_1' }],
    ['goes on in a stored conversation', { input: blocks('a'), conversation: 'conv_1' }],
  ])('none of one that %s', (_, json) => {
    expect(prefixHashesOf({ json, model: 'm' })).toBeNull()
  })

  test('a prompt in tokens has them, and so has a list of one', () => {
    expect(hashesOf({ prompt: Array.from({ length: 2_000 }, (_, token) => token) }).length).toBeGreaterThan(2)
    expect(hashesOf({ prompt: [blocks('a', 'a')] }).length).toBeGreaterThan(0)
  })
})

describe('in a router', () => {
  const messages = [{ role: 'user', content: 'MARKER '.repeat(1_000) }]
  const chat = { model: 'm', messages }

  async function recordsWith(settings: string) {
    const workers = 'workers: [{ url: "http://10.0.0.1:8000", models: [m] }]\n'
    const answer = async () => Response.json({ ok: true })
    const { chat: send, post, records } = await inProcessRouter(workers + settings, answer)
    await send(chat)
    await send({ ...chat, messages: [...messages, { role: 'user', content: 'MARKER '.repeat(1_000) }] })
    await post('/v1/embeddings', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', input: 'MARKER '.repeat(1_000) }),
    })
    await send({ ...chat, model: 'nobody' })
    return records().map((record) => decisionRecordSchema.parse(record))
  }

  test('no record has them by default', async () => {
    const records = await recordsWith('')
    expect(records).toHaveLength(4)
    for (const record of records) expect(record).not.toHaveProperty('prefix_hashes')
  })

  test('with the setting those of generations do, and none holds a word', async () => {
    const records = await recordsWith('decision_log: { include_prefix_hashes: true }\n')
    expect(records.map(({ prefix_hashes: hashes }) => hashes?.length)).toEqual([3, 6, undefined, 3])
    expect(JSON.stringify(records)).not.toContain('MARKER')
    const caches = new PrefixCaches({ cacheBlocks: 10, blockTokens: 512 })
    for (const { prefix_hashes: hashes = [] } of records.slice(0, 2)) caches.use('one', hashes)
    expect(caches.totals()).toEqual({ tokens: 9 * 512, cached: 3 * 512 })
  })
})

// Round trips and shared prefixes of the toy tokenizer, and of the chat template on top of it.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyChatTemplate } from './chat-template.ts'
import { planGeneration } from './generation.ts'
import { bytesOfToken, decodePieces, decodeTokens, encodeText, SPECIAL_TOKENS } from './tokenizer.ts'

const text = fc.string({ unit: 'grapheme' })

test('any text survives the round trip', () => {
  fc.assert(
    fc.property(text, (value) => {
      const wellFormed = value.toWellFormed()
      const tokens = encodeText(wellFormed)
      expect(decodeTokens(tokens)).toBe(wellFormed)
      expect(decodePieces(tokens)?.length).toBe(tokens.length)
      expect(tokens.every((token) => token < SPECIAL_TOKENS.begin)).toBe(true)
    }),
  )
})

test('texts with a common beginning of whole words share its tokens', () => {
  fc.assert(
    fc.property(text, text, text, (head, left, right) => {
      const shared = encodeText(head)
      expect(encodeText(`${head} ${left}`).slice(0, shared.length)).toEqual(shared)
      expect(encodeText(`${head} ${right}`).slice(0, shared.length)).toEqual(shared)
    }),
  )
})

test('a token is about four bytes of one word', () => {
  expect(encodeText('hello big world').map((token) => decodeTokens([token]))).toEqual([
    'hell',
    'o',
    ' big',
    ' wor',
    'ld',
  ])
})

test('ids that no token has are refused', () => {
  expect(bytesOfToken(2 ** 32)).toBeNull()
  expect(bytesOfToken(-1)).toBeNull()
  expect(decodeTokens([1.5])).toBeNull()
  expect(decodeTokens([SPECIAL_TOKENS.user])).toBe('<|user|>')
})

test('the next turn of a conversation extends the tokens of this one, the answer included', () => {
  const turn = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Hello!' }] },
  ]
  const prompt = applyChatTemplate(turn)
  const request = { prompt, model: 'm', cacheSalt: null, maxTokens: null, minTokens: 0, ignoreEos: false, stop: [] }
  const settings = { seed: 1, outputTokens: 9, maxModelLen: 1000 }
  const { tokens, pieces } = planGeneration({ ...request, choice: 0, toolCall: null }, settings)
  const next = applyChatTemplate([
    ...turn,
    { role: 'assistant', content: pieces.join('') },
    { role: 'user', content: 'More' },
  ])
  expect(tokens).toHaveLength(9)
  expect(next.slice(0, prompt.length + tokens.length)).toEqual([...prompt, ...tokens])
})

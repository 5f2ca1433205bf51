// Proved with the simulator's tokenizer and template, and against templates that do what some models' do.

import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { applyChatTemplate, type ChatMessage } from '../simulator/chat-template.ts'
import { BORDER_IDS, MAX_UNKNOWN_BYTES, MessagePrefixes, MIN_LEADING_IDS } from './message-prefixes.ts'
import { StoredTokens } from './stored-tokens.ts'
import type { TemplateFields } from './template-input.ts'
import type { LoadIds } from './token-cache.ts'
import { TokenMemory } from './token-memory.ts'

type Template = (messages: readonly ChatMessage[], fields: TemplateFields) => readonly number[]

const plain: Template = (messages, fields) =>
  applyChatTemplate(messages, {
    tools: fields['tools'],
    addGenerationPrompt: fields['add_generation_prompt'] !== false,
  })

const words = (count: number, word = 'word') => `${word} `.repeat(count)
const system = (content = words(400, 'rule')): ChatMessage => ({ role: 'system', content })
const user = (content: string): ChatMessage => ({ role: 'user', content })
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content })

/** A cache in front of a template; counts how often it was asked for whole prompts, and for beginnings of them. */
function create(template: Template = plain) {
  const clock = createFakeClock()
  const cache = new StoredTokens({
    memory: new TokenMemory({ maxBytes: 1e7, maxEntries: 1_000, ttlMs: 1e9, now: clock.now }),
    shared: null,
    prefixes: new MessagePrefixes(clock.now),
    canJoin: true,
  })
  const asked = { whole: 0, alone: 0 }
  const tokenize = (messages: unknown, fields: TemplateFields) => template(messages as ChatMessage[], fields)
  async function ask(messages: readonly ChatMessage[], fields: TemplateFields = {}, wanted?: number) {
    const beside: Promise<unknown>[] = []
    const load: LoadIds = async (given) => {
      asked[given['messages'] === messages ? 'whole' : 'alone'] += 1
      return tokenize(given['messages'], given)
    }
    const request = {
      signal: new AbortController().signal,
      waitUntil: (task: Promise<unknown>) => void beside.push(task),
      ...(wanted === undefined ? {} : { wanted }),
    }
    const prompt = { tenant: null, model: 'm', fields: { ...fields, messages } }
    const found = await cache.idsFor(prompt, load, request)
    await Promise.all(beside)
    if (found === null) throw new Error('nothing was found')
    const whole = tokenize(messages, { ...fields })
    return { ...found, isTrue: found.ids.every((id, at) => id === whole[at]), wholeLength: whole.length }
  }
  return { ask, asked, clock }
}

describe('a repeated system prompt with a new question', () => {
  test('costs one call and one beside it, then none', async () => {
    const { ask, asked } = create()
    expect(await ask([system(), user('What is red?')])).toMatchObject({ source: 'loaded', isWhole: true })
    expect(asked).toEqual({ whole: 1, alone: 1 })
    for (const question of ['What is blue?', 'Who?', `Is ${words(50)}so?`]) {
      expect(await ask([system(), user(question)])).toMatchObject({ source: 'prefix', isWhole: false, isTrue: true })
    }
    expect(asked).toEqual({ whole: 1, alone: 1 })
  })

  test('gives leading ids that end before the question begins', async () => {
    const { ask } = create()
    await ask([system(), user('What is red?')])
    const found = await ask([system(), user('What is red, and why?')])
    const alone = plain([system()], { add_generation_prompt: false })
    expect(found.ids.length).toBe(alone.length - BORDER_IDS)
  })

  test('is tokenised where the question is long, unless no more ids are wanted than are known', async () => {
    const { ask, asked } = create()
    await ask([system(), user('Why?')])
    const long = words(MAX_UNKNOWN_BYTES / 5)
    expect(await ask([system(), user(long)])).toMatchObject({ source: 'loaded', isWhole: true })
    expect(await ask([system(), user(`${long}!`)], {}, MIN_LEADING_IDS)).toMatchObject({
      source: 'prefix',
      isTrue: true,
    })
    expect(asked.whole).toBe(2)
  })

  test('is tokenised where the system prompt is short', async () => {
    const { ask } = create()
    await ask([system('Be kind.'), user('Why?')])
    expect(await ask([system('Be kind.'), user('Who?')])).toMatchObject({ source: 'loaded' })
  })

  test('of another tool or template argument is another beginning', async () => {
    const { ask } = create()
    await ask([system(), user('Why?')])
    expect(await ask([system(), user('Who?')], { tools: [{ name: 'f' }] })).toMatchObject({ source: 'loaded' })
    expect(await ask([system(), user('Who?')], { chat_template_kwargs: { a: 1 } })).toMatchObject({ source: 'loaded' })
  })
})

test('a conversation that goes on is tokenised once its template is known to be steady, and then when it has grown', async () => {
  const { ask, asked } = create()
  const turns: ChatMessage[] = [user(words(500))]
  const sources: string[] = []
  for (let turn = 0; turn < 12; turn += 1) {
    const found = await ask([...turns])
    expect(found.isTrue).toBe(true)
    sources.push(found.source)
    turns.push(assistant(words(60, 'answer')), user(words(30, `more${turn}`)))
  }
  expect(sources.slice(0, 3)).toEqual(['loaded', 'loaded', 'prefix'])
  // A turn adds some 700 bytes: every third or fourth is tokenised.
  expect(asked.whole).toBeLessThan(7)
  expect(asked.alone).toBe(0)
})

describe('a template whose beginning changes with what follows', () => {
  /** As Mistral's: tools stand before the last message of the user. */
  const toolsLast: Template = (messages, fields) => [
    ...plain(messages.slice(0, -1), { add_generation_prompt: false }),
    ...plain(messages.slice(-1), fields),
  ]
  const tools = [{ type: 'function', function: { name: 'look', description: words(300, 'tool') } }]

  test('is found out by the first prompt that goes on, and none is given leading ids', async () => {
    const { ask } = create(toolsLast)
    const first = [user(words(400))]
    await ask(first, { tools })
    for (let turn = 0; turn < 4; turn += 1) {
      first.push(assistant('ok'), user(`and ${turn}?`))
      const found = await ask([...first], { tools })
      expect(found).toMatchObject({ source: 'loaded', isTrue: true })
    }
  })

  test('that refuses system messages alone is not asked for them all the time', async () => {
    const { ask, asked, clock } = create((messages, fields) =>
      messages.some(({ role }) => role === 'user') ? plain(messages, fields) : [],
    )
    await ask([system(), user('Why?')])
    expect(await ask([system(), user('Who?')])).toMatchObject({ source: 'loaded' })
    expect(asked).toEqual({ whole: 2, alone: 1 })
    clock.advance(60_001)
    await ask([system(), user('When?')])
    expect(asked).toEqual({ whole: 3, alone: 2 })
  })

  test('that counts its messages first is never trusted', async () => {
    const { ask } = create((messages, fields) => [messages.length, ...plain(messages, fields)])
    await ask([system(), user('Why?')])
    for (const question of ['Who?', 'Where?']) {
      expect(await ask([system(), user(question)])).toMatchObject({ source: 'loaded', isTrue: true })
    }
  })

  test('is looked at anew after a while', async () => {
    const { ask, clock, asked } = create((messages, fields) => [messages.length, ...plain(messages, fields)])
    await ask([system(), user('Why?')])
    await ask([system(), user('Who?')])
    expect(asked.alone).toBe(1)
    clock.advance(3_600_001)
    await ask([system(), user('Where?')])
    expect(asked.alone).toBe(2)
  })
})

test('a message that goes on in the answer is no whole beginning', async () => {
  const { ask } = create()
  const long = [user(words(400)), assistant(words(100))]
  await ask(long, { continue_final_message: true, add_generation_prompt: false })
  expect(await ask([...long, user('And?')])).toMatchObject({ source: 'loaded' })
})

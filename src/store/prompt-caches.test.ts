// What a router knows of caches: a prompt's cost in tokens, its queue, and what answers teach.

import { describe, expect, test } from 'vitest'
import { hashPrompt, writePrompt } from '../routing/prompt-blocks.ts'
import { PrefillBacklog } from './prefill-backlog.ts'
import { PrefillCosts } from './prefill-costs.ts'
import { PromptCaches, type PromptForModel } from './prompt-caches.ts'

const needs = { blockBytes: 2_048, prefillMsPerToken: 0.2 }

function promptOf(json: Readonly<Record<string, unknown>>): PromptForModel {
  const written = writePrompt(json)
  if (written === null) throw new Error('no prompt')
  return { blocks: hashPrompt(written, { model: 'm', blockBytes: 2_048 }), model: 'm', needs }
}

const text = promptOf({ prompt: 'a'.repeat(40_960) })
const ids = promptOf({ prompt: Array.from({ length: 5_120 }, (_, id) => id) })

function attempt(
  caches: PromptCaches,
  prompt: PromptForModel,
  given: { readonly nowMs?: number; readonly streams?: boolean; readonly api?: string } = {},
) {
  const { nowMs = 0, streams = true, api = 'chat' } = given
  const fact = caches.factOf(prompt, nowMs)
  return caches.begin({ ...prompt, candidateId: 'a', fact, nowMs, streams, api })
}

const place = (...ids: readonly string[]) => new Map(ids.map((id) => [id, `http://${id}:8000`]))

describe('a fact', () => {
  test('knows the length of a prompt, and what is cached of it', () => {
    const caches = new PromptCaches()
    expect(caches.factOf(text, 0)).toEqual({
      promptTokens: 10_240,
      cachedTokens: {},
      backlogTokens: {},
      prefillMsPerToken: 0.2,
    })
    attempt(caches, text).noteAnswer(null)
    expect(caches.factOf(text, 0)).toMatchObject({ promptTokens: 10_240, cachedTokens: { a: 10_240 } })
    const longer = promptOf({ prompt: 'a'.repeat(81_920) })
    expect(caches.factOf(longer, 0)).toMatchObject({ promptTokens: 20_480, cachedTokens: { a: 10_240 } })
  })

  test('of token ids is exact, whatever was learned of texts', () => {
    const caches = new PromptCaches()
    caches.costs.noteTokens('m', { bytes: 100, tokens: 100 })
    attempt(caches, ids).noteAnswer(null)
    expect(caches.factOf(ids, 0)).toMatchObject({ promptTokens: 5_120, cachedTokens: { a: 5_120 } })
  })

  test('holds a hint only where nothing is known here', () => {
    const caches = new PromptCaches()
    expect(caches.factOf(text, 0, { candidateId: 'b', blocks: 2 }).cachedTokens).toEqual({ b: 1_024 })
    caches.begin({ ...text, candidateId: 'b', fact: null, nowMs: 0, streams: true, api: 'chat' })
    expect(caches.factOf(text, 0, { candidateId: 'b', blocks: 2 }).cachedTokens).toEqual({ b: 10_240 })
  })
})

describe('an attempt', () => {
  test('waits until its first byte, and its prompt stays', () => {
    const caches = new PromptCaches()
    const held = attempt(caches, text)
    expect(caches.factOf(text, 0).backlogTokens).toEqual({ a: 10_240 })
    expect(attempt(caches, text)).toBeDefined()
    // The second has nothing to compute.
    expect(caches.factOf(text, 0).backlogTokens).toEqual({ a: 10_240 })
    held.noteFirstByte(500)
    expect(caches.factOf(text, 0).backlogTokens).toEqual({})
    held.end()
    expect(caches.factOf(text, 0).cachedTokens).toEqual({ a: 10_240 })
  })

  test.each([
    ['is released', 'end'],
    ['never arrives', 'takeBack'],
  ] as const)('that %s waits no longer', (_, how) => {
    const caches = new PromptCaches()
    const held = attempt(caches, text)
    held[how]()
    held.end()
    expect(caches.factOf(text, 0).backlogTokens).toEqual({})
    expect(caches.factOf(text, 0).cachedTokens).toEqual(how === 'end' ? { a: 10_240 } : {})
  })

  test('whose answer comes whole is taken to be prefilled after a while', () => {
    const caches = new PromptCaches()
    attempt(caches, text, { streams: false })
    expect(caches.factOf(text, 2_000).backlogTokens).toEqual({ a: 240 })
    expect(caches.factOf(text, 4_000).backlogTokens).toEqual({})
  })

  test('teaches how many bytes a token takes, and what was not cached after all', () => {
    const caches = new PromptCaches()
    for (const letter of ['a', 'b', 'c', 'd', 'e', 'f']) {
      attempt(caches, promptOf({ prompt: letter.repeat(20_480) })).noteAnswer({ promptTokens: 10_240, cachedTokens: 0 })
    }
    expect(caches.costs.bytesPerToken('m')).toBeLessThan(2.5)
    const second = promptOf({ prompt: 'c'.repeat(20_480) })
    attempt(caches, second).noteAnswer({ promptTokens: 10_240, cachedTokens: 0 })
    // What is older than a prompt that was evicted went before it.
    expect(caches.index.match(promptOf({ prompt: 'b'.repeat(20_480) }).blocks.chains)).toEqual(new Map())
    expect(caches.index.match(promptOf({ prompt: 'd'.repeat(20_480) }).blocks.chains)).toEqual(new Map([['a', 10]]))
  })

  describe('at a worker that leaves a zero out, as vLLM does', () => {
    const counted = { promptTokens: 10_240, cachedTokens: null }

    test('teaches that nothing was cached, once the worker has said what was', () => {
      const caches = new PromptCaches()
      const older = promptOf({ prompt: 'b'.repeat(40_960) })
      attempt(caches, older).noteAnswer(counted)
      attempt(caches, text).noteAnswer(counted)
      attempt(caches, text).noteAnswer(counted)
      expect(caches.factOf(older, 0).cachedTokens).toEqual({ a: 10_240 })
      attempt(caches, text).noteAnswer({ promptTokens: 10_240, cachedTokens: 10_240 })
      attempt(caches, text).noteAnswer(counted)
      // The prompt itself has just been computed there; what is older went before it.
      expect(caches.factOf(text, 0).cachedTokens).toEqual({ a: 10_240 })
      expect(caches.factOf(older, 0).cachedTokens).toEqual({})
    })

    test('teaches nothing through an API whose counts never say it, nor without counts', () => {
      const caches = new PromptCaches()
      const older = promptOf({ prompt: 'b'.repeat(40_960) })
      attempt(caches, older).noteAnswer(counted)
      attempt(caches, text).noteAnswer({ promptTokens: 10_240, cachedTokens: 10_240 })
      attempt(caches, text, { api: 'messages' }).noteAnswer(counted)
      attempt(caches, text).noteAnswer(null)
      expect(caches.factOf(older, 0).cachedTokens).toEqual({ a: 10_240 })
    })

    test('teaches nothing any more when counts stay away: it was started without them', () => {
      const caches = new PromptCaches()
      attempt(caches, text).noteAnswer({ promptTokens: 10_240, cachedTokens: 10_240 })
      for (let turn = 0; turn < 50; turn += 1) attempt(caches, text).noteAnswer(counted)
      const older = promptOf({ prompt: 'b'.repeat(40_960) })
      attempt(caches, older).noteAnswer(counted)
      attempt(caches, text).noteAnswer(counted)
      attempt(caches, text).noteAnswer(counted)
      expect(caches.factOf(older, 0).cachedTokens).toEqual({ a: 10_240 })
    })
  })

  test('whose count leaves out what was cached, as Anthropic counts, teaches nothing wrong', () => {
    const caches = new PromptCaches()
    for (let turn = 0; turn < 20; turn += 1) {
      attempt(caches, text).noteAnswer({ promptTokens: 240, cachedTokens: 10_000 })
    }
    expect(caches.costs.bytesPerToken('m')).toBeCloseTo(4, 5)
    expect(caches.factOf(text, 0).cachedTokens['a']).toBeGreaterThan(9_900)
  })

  test('teaches what a token takes, when nothing else was in the way', () => {
    const caches = new PromptCaches()
    for (let turn = 0; turn < 200; turn += 1) {
      const held = attempt(caches, promptOf({ prompt: `${turn} `.padEnd(20_480, 'a') }), { nowMs: 1_000 })
      held.noteFirstByte(1_000 + (turn % 4 === 0 ? 60_000 : 512))
      held.noteAnswer(null)
    }
    expect(caches.factOf(text, 0).prefillMsPerToken).toBeCloseTo(0.1, 2)
  })

  test('that had to wait behind others teaches nothing of that', () => {
    const caches = new PromptCaches()
    attempt(caches, promptOf({ prompt: 'b'.repeat(409_600) }))
    const held = attempt(caches, text)
    held.noteFirstByte(90_000)
    held.noteAnswer(null)
    expect(caches.factOf(text, 0).prefillMsPerToken).toBe(0.2)
  })
})

describe('a configuration', () => {
  test('that comes anew leaves what is known, but for workers that are gone', () => {
    const caches = new PromptCaches()
    attempt(caches, text).noteAnswer(null)
    caches.use(needs, place('a', 'b'))
    caches.use(undefined, place('a'))
    expect(caches.factOf(text, 0).cachedTokens).toEqual({ a: 10_240 })
    caches.use(needs, place('b'))
    expect(caches.factOf(text, 0).cachedTokens).toEqual({})
  })

  test('forgets a worker whose name another machine has now, and its habits', () => {
    const caches = new PromptCaches()
    caches.use(needs, place('a', 'b'))
    attempt(caches, text).noteAnswer({ promptTokens: 10_240, cachedTokens: 1 })
    caches.use(needs, new Map([...place('b'), ['a', 'http://elsewhere:8000']]))
    expect(caches.factOf(text, 0).cachedTokens).toEqual({})
    const older = promptOf({ prompt: 'b'.repeat(40_960) })
    for (const prompt of [older, text, text])
      attempt(caches, prompt).noteAnswer({ promptTokens: 1, cachedTokens: null })
    expect(caches.factOf(older, 0).cachedTokens['a']).toBeGreaterThan(0)
  })

  test('says how much is remembered', () => {
    const caches = new PromptCaches()
    attempt(caches, text).noteAnswer(null)
    caches.use({ ...needs, workerBytes: 8_192 }, place('a'))
    expect(caches.factOf(text, 0).cachedTokens).toEqual({ a: 2_048 })
  })
})

describe('costs', () => {
  test('stay within reason', () => {
    const costs = new PrefillCosts()
    for (let turn = 0; turn < 500; turn += 1) {
      costs.noteTokens('m', { bytes: 1_000_000, tokens: 1 })
      costs.noteTokens('m', { bytes: 0, tokens: 0 })
      costs.noteFirstByte('m', { uncachedTokens: 600, ms: 1e12, expectedMsPerToken: 0.2 })
      costs.noteFirstByte('n', { uncachedTokens: 600, ms: 0.001, expectedMsPerToken: 0.2 })
      costs.noteFirstByte('short', { uncachedTokens: 10, ms: 900, expectedMsPerToken: 0.2 })
    }
    expect(costs.bytesPerToken('m')).toBeLessThanOrEqual(32)
    expect(costs.prefillMsPerToken('m', 0.2)).toBeLessThanOrEqual(20)
    expect(costs.prefillMsPerToken('n', 0.2)).toBeGreaterThanOrEqual(0.002)
    expect(costs.prefillMsPerToken('short', 0.3)).toBe(0.3)
  })

  test('of models that nobody asks for any more are forgotten', () => {
    const costs = new PrefillCosts()
    for (let model = 0; model < 1_000; model += 1) costs.noteTokens(`m${model}`, { bytes: 2_000, tokens: 1_000 })
    expect(costs.bytesPerToken('m0')).toBe(4)
    expect(costs.bytesPerToken('m999')).toBeLessThan(4)
  })
})

describe('a backlog', () => {
  const forever = Number.POSITIVE_INFINITY
  const waiting = { beganMs: 0, msPerToken: 0.5, untilMs: forever }

  test('is given back once', () => {
    const backlog = new PrefillBacklog()
    const [one, two] = [100, 50].map((tokens) => backlog.begin('a', { ...waiting, tokens }))
    backlog.begin('b', { ...waiting, tokens: 7, msPerToken: 100, untilMs: 10 })
    expect(backlog.all(0)).toEqual({ a: 150, b: 7 })
    one?.end(10)
    one?.end(10)
    expect(backlog.all(10)).toEqual({ a: 50 })
    two?.end()
    expect(backlog.all(10)).toEqual({})
  })

  test('gets shorter at its front, by what a token costs', () => {
    const backlog = new PrefillBacklog()
    const [one] = [100, 50].map((tokens) => backlog.begin('a', { ...waiting, tokens }))
    expect(backlog.tokensOn('a', 20)).toBe(110)
    // The estimate was short: what is behind it has not begun.
    expect(backlog.tokensOn('a', 1_000)).toBe(50)
    one?.end(1_000)
    expect(backlog.tokensOn('a', 1_010)).toBe(30)
  })
})

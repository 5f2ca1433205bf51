import { describe, expect, test } from 'vitest'
import { type Answers, chat, exchangeFor, NO_BODY, openHookBench, refusalOf } from '../../test/support/hook-bench.ts'
import type { HookConfig } from '../config/config.ts'
import { FAILURES_TO_OPEN, OPEN_MS } from '../upstream/breaker.ts'
import { runHooks } from './hooks.ts'
import type { InferenceRequest } from './inference-request.ts'

describe('which hooks are asked', () => {
  test('by route, exact or by its beginning', async () => {
    const hooks = [
      { name: 'chat', routes: ['/v1/chat/completions'] },
      { name: 'v1', routes: ['/v1/*'] },
      { name: 'tokens', routes: ['/tokenize', '/detokenize'] },
    ]
    const asked = async (route: string) => {
      const { parts, calls } = openHookBench({ hooks, answer: () => ({ action: 'allow' }) })
      await runHooks(parts, exchangeFor(parts, route), chat({ model: 'm' }))
      return calls
    }
    expect(await asked('/v1/chat/completions')).toEqual(['chat', 'v1'])
    expect(await asked('/v1/embeddings')).toEqual(['v1'])
    expect(await asked('/detokenize')).toEqual(['tokens'])
    expect(await asked('/v1/chat')).toEqual(['v1'])
  })

  test('by model, also where the request names none and another hook changes it', async () => {
    const hooks: Partial<HookConfig>[] = [
      { name: 'llama', models: ['llama*'] },
      { name: 'rename', mayTransform: true },
      { name: 'qwen', models: ['qwen-7b'] },
    ]
    const answer: Answers = ({ url }) =>
      url.endsWith('rename') ? { action: 'transform', body: { model: 'qwen-7b' } } : { action: 'allow' }
    const asked = async (request: InferenceRequest, defaultModel?: string) => {
      const { parts, calls } = openHookBench({
        hooks,
        answer,
        config: defaultModel === undefined ? {} : { defaultModel },
      })
      await runHooks(parts, exchangeFor(parts), request)
      return calls
    }
    expect(await asked(chat({ model: 'llama-8b' }))).toEqual(['llama', 'rename', 'qwen'])
    expect(await asked(chat({ model: 'other' }))).toEqual(['rename', 'qwen'])
    expect(await asked(chat({ messages: [] }))).toEqual(['llama', 'rename', 'qwen'])
    expect(await asked(chat({ messages: [] }), 'other')).toEqual(['rename', 'qwen'])
    expect(await asked(NO_BODY, 'other')).toEqual(['llama', 'rename', 'qwen'])
  })
})

describe('side by side', () => {
  /** Answers only once as many calls wait as are expected at the same time. */
  function gate(expected: number) {
    const waiting: (() => void)[] = []
    return async () => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (waiting.length === expected) for (const go of waiting.splice(0)) go()
      })
      return { action: 'allow' }
    }
  }

  test('neighbours that are parallel and change nothing', async () => {
    const meet = gate(2)
    const hooks: Partial<HookConfig>[] = [
      { name: 'a' },
      { name: 'b', isParallel: true },
      { name: 'c', isParallel: true },
      { name: 'd', isParallel: true, mayTransform: true },
      { name: 'e', isParallel: true },
    ]
    const { parts } = openHookBench({
      hooks,
      answer: ({ url }) => (/[bc]$/.test(url) ? meet() : { action: 'allow' }),
    })
    expect(parts.hookGroups.map((group) => group.map(({ hook }) => hook.name))).toEqual([
      ['a'],
      ['b', 'c'],
      ['d'],
      ['e'],
    ])
    const exchange = exchangeFor(parts)
    await runHooks(parts, exchange, chat({ model: 'm' }))
    expect(exchange.hooksRan).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('the first that rejects in order wins, though another was quicker; those after the group are not asked', async () => {
    const hooks: Partial<HookConfig>[] = [
      { name: 'slow', isParallel: true, exposesReason: true },
      { name: 'quick', isParallel: true, exposesReason: true },
      { name: 'after' },
    ]
    const { parts, calls } = openHookBench({
      hooks,
      async answer({ url }) {
        if (url.endsWith('slow')) await new Promise((resolve) => setImmediate(resolve))
        return { action: 'reject', reason: url.slice(-5) }
      },
    })
    const exchange = exchangeFor(parts)
    const refusal = await refusalOf(runHooks(parts, exchange, chat({ model: 'm' })))
    expect(refusal).toMatchObject({ code: 'hook_rejected', message: '/slow' })
    expect(exchange.hooksRan).toEqual(['slow:rejected', 'quick:rejected'])
    expect(calls).toEqual(['slow', 'quick'])
  })
})

describe('what callers are told', () => {
  const rejecting = (reason: string, exposesReason: boolean) =>
    openHookBench({ hooks: [{ exposesReason }], answer: () => ({ action: 'reject', reason }) }).parts

  test("the hook's reason only where the operator says so", async () => {
    const hidden = rejecting('rule 7: mentions project X', false)
    expect((await refusalOf(runHooks(hidden, exchangeFor(hidden), chat({})))).message).not.toMatch(/rule 7|hook-1/)
    const shown = rejecting('rule 7', true)
    expect((await refusalOf(runHooks(shown, exchangeFor(shown), chat({})))).message).toBe('rule 7')
    const blank = rejecting(' ', true)
    expect((await refusalOf(runHooks(blank, exchangeFor(blank), chat({})))).message).toMatch(/rejected/)
  })

  test('a long reason is cut, and not through a character', async () => {
    const parts = rejecting(`${'x'.repeat(510)}😀😀`, true)
    const { message } = await refusalOf(runHooks(parts, exchangeFor(parts), chat({})))
    expect(message).toBe(`${'x'.repeat(510)}…`)
    expect(message.length).toBeLessThanOrEqual(512)
  })
})

describe('the breaker', () => {
  const dead = () => {
    throw new Error('refused')
  }

  test.each(['pass', 'block'] as const)(
    'opens after failures in a row; on_error: %s decides what that means',
    async (onError) => {
      const { parts, calls, failures, pass } = openHookBench({ hooks: [{ onError }], answer: dead })
      const ask = async () => {
        const exchange = exchangeFor(parts)
        const running = runHooks(parts, exchange, chat({ model: 'm' }))
        if (onError === 'pass') await running
        else expect((await refusalOf(running)).code).toBe('hook_failed')
        return exchange.hooksRan
      }
      for (let count = 0; count < FAILURES_TO_OPEN; count++) expect(await ask()).toEqual(['hook-1:error'])
      expect(await ask()).toEqual(['hook-1:open'])
      expect(calls).toHaveLength(FAILURES_TO_OPEN)
      expect(failures).toHaveLength(FAILURES_TO_OPEN)
      pass(OPEN_MS)
      expect(await ask()).toEqual(['hook-1:error'])
      expect(await ask()).toEqual(['hook-1:open'])
    },
  )

  test('each hook has its own', async () => {
    const { parts } = openHookBench({
      hooks: [{ name: 'dead' }, { name: 'alive' }],
      answer: ({ url }) => (url.endsWith('dead') ? dead() : { action: 'allow' }),
    })
    for (let count = 0; count < FAILURES_TO_OPEN; count++) await runHooks(parts, exchangeFor(parts), chat({}))
    const exchange = exchangeFor(parts)
    await runHooks(parts, exchange, chat({}))
    expect(exchange.hooksRan).toEqual(['dead:open', 'alive'])
  })

  /** Asks as often as opens a breaker, then once more. */
  async function outcomesOf(hook: Partial<HookConfig>, answer: Answers) {
    const { parts, calls } = openHookBench({ hooks: [hook], answer })
    const seen: string[] = []
    for (let count = 0; count <= FAILURES_TO_OPEN; count++) {
      const exchange = exchangeFor(parts)
      await runHooks(parts, exchange, chat({ model: 'm' }))
      seen.push(...exchange.hooksRan)
    }
    return { seen, calls }
  }

  test.each<[string, Partial<HookConfig>, unknown, string]>([
    ['no JSON', {}, 'no JSON', 'error'],
    ['no action', {}, { allow: true }, 'error'],
    ['an unknown action', {}, { action: 'quarantine' }, 'unknown'],
    ['a transform without a body', { mayTransform: true }, { action: 'transform' }, 'transform-no-body'],
    ['a body of the wrong type', { mayTransform: true }, { action: 'transform', body: 'x' }, 'error'],
    ['a body that is not usable', { mayTransform: true }, { action: 'transform', body: { model: 7 } }, 'error'],
    [
      'a body it was not sent',
      { mayTransform: true, send: 'metadata' },
      { action: 'transform', body: { model: 'm' } },
      'error',
    ],
  ])('counts an answer that is no use as much as none: %s', async (_, hook, answer, outcome) => {
    const { seen, calls } = await outcomesOf(hook, () => answer)
    expect(seen).toEqual([...Array(FAILURES_TO_OPEN).fill(`hook-1:${outcome}`), 'hook-1:open'])
    expect(calls).toHaveLength(FAILURES_TO_OPEN)
  })

  test.each<[string, Partial<HookConfig>, unknown]>([
    ['a rejection that is noted only', { onReject: 'pass' }, { action: 'reject' }],
    ['a transform that it may not make', {}, { action: 'transform' }],
  ])('does not count %s', async (_, hook, answer) => {
    const { calls } = await outcomesOf(hook, () => answer)
    expect(calls).toHaveLength(FAILURES_TO_OPEN + 1)
  })

  test('starts over with any answer that is of use', async () => {
    let asked = 0
    const { seen } = await outcomesOf({}, () => ((asked += 1) === FAILURES_TO_OPEN ? { action: 'allow' } : 'no JSON'))
    expect(seen.at(FAILURES_TO_OPEN - 1)).toBe('hook-1')
    expect(seen.at(-1)).toBe('hook-1:error')
  })
})

test('a client that has left ends the stage', async () => {
  const { parts, calls } = openHookBench({ hooks: [{}], answer: () => ({ action: 'allow' }) })
  const exchange = exchangeFor(parts)
  const running = runHooks(parts, exchange, chat({}, { signal: AbortSignal.abort() }))
  expect((await refusalOf(running)).code).toBe('client_closed_request')
  expect(exchange.hooksRan).toEqual([])
  expect(calls).toEqual([])
})

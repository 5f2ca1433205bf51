import { describe, expect, test } from 'vitest'
import { coversAllModels, coversModel } from './model-access.ts'

/** B59: what is allowed, what is asked for, whether it is covered. */
const CASES: readonly (readonly [readonly string[], string, boolean])[] = [
  [['*'], 'anything/at all', true],
  [['*'], '', true],
  [['llama'], 'llama', true],
  [['llama'], 'Llama', false],
  [['llama'], 'LLAMA', false],
  [['Llama'], 'llama', false],
  [['llama'], 'llama ', false],
  [['llama'], ' llama', false],
  [['llama'], 'llama\t', false],
  [['llama'], 'llama\u00a0', false],
  [['llama'], 'llama\u200b', false],
  [['llama'], 'lIama', false],
  [['llama'], 'llama-3', false],
  [['llama'], 'llam', false],
  [['llama'], '', false],
  [['llama'], 'llama*', false],
  [['llama'], '*', false],
  [['llama'], 'x/llama', false],
  [['llama'], '\uff4clama', false],
  [['llama-*'], 'llama-3', true],
  [['llama-*'], 'llama-', true],
  [['llama-*'], 'llama', false],
  [['llama-*'], 'Llama-3', false],
  [['llama-*'], 'x/llama-3', false],
  [['openai/*'], 'openai/gpt', true],
  [['openai/*'], 'openai/../secret', true],
  [['openai/*'], 'openai', false],
  [['openai/*'], 'openai%2fgpt', false],
  [['a', 'b*'], 'a', true],
  [['a', 'b*'], 'bc', true],
  [['a', 'b*'], 'ab', false],
  // One name in two spellings: composed and decomposed.
  [['caf\u00e9'], 'cafe\u0301', true],
  [['cafe\u0301'], 'caf\u00e9', true],
  [['caf\u00e9'], 'cafe', false],
  [['cafe'], 'caf\u00e9', false],
  [['cafe*'], 'cafe\u0301-1', false],
  [['caf\u00e9*'], 'cafe\u0301-1', true],
  // Compatibility forms are other names: fi as a ligature, the Kelvin sign is K after NFC.
  [['fi'], '\ufb01', false],
  [['K'], '\u212a', true],
  [['\u03a9'], '\u2126', true],
  [['constructor'], 'constructor', true],
  [['a'], '__proto__', false],
]

describe('model access', () => {
  test.each(CASES)('%j covers %j: %s', (allowed, model, isCovered) => {
    expect(coversModel(allowed, model)).toBe(isCovered)
  })

  test('only a bare star covers what has no name', () => {
    expect(coversAllModels(['*'])).toBe(true)
    expect(coversAllModels(['a', '*'])).toBe(true)
    expect(coversAllModels(['a*', 'b*'])).toBe(false)
  })
})

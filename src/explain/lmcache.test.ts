// What is said of decisions by what LMCache knows, and of the questions that were asked for them.

import { describe, expect, test } from 'vitest'
import { candidateOf } from '../../test/conformance/policy.ts'
import { explained } from '../../test/support/explained-decision.ts'

const CANDIDATES = [candidateOf('a', { inFlightHere: 2 }), candidateOf('b'), candidateOf('c')]
const OPTIONS = { lookup_mode: 'prefix_lookup' }

function said(
  lmcache: object,
  exchange: object = {},
  options: Readonly<Record<string, unknown>> = OPTIONS,
): readonly string[] {
  const known = { matchedTokens: null, promptTokens: 4_096, chunkCounts: null, prefillMsPerToken: 0.2, ...lmcache }
  const input = { lmcache: known }
  return explained({ policy: 'lmcache_aware', options, candidates: CANDIDATES, input, exchange }).sentences
}

describe('lmcache_aware', () => {
  test('says what a match saves, and what waits', () => {
    const sentences = said({ matchedTokens: { a: 2_048, b: 256 } })
    expect(sentences).toContain(
      '`a` had the most to save of this prompt for what waits there: 2,048 tokens of the prompt are cached, ' +
        'which saves 410 ms, and 40 ms of work wait.',
    )
    expect(sentences).toContain('The prompt has 4,096 tokens, each taken to cost 0.2 ms to compute.')
    expect(sentences).toContain(
      '`b` came out behind it: 256 tokens of the prompt are cached, which saves 51 ms, and 0 ms of work wait.',
    )
  })

  test('says what waits after a lookup that found nothing', () => {
    const sentences = said({ matchedTokens: {}, chunkCounts: { a: 100, b: 90 } })
    expect(sentences).toContain(
      '`b` had the least to do, or the fullest cache of those: 90 chunks in its cache, and 0 ms of work wait.',
    )
    expect(sentences.join('\n')).not.toContain('NaN')
  })

  test('says how full caches are where they alone decided', () => {
    expect(said({ chunkCounts: { a: 100, b: 90 } }, {}, { lookup_mode: 'occupancy', load_factor: 'off' })).toContain(
      '`b` had the best of a full cache and little load: 90 chunks in its cache, and a load of 0.',
    )
  })

  test('says who has more than the bound allows', () => {
    expect(said({ chunkCounts: { a: 100, b: 90 } }, {}, { lookup_mode: 'occupancy' }).join('\n')).toContain(
      '`a` (2 in flight, and its bound was 2)',
    )
  })

  test('leaves the word to the fallback', () => {
    const text = said({}).join('\n')
    expect(text).toContain('by policy `power_of_two`')
    expect(text).not.toContain('LMCache')
  })
})

test('every question is told with its outcome and its time', () => {
  const steps = [
    { step: 'tokenize', outcome: 'ok', ms: 12 },
    { step: 'lookup', outcome: 'timeout', ms: 88 },
    { step: 'occupancy', outcome: 'ok', ms: 0 },
    { step: 'oracle', outcome: 'riddle', ms: 0 },
  ]
  const sentences = said({}, { steps })
  expect(sentences).toEqual(
    expect.arrayContaining([
      'Tokenising the prompt gave an answer (12 ms).',
      'Looking the prompt up in LMCache took too long and was given up (88 ms).',
      'How full LMCache’s caches are was known.',
      '`oracle` came to `riddle`.',
    ]),
  )
})

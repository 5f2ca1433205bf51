// Explanations of whatever a record can say: every veto and note, old versions, requests under way, refusals, retries.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { candidateOf } from '../../test/conformance/policy.ts'
import { explained } from '../../test/support/explained-decision.ts'
import { fullRecord } from '../../test/support/full-record.ts'
import { openRecordNumber, recordNumber } from '../../test/support/made-up-records.ts'
import { ERROR_CODES } from '../errors/codes.ts'
import { HOOK_OUTCOMES, toHookEntry } from '../pipeline/hook-outcomes.ts'
import { readRecord } from '../record/read-record.ts'
import { NOTE, VETO } from '../routing/decide.ts'
import { OVER_LOAD_BOUND } from '../routing/load-bound.ts'
import { errorWords } from './error-words.ts'
import { explain } from './explain.ts'
import type { DryRun, ExplainedRecord } from './subject.ts'
import { toText } from './text.ts'
import { longVeto, noteWords } from './veto-words.ts'
import { ordinal } from './words.ts'

const a = candidateOf('a')

function sentencesOf(record: ExplainedRecord, dryRun: DryRun | null = null): readonly string[] {
  return explain({ record, view: null, dryRun }, null).sentences
}

function whyNot(record: ExplainedRecord, worker: string): readonly string[] {
  return explain({ record, view: null, dryRun: null }, worker).why_not?.sentences ?? []
}

describe('who was left out', () => {
  test.each([...Object.values(VETO), OVER_LOAD_BOUND])('%s has words', (veto) => {
    expect(longVeto(veto)).toMatch(new RegExp(`^\`${veto}\`: [a-z].{10,}`))
    const record = recordNumber(1, { candidates: [{ worker: 'w', veto }] })
    expect(sentencesOf(record).join('\n')).toContain(`\`w\` was left out, \`${veto}\``)
    expect(whyNot(record, 'w').join('\n')).toContain(longVeto(veto))
  })

  test.each(Object.values(NOTE))('the note %s has words', (note) => {
    expect(noteWords(note)).not.toContain('`')
    const record = recordNumber(0, { candidates: [{ worker: 'gpu-a', score: 1, note }] })
    expect(sentencesOf(record).join('\n')).toContain(
      `\`gpu-a\` could be chosen although not simply up: ${noteWords(note)}`,
    )
  })

  test('many with the same veto are one sentence', () => {
    const gone = ['x', 'y', 'z'].map((id) => candidateOf(id, { availability: 'down' }))
    const { sentences } = explained({ policy: 'random', candidates: [a, ...gone] })
    expect(sentences).toContain('`x`, `y` and `z` were left out, `down`: probes found nobody listening.')
  })

  test('nobody was left', () => {
    const gone = ['x', 'y'].map((id) => candidateOf(id, { availability: 'asleep' }))
    const { sentences, worker } = explained({ policy: 'random', candidates: gone })
    expect(worker).toBeNull()
    expect(sentences[0]).toBe(
      'The request reached no worker: it was refused with 503 `no_worker` after 2,114 ms, as no worker could take it.',
    )
    expect(sentences).toContain('Nobody was chosen: all 2 candidates were left out.')
  })

  test('panic is told', () => {
    const ejected = ['x', 'y', 'z'].map((id) => candidateOf(id, { availability: 'ejected' }))
    const { sentences } = explained({ policy: 'least_load', candidates: ejected, panicThreshold: 0.5 })
    expect(sentences.join('\n')).toContain('More of the fleet was in trouble than `panic_threshold`')
    expect(sentences.join('\n')).toContain('so ejected ones counted, too.')
    expect(sentences.join('\n')).toContain('`x`, `y` and `z` could be chosen although not simply up')
    const told = sentencesOf(recordNumber(0, { panic: true, candidates: [{ worker: 'w', veto: 'down' }] })).join('\n')
    expect(told).toContain('so ejected ones would have counted, too.')
  })

  test('metrics of one age have no oldest', () => {
    const candidates = ['a', 'b'].map((worker) => ({ worker, veto: 'draining', now: [0, 0, 1, 0, 0, 500] }))
    const view = { source: 'memory', age_ms: 12 }
    expect(sentencesOf(recordNumber(0, { candidates, view }))).toContain(
      'The metrics of the workers were all 512 ms old.',
    )
  })
})

describe('why not B', () => {
  test('it was chosen', () => expect(whyNot(recordNumber(0), 'gpu-a')).toEqual(['`gpu-a` was chosen.']))

  test('it was tried before', () => {
    expect(whyNot(fullRecord, 'gpu-0')).toEqual([
      '`gpu-0` was the first to be tried: it could not be reached (`refused`) after 2 ms; then another was needed.',
      '`gpu-0` was left out, `tried`: an earlier attempt of this request had used it.',
    ])
  })

  test('it was tried beside the one that answered', () => {
    const attempts = [
      { worker: 'gpu-b', outcome: 'superseded', ms: 90 },
      { worker: 'gpu-a', outcome: 'answered', status: 200, ms: 12 },
    ]
    const [sentence] = whyNot(recordNumber(0, { attempts }), 'gpu-b')
    expect(sentence).toBe(
      '`gpu-b` was the first to be tried: it was called off after 90 ms, as another attempt had won.',
    )
  })

  test('the request was refused before anybody was looked at', () => {
    const early = { worker: undefined, candidates: undefined, policy: undefined, method: 'rejected' } as const
    expect(whyNot(recordNumber(0, { ...early, status: 400, error: 'invalid_json' }), 'gpu-b')).toEqual([
      'Nobody looked at `gpu-b`, nor at any other worker: the request was refused before that.',
    ])
  })

  test('it is not there, or the record can not tell', () => {
    expect(whyNot(recordNumber(0), 'gpu-z')).toEqual([
      'No worker `gpu-z` was in the pool when this was decided. The candidates were `gpu-a`, `gpu-b` and `gpu-c`.',
    ])
    expect(whyNot(recordNumber(0, { candidates: undefined }), 'gpu-z').join()).toContain('can not be told')
    const kept = { worker: undefined, candidates: undefined, method: 'cache-hit' } as const
    expect(whyNot(recordNumber(0, kept), 'gpu-z').join()).toContain('a cache had the answer')
    expect(whyNot(recordNumber(0, { candidates_omitted: 7 }), 'gpu-z').join()).toContain('may have been a candidate')
  })

  test('a worker stands for all of its ranks, a rank for itself', () => {
    const ranks = [0, 1].map((rank) => candidateOf(`r@${rank}`, { workerId: 'r', rank, availability: 'down' }))
    const about = (worker: string) =>
      explained({ policy: 'random', candidates: [a, ...ranks], worker }).why_not?.sentences
    expect(about('r')).toHaveLength(2)
    expect(about('r@1')).toEqual(['`r@1` was left out, `down`: probes found nobody listening.'])
  })
})

describe('the request', () => {
  test('all of a record is told, with the ages of its signals', () => {
    const text = sentencesOf(fullRecord).join('\n')
    for (const part of [
      'tenant `acme`',
      'waited 17 ms for a place',
      '`guard` allowed it',
      'decision rule `code`',
      'category `computer science`',
      'keyword (`python`)',
      'The model `auto` matches the model rule `auto`, which led to `org/large`.',
      'splits by weight among those available: `org/large` 9 and `org/small` 1',
      'came from what all routers share and was 812 ms old',
      'The metrics of `gpu-1` were 1,324 ms old.',
      'First attempt: `gpu-0` could not be reached (`refused`) after 2 ms.',
      'Second attempt: `gpu-1` answered with 200 after 2,090 ms.',
      'refused by the budget that all retries share',
      'The first byte came 212 ms after the request.',
      'read 1,204 tokens, 1,024 of them from its cache, and wrote 337',
    ]) {
      expect(text).toContain(part)
    }
    expect(text).not.toContain('What is a tensor')
  })

  test.each(HOOK_OUTCOMES)('a hook that came to %s', (outcome) => {
    const [sentence = ''] = sentencesOf(recordNumber(0, { hooks_ran: [toHookEntry('guard', outcome)] })).filter(
      (each) => each.startsWith('Of the hooks'),
    )
    expect(sentence).toMatch(/^Of the hooks, `guard` [a-z].{8,}\.$/)
    expect(sentence).not.toContain('came to')
  })

  test('one that is under way', () => {
    const text = sentencesOf(openRecordNumber(0)).join('\n')
    expect(text).toContain('The request went to `gpu-a` by policy `round_robin`; it is under way.')
    const early = { ...openRecordNumber(0), worker: undefined, candidates: undefined, method: 'rejected' } as const
    expect(sentencesOf(early)[0]).toBe('The request is under way, and its worker is not chosen yet.')
  })

  test.each([
    ['aborted', { lifecycle_state: 'aborted', stream_end: 'client_aborted' }, 'its client left'],
    ['unknown', { lifecycle_state: 'unknown', status: 0 }, 'nobody saw how it ended'],
    ['truncated', { lifecycle_state: 'failed', stream_end: 'truncated' }, 'ended without its terminator'],
    [
      'limited',
      {
        worker: undefined,
        candidates: undefined,
        method: 'rejected',
        status: 429,
        error: 'rate_limit_exceeded',
        tenant: 't',
      },
      'as a limit of its tenant was reached',
    ],
    [
      'a list of models',
      { worker: undefined, candidates: undefined, method: 'none', policy: undefined },
      'answered by the router itself: 200',
    ],
    [
      'a cache hit',
      { worker: undefined, candidates: undefined, method: 'cache-hit', cache_status: 'exact-hit' },
      'answered from a cache',
    ],
    [
      'a hit by meaning',
      {
        worker: undefined,
        candidates: undefined,
        method: 'semantic-hit',
        cache_status: 'semantic-hit',
        cache_similarity: 0.97,
      },
      'as near as a cosine of 0.970000',
    ],
  ] as const)('%s', (_, given, expected) => {
    expect(sentencesOf(recordNumber(0, given)).join('\n')).toContain(expected)
  })

  test.each([
    ['requests', 'requests a second (`rate_limit_rps`)'],
    ['concurrency', 'requests at a time (`max_concurrent`)'],
    ['tokens', 'tokens a minute (`tokens_per_minute`)'],
  ] as const)('the limit that was reached: %s', (limit, words) => {
    const refused = { worker: undefined, candidates: undefined, status: 429, error: 'rate_limit_exceeded', limit }
    expect(sentencesOf(recordNumber(0, refused))).toContain(`The tenant’s limit on ${words} was reached when it came.`)
  })

  /** Codes of answers that leave no record, as they are about the admin API or a client that is not let in. */
  const UNRECORDED = /^(?:admin_|access_|cache_|config_|replay_|decision_|worker_|invalid_admin_)/

  test.each(Object.keys(ERROR_CODES).filter((code) => !UNRECORDED.test(code)))('the error %s has words', (code) => {
    expect(errorWords(code)).toMatch(/^as /)
  })

  test('attempts are counted in English', () => {
    expect([1, 5, 6, 11, 12, 13, 21, 22, 23, 24, 111, 121].map(ordinal).join(' ')).toBe(
      'first fifth 6th 11th 12th 13th 21st 22nd 23rd 24th 111th 121st',
    )
  })

  test('records of the Rust router are told as far as they go', () => {
    const line =
      '{"timestamp":"2026-01-01T00:00:00.000Z","route":"/v1/chat/completions","model":"m","method":"policy","policy":"cache_aware","worker":"http://10.0.0.1:8000","status":200,"duration_ms":12}'
    const read = readRecord(line)
    if (read.kind !== 'record') throw new Error(read.kind)
    const explanation = explain({ record: read.record, view: null, dryRun: null }, 'http://10.0.0.2:8000')
    expect(explanation.sentences).toEqual([
      'The request went to `http://10.0.0.1:8000` by policy `cache_aware` and was answered with 200 after 12 ms.',
      'It was routed to the model `m`.',
      'The record lists no candidates (version 1): why `http://10.0.0.1:8000` was chosen by policy `cache_aware` can not be told.',
    ])
    expect(explanation).toMatchObject({ decision_id: null, table: null, attempts: [] })
    expect(explanation.why_not?.sentences.join()).toContain('can not be told')
  })

  test('a dry run says what was not done, what is left, and what would be refused', () => {
    const { status: _s, duration_ms: _d, lifecycle_state: _l, ...record } = recordNumber(0, { tenant: 'acme' })
    const limits = [
      { meter: 'requests', limit: 10, remaining: 0.4 },
      { meter: 'slots', limit: 4, remaining: 3 },
    ]
    const text = sentencesOf(record, { caller: 'key', not_asked: ['guard'], limits }).join('\n')
    expect(text).toContain('This request would go to `gpu-a` by policy `round_robin`.')
    expect(text).toContain('no worker was asked')
    expect(text).toContain('Not asked in this dry run: `guard`.')
    expect(text).toContain('0.4 of 10 requests a second and 3 of 4 requests at a time')
    expect(text).toContain('Without more requests a second a live request is refused with 429')
    const kept = { ...record, worker: undefined, candidates: undefined, method: 'cache-hit', cache_status: 'exact-hit' }
    expect(sentencesOf(kept, { caller: 'key', not_asked: [], limits: [] })[0]).toBe(
      'This request would be answered from a cache; no worker would be asked.',
    )
    const refused = { ...record, worker: undefined, candidates: undefined, status: 404, error: 'model_not_found' }
    const none = { caller: 'anybody', not_asked: [], limits: [], message: 'No such model.' } as const
    expect(sentencesOf(refused, none).slice(0, 2)).toEqual([
      'This request would be refused with 404 `model_not_found`.',
      'Its caller would read: No such model.',
    ])
  })
})

test('any part of a record gives whole sentences, in columns that fit, and nothing a terminal obeys', () => {
  const { schema_version, timestamp, route, ...optional } = fullRecord
  const parts = Object.entries({ ...optional, model: '\u001b[31mred\u202e' })
  fc.assert(
    fc.property(fc.subarray(parts), fc.constantFrom(null, 'gpu-0', 'gpu-1', 'gpu-2', 'nobody', ''), (given, worker) => {
      const record: ExplainedRecord = { schema_version, timestamp, route, ...Object.fromEntries(given) }
      const explanation = explain({ record, view: null, dryRun: null }, worker)
      const text = toText(explanation, { width: 80 })
      for (const sentence of explanation.sentences) expect(sentence).toMatch(/^[`\p{Lu}\d].*[.]$/su)
      expect(text).not.toMatch(/undefined|NaN|\[object|null/)
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
      expect(
        Math.max(
          ...text
            .split('\n')
            .slice(2)
            .map((line) => line.length),
        ),
      ).toBeLessThanOrEqual(80)
    }),
    { numRuns: 300 },
  )
})

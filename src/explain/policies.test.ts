// What is said about each built-in policy is what it did: the sentences of decisions that it made itself.

import { describe, expect, test } from 'vitest'
import { candidateOf, fleetOf } from '../../test/conformance/policy.ts'
import { builtIn, explained } from '../../test/support/explained-decision.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { genericWords } from './policies/generic.ts'
import { policyWords } from './policy-words.ts'

const [a, b, c] = [candidateOf('a'), candidateOf('b'), candidateOf('c')]

test('every built-in policy has words of its own', () => {
  const generic = [...BUILT_IN_POLICIES.keys(), 'response_affinity'].filter(
    (name) => policyWords(name) === genericWords,
  )
  expect(generic).toEqual([])
  expect(policyWords('somebodys_own')).toBe(genericWords)
})

describe('round_robin', () => {
  test('names the ticket, and whose turn comes when', () => {
    const { sentences, worker } = explained({ policy: 'round_robin', candidates: [a, b, c], input: { ticket: 4 } })
    expect(worker).toBe('b')
    expect(sentences).toContain('`b` had the next turn.')
    expect(sentences).toContain('The request drew ticket 4, and turns go round 3 candidates.')
    expect(sentences).toContain('It was not the turn of `c`: it comes 1 turn later than that of `b`.')
    expect(sentences).toContain('It was not the turn of `a`: it comes 2 turns later than that of `b`.')
  })

  test('says that the seed drew a turn that could not be counted', () => {
    const { sentences } = explained({ policy: 'round_robin', candidates: [a, b], input: { ticket: null }, seed: 12 })
    expect(sentences).toContain('The count of turns could not be had, so the seed 12 drew one.')
  })
})

describe('random', () => {
  test('says that it was drawn, by which seed, and how', () => {
    const { sentences, worker } = explained({ policy: 'random', candidates: [a, b, c], seed: 99, worker: 'a' })
    const text = sentences.join('\n')
    expect(text).toContain(`\`${worker}\` was drawn at random from 3 candidates, each as likely as its weight says.`)
    expect(text).toMatch(/The draw is that of the seed 99: each score is ln\(u\)/)
    expect(text.match(/was not drawn: the seed 99 gave it -[\d.]+ against the -[\d.]+ of/g)).toHaveLength(2)
  })
})

describe('least_load', () => {
  const busy = candidateOf('busy', { inFlightHere: 4, inFlightElsewhere: 9, weight: 2 })
  const idle = candidateOf('idle', { inFlightHere: 1, inFlightElsewhere: 2 })

  test('compares loads, and what they are made of', () => {
    const { sentences } = explained({ policy: 'least_load', candidates: [busy, idle] })
    expect(sentences).toContain(
      '`idle` had the least in flight for its capacity: a load of 3 (1 from this router, 2 from others).',
    )
    expect(sentences).toContain(
      '`busy` had a load of 6.5 (4 from this router, 9 from others); `idle` had a load of 3 (1 from this router, 2 from others).',
    )
  })

  test('says when a draw decided among equals', () => {
    const { sentences, worker } = explained({ policy: 'least_load', candidates: [a, b, busy], seed: 5 })
    expect(sentences).toContain('2 candidates had this score, and the seed 5 drew among them.')
    const other = worker === 'a' ? 'b' : 'a'
    expect(sentences).toContain(`\`${other}\` had the same score as \`${worker}\`, and the seed 5 drew the other.`)
  })

  test('tells what came past all routers, and a worker that warms up', () => {
    const scraped = { running: 6, waiting: 1, kvUsage: null, ours: 0, ageMs: 100 }
    const heard = candidateOf('heard', { share: 0.5, scraped })
    const { sentences } = explained({ policy: 'least_load', candidates: [heard] })
    expect(sentences.join('\n')).toContain('(7 past all routers, taking 50 % of its usual work)')
  })
})

describe('power_of_two', () => {
  test('names the two that were drawn, the seed, and their loads; others were not looked at', () => {
    const fleet = [0, 1, 2, 3, 4].map((load) => candidateOf(`w${load}`, { inFlightHere: load }))
    const { sentences, worker, table } = explained({ policy: 'power_of_two', candidates: fleet, seed: 3 })
    const drawn = (table?.rows ?? []).filter(({ parts }) => parts['drawn'] !== undefined)
    const [first, second] = [1, 2].map((place) => drawn.find(({ parts }) => parts['drawn'] === place)?.worker)
    expect(sentences).toContain(`\`${worker}\` was the less loaded of two candidates drawn at random.`)
    expect(sentences).toContain(
      `By the seed 3 they were \`${first}\` and then \`${second}\`, each as likely as its capacity says.`,
    )
    expect(sentences.filter((sentence) => sentence.includes('was drawn, too, but it had a load of'))).toHaveLength(1)
    const unlooked = sentences.find((sentence) => sentence.startsWith('The policy did not look at '))
    expect(unlooked?.match(/`w\d`/g)).toHaveLength(3)
  })

  test('two equals: the first drawn wins', () => {
    const { sentences } = explained({ policy: 'power_of_two', candidates: [a, b], worker: 'a' })
    expect(sentences.join('\n')).toContain('; at equal load the first drawn wins.')
  })
})

describe('cache_aware', () => {
  const prefix = {
    promptTokens: 10_000,
    cachedTokens: { a: 8_000 },
    backlogTokens: { b: 1_500 },
    prefillMsPerToken: 0.2,
  }

  test('says what is cached, and how long each would take', () => {
    const busy = candidateOf('b', { inFlightHere: 1 })
    const { sentences } = explained({ policy: 'cache_aware', candidates: [a, busy], input: { prefix } })
    expect(sentences).toContain(
      '`a` would be the first to have read the prompt, by this router’s estimate: about 400 ms to compute and 0 ms in queue.',
    )
    expect(sentences).toContain('Of the prompt, about 10,000 tokens, it is thought to have 8,000 cached.')
    expect(sentences).toContain(
      '`b` would take longer: about 2,000 ms to compute and 320 ms in queue; `a` about 400 ms to compute and 0 ms in queue.',
    )
  })

  test('says that nobody has it, or that it has none that counts', () => {
    const nobody = { ...prefix, cachedTokens: {} }
    expect(explained({ policy: 'cache_aware', candidates: [a, b], input: { prefix: nobody } }).sentences).toContain(
      'Of the prompt, about 10,000 tokens, nobody is known to have anything cached.',
    )
    const away = { ...prefix, cachedTokens: { c: 500 } }
    expect(explained({ policy: 'cache_aware', candidates: [a], input: { prefix: away } }).sentences).toContain(
      'Of the prompt, about 10,000 tokens, it has nothing cached that counts.',
    )
    expect(explained({ policy: 'cache_aware', candidates: [a, b], input: { prefix: null } }).sentences).toContain(
      'The request has no prompt that could be cached, so load alone counts.',
    )
  })
})

describe('consistent_hash', () => {
  test('names the key’s source and hash, never its text', () => {
    const { sentences, worker } = explained({ policy: 'consistent_hash', candidates: [a, b, c] })
    expect(sentences).toContain(`\`${worker}\` is where the request’s key falls among these candidates.`)
    expect(sentences).toContain('The key is that of the header `x-session-id` (hash 0123456789abcdef).')
    expect(sentences.filter((sentence) => sentence.includes('for the session’s key ('))).toHaveLength(2)
  })

  test('says whom the bound ruled out, and by how much', () => {
    const home = explained({ policy: 'consistent_hash', candidates: [a, b, c] }).worker
    const loaded = [a, b, c].map((one) => (one.id === home ? { ...one, inFlightHere: 30 } : one))
    const {
      sentences,
      worker,
      why_not: answer,
    } = explained({
      policy: 'consistent_hash',
      candidates: loaded,
      worker: home ?? '',
    })
    expect(worker).not.toBe(home)
    expect(sentences.join('\n')).toContain(
      `It would fall to \`${home}\`, which had too much to do: 30 in flight, and its bound was 13.`,
    )
    expect(answer?.sentences).toEqual([
      `\`${home}\` was left out, \`over_load_bound\`: as many requests were in flight there as the bound of the policy, its \`load_factor\`, allows (30 in flight, and its bound was 13).`,
    ])
  })

  test('says that the seed drew a key where the request offers none', () => {
    const { sentences } = explained({ policy: 'consistent_hash', candidates: [a, b], input: { affinity: null } })
    expect(sentences).toContain('The request offers no key for its session, so the seed 7 drew one.')
  })
})

test('a stored response goes to its holder, whatever the policy', () => {
  const ranks = [0, 1].map((rank) => candidateOf(`a@${rank}`, { workerId: 'a', rank }))
  const { sentences } = explained({ policy: 'random', candidates: [...ranks, b], input: { pinnedWorkerId: 'a' } })
  expect(sentences).toContain('The request refers to a stored response, and `a` holds it: it had to go there.')
  expect(sentences.join('\n')).toMatch(/Among the ranks of that worker the configured policy chose `a@[01]`\./)
  expect(sentences.join('\n')).toContain(
    '`b` was left out, `not_pinned`: what the request refers to is held by another',
  )
})

test('a policy of an operator’s own is explained by its scores and parts', () => {
  const own = builtIn('random')
  const { sentences } = explained({
    policy: {
      ...own,
      name: 'mine',
      score: ({ candidates }) =>
        candidates.map(({ id }, at) =>
          id === 'c' ? { score: null, veto: 'full moon' } : { score: at, parts: { mood: at / 3 } },
        ),
    },
    candidates: [a, b, c],
  })
  expect(sentences).toContain('`b` had the best score, 1 (`mood` 0.3333).')
  expect(sentences).toContain('`a` had the score 0 (`mood` 0); `b`, which was chosen, had 1.')
  expect(sentences).toContain('`c` was left out, the policy’s own veto `full moon`.')
})

test.each([...BUILT_IN_POLICIES.keys()])(
  '%s: the only candidate, and a fleet of hundreds, are told in few sentences',
  (policy) => {
    expect(explained({ policy, candidates: [a] }).sentences.join('\n')).toMatch(/`a` was the only one left/)
    const { sentences, table } = explained({ policy, candidates: fleetOf(300) })
    expect(sentences.length).toBeLessThan(20)
    expect((table?.rows.length ?? 0) + (table?.omitted ?? 0)).toBe(300)
  },
)

// Families of labels: whom a rule's labels match, what a chat model is given, and what is not known.

import { describe, expect, test } from 'vitest'
import type { LabelServerConfig } from '../config/config.ts'
import type { RequestView } from '../routing/signals/signal.ts'
import { failure } from '../upstream/json-service.ts'
import type { LabelQuestion, Labels } from '../upstream/labels.ts'
import { labelFamilies, labelSource } from './label-sources.ts'

const RULES = {
  embeddings: [],
  domains: [{ name: 'sciences', mmlu_categories: ['math', 'Computer Science'] }, { name: 'law' }],
  fact_check: [{ name: 'needs_fact_check' }],
  user_feedbacks: [{ name: 'wrong_answer' }],
  preferences: [{ name: 'creative', description: 'wants a story', examples: ['Write a poem'] }],
}

const SERVER: LabelServerConfig = {
  kind: 'classify',
  url: 'http://c.test',
  model: 'm',
  apiKey: null,
  timeoutMs: 500,
  labels: null,
  threshold: 0.5,
}

const view = (text: string, roles: readonly string[] = ['user']) =>
  ({ text, messages: roles.map((role) => ({ role })) }) as unknown as RequestView // all that sources look at

type Family = ReturnType<typeof labelFamilies>[number]['family']

async function ask(
  family: Family,
  answer: Labels,
  given: { server?: Partial<LabelServerConfig>; view?: RequestView } = {},
) {
  const questions: LabelQuestion[] = []
  const found = labelFamilies(RULES).find((each) => each.family === family)
  if (found === undefined) throw new Error(`no family ${family}`)
  const source = labelSource(found, {
    server: { ...SERVER, ...given.server },
    labeller: {
      async ask(question) {
        questions.push(question)
        return answer
      },
    },
    waitUntil() {},
    clientSignal: new AbortController().signal,
  })
  const outcomes = await source.ask(given.view ?? view('why?'), source.names, new AbortController().signal)
  return { outcomes, questions, kinds: Object.fromEntries([...outcomes].map(([name, { kind }]) => [name, kind])) }
}

const labels = (scores: Readonly<Record<string, number>>): Labels => ({
  kind: 'labels',
  labels: Object.entries(scores).map(([label, score]) => ({ label, score })),
})
const said = (text: string): Labels => ({ kind: 'labels', labels: [{ label: text, score: 1 }] })

test('families without rules are nobody to ask', () => {
  expect(labelFamilies({ ...RULES, domains: [], preferences: [] }).map(({ family }) => family)).toEqual([
    'fact_check',
    'user_feedback',
  ])
})

describe('a classifier', () => {
  test.each<[string, Readonly<Record<string, number>>, object]>([
    ['any label of a rule', { computer_science: 0.6, law: 0.4 }, { sciences: 'matched', law: 'not_matched' }],
    ['exactly enough', { math: 0.5, law: 0.5 }, { sciences: 'matched', law: 'matched' }],
    ['a rule without labels of its own', { Law: 0.9, math: 0.1 }, { sciences: 'not_matched', law: 'matched' }],
    ['none of them', { biology: 1 }, { sciences: 'not_matched', law: 'not_matched' }],
    // The likeliest has 0.4: no other can have 0.5.
    ['the likeliest alone, which is not enough', { math: 0.4 }, { sciences: 'not_matched', law: 'not_matched' }],
  ])('%s', async (_, scores, kinds) => {
    expect((await ask('domain', labels(scores))).kinds).toEqual(kinds)
  })

  test('a label that it did not name may have enough where little is enough', async () => {
    const { outcomes } = await ask('domain', labels({ math: 0.6 }), { server: { threshold: 0.2 } })
    expect(outcomes.get('sciences')?.kind).toBe('matched')
    expect(outcomes.get('law')).toEqual({ kind: 'unknown', because: 'label_not_named' })
  })

  test('a failure is unknown for every rule, in its word', async () => {
    const { outcomes } = await ask('domain', failure('breaker_open', 'it failed'))
    expect([...outcomes.values()]).toEqual(Array(2).fill({ kind: 'unknown', because: 'breaker_open' }))
  })
})

describe('a chat model', () => {
  const chat = { server: { kind: 'chat' as const } }

  test('is given every label once, with what operators say of it, and a way out', async () => {
    const { questions, kinds } = await ask('preference', said('{"route": "creative"}'), chat)
    expect(questions[0]?.choices).toEqual([
      { label: 'creative', description: 'wants a story; such as "Write a poem"' },
      { label: 'other', description: 'none of these' },
    ])
    expect(kinds).toEqual({ creative: 'matched' })
    const facts = await ask('fact_check', said('no_fact_check_needed'), chat)
    expect(facts.questions[0]?.choices.map(({ label }) => label)).toEqual(['needs_fact_check', 'no_fact_check_needed'])
    expect(facts.kinds).toEqual({ needs_fact_check: 'not_matched' })
  })

  test('that names none of them is not known', async () => {
    const { outcomes } = await ask('preference', said('Certainly! Here is a poem.'), chat)
    expect(outcomes.get('creative')).toEqual({ kind: 'unknown', because: 'bad_answer' })
  })
})

test('nothing is asked of a text that is none, or of an answer that was not given', async () => {
  const answer = labels({ wrong_answer: 1 })
  const first = await ask('user_feedback', answer)
  expect([first.questions, first.kinds]).toEqual([[], { wrong_answer: 'not_matched' }])
  const later = await ask('user_feedback', answer, { view: view('that is wrong', ['user', 'assistant', 'user']) })
  expect(later.kinds).toEqual({ wrong_answer: 'matched' })
  expect((await ask('domain', labels({ math: 1 }), { view: view(' ') })).questions).toEqual([])
})

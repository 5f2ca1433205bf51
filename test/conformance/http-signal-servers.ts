// Signals that take a server, over HTTP: what vectors and labels say decides the model, and what can't be had in time is
// unknown, never "not matched".

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postJson } from '../support/ask.ts'
import { type EmbeddingsBehaviour, type EmbeddingsServer, startEmbeddingsServer } from '../support/embeddings-server.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

const MATHS = 'What is the derivative of the polynomial, and how do I solve the equation?'
const RESET = 'How can I reset the password of my account?'
const WRONG = 'That answer is wrong, this is incorrect'
const POEM = 'Write a poem about the sea, a short story would do as well'
const FACT = 'When was the capital city founded, in which year?'
const WEATHER = 'Sunny spells, light winds'

const SUBJECTS = {
  math: 'What is the derivative of the polynomial? Solve the equation. Prove the theorem.',
  'computer science': 'Write a python function. Fix the bug in my code.',
  other: 'Sunny spells, light winds, password account answer poem capital city',
}
const FACTS = {
  FACT_CHECK_NEEDED: 'When was the capital city founded? In which year?',
  NO_FACT_CHECK_NEEDED: 'Write, solve, sunny',
}
const FEEDBACK = {
  wrong_answer: 'That answer is wrong. This is incorrect.',
  satisfied: 'Thanks, that was perfect and helps a lot',
  other: 'What is the derivative? Write. Sunny.',
}
const WISHES = {
  creative: 'Write a poem. A short story.',
  other: 'Reset password derivative equation sunny wrong capital',
}

const DECISIONS = ['maths', 'support', 'corrections', 'poems', 'facts'] as const

interface Servers {
  readonly vectors: EmbeddingsServer
  readonly subjects: EmbeddingsServer
  readonly facts: EmbeddingsServer
  readonly feedback: EmbeddingsServer
  readonly wishes: EmbeddingsServer
}

/** Far longer than a breaker stays open, or an attempt at candidates waits. */
const HEALS_MS = 60_000

export function signalServersConformance(runtime: RuntimeName): void {
  describe(`signal servers on ${runtime}`, () => {
    let started: Servers | null = null
    const servers = () => {
      if (started === null) throw new Error('the servers have not been started')
      return started
    }
    beforeAll(async () => {
      started = {
        vectors: await startEmbeddingsServer(),
        subjects: await startEmbeddingsServer({ labels: SUBJECTS }),
        facts: await startEmbeddingsServer({ labels: FACTS }),
        feedback: await startEmbeddingsServer({ labels: FEEDBACK }),
        wishes: await startEmbeddingsServer({ labels: WISHES }),
      }
    })
    afterAll(() => Promise.all(Object.values(started ?? {}).map((server: EmbeddingsServer) => server.close())))
    const fleet = liveFleet<'one'>(runtime, {
      workers: { one: { models: ['plain', ...DECISIONS] } },
      config: ({ one }) => ({
        workers: [{ id: 'one', url: one, models: ['plain', ...DECISIONS] }],
        default_model: 'plain',
        auto_models: ['auto'],
        // What a slow server is cut off by is its own time.
        signal_timeout_ms: 20_000,
        signal_servers: {
          embedding: { url: servers().vectors.url, model: 'hashed', timeout_ms: 3_000 },
          domain: {
            url: servers().subjects.url,
            model: 'subjects',
            api_key: 'sk-subjects',
            timeout_ms: 3_000,
            labels: Object.keys(SUBJECTS),
          },
          fact_check: { url: servers().facts.url, timeout_ms: 3_000 },
          user_feedback: { url: `${servers().feedback.url}/v1`, type: 'chat', model: 'tiny', timeout_ms: 3_000 },
          preference: { url: servers().wishes.url, model: 'tiny', timeout_ms: 3_000 },
        },
        signals: {
          embeddings: [
            { name: 'support', threshold: 0.4, candidates: ['How do I reset my password?', 'Delete my account'] },
          ],
          domains: [{ name: 'sciences', mmlu_categories: ['math', 'physics'] }],
          fact_check: [{ name: 'needs_fact_check' }],
          user_feedbacks: [{ name: 'wrong_answer' }],
          preferences: [{ name: 'creative', description: 'wants a story or a poem' }],
        },
        decisions: [
          decision('support', 'embedding', 'support'),
          decision('corrections', 'user_feedback', 'wrong_answer'),
          decision('maths', 'domain', 'sciences'),
          decision('poems', 'preference', 'creative'),
          decision('facts', 'fact_check', 'needs_fact_check'),
        ],
      }),
    })
    matches(fleet, servers)
    unknowns(fleet, servers)
  })
}

function decision(name: (typeof DECISIONS)[number], type: string, signal: string): object {
  const rules = { operator: 'AND', conditions: [{ type, name: signal }] }
  return { name, priority: 10 - DECISIONS.indexOf(name), rules, modelRefs: [{ model: name }] }
}

interface Reading {
  readonly is: string
  readonly because: string
}

let asked = 0

async function ask(fleet: LiveFleet<'one'>, text: string, before: readonly object[] = []) {
  asked += 1
  const id = `signal-server-${asked}`
  const messages = [...before, { role: 'user', content: text }]
  const answer = await postJson(
    `${fleet.url}/v1/chat/completions`,
    { model: 'auto', messages, max_tokens: 2 },
    { 'x-request-id': id },
  )
  expect(answer.status, answer.text).toBe(200)
  const record = await fleet.router.record((each) => each['request_id'] === id)
  return {
    decision: answer.headers.get('x-vsr-selected-decision'),
    model: answer.headers.get('x-vllm-router-model'),
    readings: record['signal_readings'] as Readonly<Record<string, Reading>>,
    steps: record['steps'] as readonly { step: string; outcome: string }[],
  }
}

function matches(fleet: LiveFleet<'one'>, servers: () => Servers): void {
  const turn = [
    { role: 'user', content: 'Which is the longest river?' },
    { role: 'assistant', content: 'The Thames.' },
  ]

  test('vectors of candidates are there soon', async () => {
    await until(
      async () => (await ask(fleet, RESET)).decision === 'support',
      HEALS_MS,
      () => 'never decided',
    )
  })

  test.each<[string, string, string | null, readonly object[]]>([
    ['near the candidates of a rule', RESET, 'support', []],
    ['a class of the classifier that stands for the rule', MATHS, 'maths', []],
    ['a label under the name that published classifiers have', FACT, 'facts', []],
    ['a label that a chat model names, after an answer', WRONG, 'corrections', turn],
    ['a route that a chat model names', POEM, 'poems', []],
    ['none of them', WEATHER, null, []],
  ])('%s', async (_, text, decided, before) => {
    const { decision, model, readings } = await ask(fleet, text, before)
    expect({ decision, readings }).toMatchObject({ decision: decided })
    expect(model).toBe(decided ?? 'plain')
    expect(Object.values(readings).map(({ is }) => is)).not.toContain('unknown')
    expect(JSON.stringify(readings)).not.toContain(text)
  })

  test('without an answer before it nothing is said of one, and nobody is asked', async () => {
    const questions = servers().feedback.questions().length
    const { readings } = await ask(fleet, `${WRONG} altogether`)
    expect(readings['user_feedback:wrong_answer']?.is).toBe('not_matched')
    expect(servers().feedback.questions()).toHaveLength(questions)
  })

  test('a text that comes again asks nobody; keys and models are those of the server', async () => {
    const count = () =>
      Object.values(servers()).reduce((sum, server: EmbeddingsServer) => sum + server.questions().length, 0)
    await ask(fleet, `${MATHS} Again.`, turn)
    const before = count()
    expect((await ask(fleet, `${MATHS} Again.`, turn)).decision).toBe('maths')
    expect(count()).toBe(before)
    const [question] = servers().subjects.questions('/classify')
    expect(question).toMatchObject({ key: 'Bearer sk-subjects', body: { model: 'subjects' } })
    expect(servers().wishes.questions('/v1/chat/completions')[0]?.body).toMatchObject({ model: 'tiny', temperature: 0 })
    expect(JSON.stringify(servers().wishes.questions()[0]?.body)).toContain('wants a story or a poem')
  })
}

function unknowns(fleet: LiveFleet<'one'>, servers: () => Servers): void {
  test.each<[EmbeddingsBehaviour, string]>([
    ['never', 'timeout'],
    ['status-500', 'unreachable'],
    ['bad-json', 'bad_answer'],
  ])('servers that answer %s: unknown in the record, and the request is served', async (behaviour, because) => {
    for (const server of Object.values<EmbeddingsServer>(servers() as never)) server.behave(behaviour)
    const text = `${POEM} (${behaviour})`
    const { decision, model, readings } = await ask(fleet, text, [{ role: 'assistant', content: 'Yes.' }])
    expect(decision).toBeNull()
    expect(model).toBe('plain')
    expect(Object.keys(readings)).toHaveLength(DECISIONS.length)
    for (const reading of Object.values(readings)) expect(reading).toMatchObject({ is: 'unknown', because })
    for (const server of Object.values<EmbeddingsServer>(servers() as never)) server.behave('well')
    // One that failed is asked again at once: a breaker opens after several.
    expect((await ask(fleet, text, [{ role: 'assistant', content: 'Yes.' }])).decision).toBe('poems')
  })

  test('one that is down takes none of the others with it', async () => {
    servers().subjects.behave('reset')
    const { decision, readings } = await ask(fleet, `${RESET} Please.`)
    expect(decision).toBe('support')
    expect(readings['domain:sciences']?.is).toBe('unknown')
    servers().subjects.behave('well')
  })

  // The last of them: nobody is asked for a while from here on.
  test('a classifier that keeps failing is left alone, and its signals say so', async () => {
    servers().subjects.behave('status-500')
    const because = async (text: string) => (await ask(fleet, text)).readings['domain:sciences']?.because
    let turn = 0
    await until(
      async () => (await because(`${MATHS} Turn ${(turn += 1)}.`)) === 'breaker_open',
      HEALS_MS,
      () => 'the breaker never opened',
    )
    const questions = servers().subjects.questions().length
    expect(await because(`${MATHS} At last.`)).toBe('breaker_open')
    expect(servers().subjects.questions()).toHaveLength(questions)
    servers().subjects.behave('well')
  })
}

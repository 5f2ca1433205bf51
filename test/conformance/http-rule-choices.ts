// Model rules over HTTP, second half: conditions, splits, chains, names that lead to nobody, and lists of models.

import { expect, test } from 'vitest'
import type { DecisionRecord } from '../../src/record/schema.ts'
import { drawSplit, splitSeed } from '../../src/routing/model-rules.ts'
import { ask, chatBody, expectAnthropicRefusal, expectExplained, expectRefusal, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import type { LiveFleet } from '../support/live-fleet.ts'

const CHAT = '/v1/chat/completions'

export type RulesWorker = 'big' | 'first' | 'second' | 'pair' | 'dying'
export type RulesFleet = LiveFleet<RulesWorker>

/** Posts JSON to the router, a chat request unless the path says otherwise. */
export function rulesPoster(fleet: RulesFleet) {
  return (body: unknown, headers: Record<string, string> = {}, path = CHAT) => postJson(fleet.url + path, body, headers)
}

/** Which of several models a request goes to. */
export function ruleChoices(fleet: RulesFleet, runtime: RuntimeName): void {
  const post = rulesPoster(fleet)

  test('a condition on a header holds for exactly that value', async () => {
    const models = []
    for (const headers of [{ 'x-tier': 'free' }, { 'x-tier': 'Free' }, {}] as Record<string, string>[]) {
      models.push((await post(chatBody('gpt-4o'), headers)).json().model)
    }
    expect(models).toEqual(['second', 'org/big', 'org/big'])
  })

  test('a split keeps each session on one model, uses all that are up, and none that is not', async () => {
    const chosen = new Map<string, Set<string>>()
    for (let turn = 0; turn < 48; turn += 1) {
      const session = `${runtime}-${turn % 16}`
      const { status, headers } = await post(chatBody('split'), { 'x-session-id': session })
      expect(status).toBe(200)
      const models = chosen.get(session) ?? new Set()
      chosen.set(session, models.add(headers.get('x-vllm-router-model') ?? ''))
    }
    for (const models of chosen.values()) expect(models.size).toBe(1)
    expect(new Set([...chosen.values()].flatMap((models) => [...models]))).toEqual(new Set(['blue', 'green']))
  })

  test('a split is in the record, so that it can be drawn again', async () => {
    for (const [session, source] of [
      [`${runtime}-recorded`, 'header:x-session-id'],
      [null, 'prompt'],
    ] as const) {
      const id = `${runtime}-split-${source}`.replace(':', '-')
      const headers = { 'x-request-id': id, ...(session === null ? {} : { 'x-session-id': session }) }
      const answer = await post(chatBody('split'), headers)
      const record = await fleet.router.record((each) => each['request_id'] === id)
      expect(record).toMatchObject({ rule: 'split', split: { weights: { blue: 1, green: 1 }, affinity: { source } } })
      expect(record).toMatchObject({ session_id: splitOf(record).affinity?.hash })
      const { weights, affinity } = splitOf(record)
      expect(Object.keys(weights).sort()).toEqual(['blue', 'green'])
      const shares = Object.entries(weights).map(([model, weight]) => ({ model, weight }))
      const drawn = drawSplit('split', { shares, session: affinity ?? null }, 0)
      expect(answer.headers.get('x-vllm-router-model')).toBe(drawn[0])
    }
  })

  test('a split without a session goes by the decision id', async () => {
    const id = `${runtime}-split-alone`
    const answer = await post({ model: 'split', prompt: '' }, { 'x-request-id': id }, '/v1/completions')
    const record = await fleet.router.record((each) => each['request_id'] === id)
    expect(record).toMatchObject({ split: { weights: { blue: 1, green: 1 } } })
    expect(splitOf(record)).not.toHaveProperty('affinity')
    const shares = Object.entries(splitOf(record).weights).map(([model, weight]) => ({ model, weight }))
    const drawn = drawSplit('split', { shares, session: null }, splitSeed(String(record['decision_id'])))
    expect(answer.headers.get('x-vllm-router-model')).toBe(drawn[0])
  })

  test.each([
    ['to-nobody', 'nobody'],
    ['to-ghost', 'ghost'],
    ['exhausted', 'exhausted'],
  ])('%s leads to nobody: 503 with Retry-After, not 404', async (name, model) => {
    const answer = await post(chatBody(name))
    expectRefusal(answer, 'no_worker')
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expectExplained(answer, { worker: null, model, attempts: '0' })
    expectAnthropicRefusal(await post(chatBody(name), {}, '/v1/messages'), 'no_worker', 'overloaded_error')
  })
}

function splitOf(record: Readonly<Record<string, unknown>>) {
  return record['split'] as NonNullable<DecisionRecord['split']>
}

/** What GET /v1/models makes of rules. */
export function ruledModelLists(fleet: RulesFleet): void {
  const listed = async (headers: Record<string, string> = {}) => {
    const { data } = (await ask(`${fleet.url}/v1/models`, { headers })).json()
    return new Map<string, Record<string, unknown>>(data.map((entry: { id: string }) => [entry.id, entry]))
  }

  test('the list has the aliases with what is behind them, after the workers’ own models', async () => {
    const models = await listed()
    const served = ['org/big', 'first', 'second', 'blue', 'green', 'dying']
    const names = ['gpt-4o', 'chain', 'split', 'to-nobody', 'to-ghost', 'exhausted', 'rescued']
    expect([...models.keys()].slice(0, served.length).sort()).toEqual([...served].sort())
    expect([...models.keys()].slice(served.length)).toEqual(names)
    const alias = { id: 'gpt-4o', object: 'model', owned_by: 'router', root: 'org/big', parent: null }
    const { created, max_model_len: length } = models.get('org/big') ?? {}
    expect(models.get('gpt-4o')).toEqual({ ...alias, created, max_model_len: length })
    const roots = names.map((name) => models.get(name)?.['root'])
    expect(roots).toEqual(['org/big', 'first', 'blue', 'nobody', 'ghost', 'ghost', 'dying'])
  })

  test('a list asked for under a condition is the list that holds then', async () => {
    expect((await listed({ 'x-tier': 'free' })).get('gpt-4o')).toMatchObject({ root: 'second' })
  })

  test('one alias by its id; a pattern is no model', async () => {
    const found = await ask(`${fleet.url}/v1/models/gpt-4o`)
    expect(found.json()).toMatchObject({ id: 'gpt-4o', object: 'model', owned_by: 'router', root: 'org/big' })
    expectRefusal(await ask(`${fleet.url}/v1/models/openai/gpt-5`), 'model_not_found')
  })
}

/** Workers that die. */
export function ruleFailures(fleet: RulesFleet, runtime: RuntimeName): void {
  const post = rulesPoster(fleet)

  test('a chain moves on when the first model’s workers die, and back when they live', async () => {
    const model = async () => (await post(chatBody('chain'))).headers.get('x-vllm-router-model')
    expect(await model()).toBe('first')
    await fleet.worker('first').setFaults({ refuse: true })
    await until(
      async () => (await model()) === 'second',
      8_000,
      () => 'stayed with the dead',
    )
    const answer = await post(chatBody('chain'))
    expectExplained(answer, { worker: 'second', model: 'second', attempts: '1' })
    expect(answer.json().model).toBe('second')
    await fleet.worker('first').setFaults([])
    await until(
      async () => (await model()) === 'first',
      8_000,
      () => 'never came back',
    )
  })

  test('on_failure: after a failed attempt the next model is tried, with its own name in the body', async () => {
    await fleet.worker('dying').setFaults({ die_before_headers: true })
    const id = `${runtime}-rescued`
    const answer = await post(chatBody('rescued'), { 'x-request-id': id })
    expect(answer.status, answer.text).toBe(200)
    expectExplained(answer, { worker: 'second', model: 'second', attempts: '2' })
    const tried = (name: RulesWorker) =>
      fleet
        .worker(name)
        .state()
        .requests.filter(({ headers }) => headers['x-request-id']?.startsWith(id))
    expect(tried('dying').map(({ body }) => JSON.parse(body).model)).toEqual(['dying'])
    expect(tried('second').map(({ body }) => JSON.parse(body).model)).toEqual(['second'])
  })
}

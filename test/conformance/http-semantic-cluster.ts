// Semantic clusters over HTTP, with an embeddings server whose similarity means something: who takes what, and what becomes
// of requests while the server is down, slow or has another model.

import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answered, ask, postJson } from '../support/ask.ts'
import { type EmbeddingsServer, startEmbeddingsServer } from '../support/embeddings-server.ts'
import { launchRouter, type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

const CHAT = '/v1/chat/completions'
const MATHS = 'Solve this equation: what is the derivative of the polynomial x squared?'
const CODE = 'Write a unit test in python that checks this function of my code'
const PROOF = 'Prove the theorem about natural numbers: give a rigorous proof by induction'
const LETTER = 'Draft a friendly letter to my landlord'
const RECIPE = 'Recipe with tomatoes, garlic, olive oil'

const EXAMPLES = {
  maths: ['Solve the equation for x', 'What is the derivative of this polynomial?', 'Prove a theorem about numbers'],
  code: ['Write a python function', 'Fix the bug in my code', 'Write a unit test for this function'],
  proofs: ['Give a proof of the theorem by induction', 'A rigorous proof over the natural numbers'],
  letters: ['Draft a letter to the landlord', 'Compose a friendly letter'],
}

type WorkerName = 'adder' | 'coder' | 'prover' | 'clerk'
type Fleet = LiveFleet<WorkerName>

/** Longer than any of this takes, three times over: attempts are a second apart at first, half a minute in the end. */
const HEALS_MS = 60_000

export function semanticClusterConformance(runtime: RuntimeName): void {
  describe(`semantic clusters on ${runtime}`, () => {
    let server: EmbeddingsServer | null = null
    const embeddings = () => {
      if (server === null) throw new Error('the embeddings server has not been started')
      return server
    }
    beforeAll(async () => {
      server = await startEmbeddingsServer()
      // The router starts first.
      await server.stop()
    })
    afterAll(() => server?.close())
    const fleet = liveFleet<WorkerName>(runtime, {
      workers: {
        adder: { models: ['m'] },
        coder: { models: ['m'] },
        prover: { models: ['other'] },
        clerk: { models: ['m'] },
      },
      config: (urls) => ({
        workers: [
          { id: 'adder', url: urls.adder, models: ['m'] },
          { id: 'coder', url: urls.coder, models: ['m'], labels: { tier: 'code', zone: 'a' } },
          { id: 'prover', url: urls.prover, models: ['other'] },
          { id: 'clerk', url: urls.clerk, models: ['m'] },
        ],
        semantic_cluster: {
          embeddings_url: embeddings().url,
          embeddings_api_key: 'sk-embeddings',
          embeddings_model: 'hashed',
          threshold: 0.3,
          embedding_timeout_ms: 3_000,
          clusters: [
            { name: 'maths', examples: EXAMPLES.maths, workers: [urls.adder] },
            { name: 'code', examples: EXAMPLES.code, labels: { tier: 'code' } },
            { name: 'proofs', examples: EXAMPLES.proofs, workers: ['prover'] },
            { name: 'letters', examples: EXAMPLES.letters, workers: ['adder', 'clerk'] },
          ],
        },
      }),
    })
    // In this order: what one leaves behind, the next begins with.
    downAtStart(fleet, embeddings)
    choices(fleet, embeddings)
    within(fleet)
    explained(fleet)
    otherModel(fleet, embeddings)
    if (runtime !== 'workerd') begunLater(runtime, fleet, embeddings)
    troubled(fleet, embeddings)
    retried(fleet)
  })
}

type Ask = () => EmbeddingsServer

let asked = 0

async function chat(fleet: Fleet, text: string, more: object = {}, headers: Readonly<Record<string, string>> = {}) {
  asked += 1
  const id = `cluster-${process.pid}-${asked}`
  const body = { model: 'm', messages: [{ role: 'user', content: text }], max_tokens: 2, ...more }
  const answer = await postJson(fleet.url + CHAT, body, { ...headers, 'x-request-id': id })
  expect(answer.status, answer.text).toBe(200)
  return { answer, id, cluster: clusterOf(answer), worker: answer.headers.get('x-vllm-router-worker') }
}

function clusterOf({ headers }: Answered): string | null {
  const cluster = headers.get('x-vllm-router-cluster')
  expect(headers.get('x-vllm-router-method')).toBe(cluster === null ? 'policy' : 'cluster')
  expect(headers.get('x-vllm-router-policy')).toBe(cluster === null ? 'round_robin' : null)
  return cluster
}

async function stats(fleet: Fleet): Promise<ReturnType<typeof JSON.parse>> {
  return (await ask(`${fleet.url}/admin/stats`)).json()['semantic_cluster']
}

async function recordOf(fleet: Fleet, id: string): Promise<Record<string, unknown>> {
  return fleet.router.record((record) => record['request_id'] === id)
}

function downAtStart(fleet: Fleet, embeddings: Ask): void {
  test('a server that is down at start: requests are answered, it is told, and heals by itself', async () => {
    const { cluster, id } = await chat(fleet, CODE)
    expect(cluster).toBeNull()
    expect(await recordOf(fleet, id)).toMatchObject({
      method: 'policy',
      steps: expect.arrayContaining([expect.objectContaining({ step: 'embedding', outcome: 'unreachable' })]),
    })
    await until(
      async () => (await stats(fleet)).state === 'failing',
      HEALS_MS,
      () => 'never told as failing',
    )
    expect((await stats(fleet)).why).toMatch(/^unreachable: /)
    await until(
      () => /"event":"embeddings".*"failing"/.test(fleet.router.output()),
      HEALS_MS,
      () => 'nothing in the log',
    )
    await embeddings().start()
    await until(
      async () => (await chat(fleet, CODE)).cluster === 'code',
      HEALS_MS,
      () => 'never healed',
    )
    expect(await stats(fleet)).toEqual({ state: 'ready', dimensions: 256, refused_examples: 0, why: null })
  })
}

function choices(fleet: Fleet, embeddings: Ask): void {
  test.each([
    [MATHS, 'maths', 'adder'],
    [CODE, 'code', 'coder'],
    // Nearer to the proofs, whose worker does not serve the model.
    [PROOF, 'maths', 'adder'],
  ])('%s: cluster %s', async (text, cluster, worker) => {
    for (const more of [{}, { stream: true }]) {
      const forged = { 'x-semantic-cluster-id': 'forged', 'x-vllm-router-cluster': 'forged' }
      const chosen = await chat(fleet, text, more, forged)
      expect(chosen).toMatchObject({ cluster, worker })
      const { headers } = fleet.call(chosen.id)
      expect([headers['x-semantic-cluster-id'], headers['x-vllm-router-cluster']]).toEqual([cluster, cluster])
      expect(await recordOf(fleet, chosen.id)).toMatchObject({ method: 'cluster', cluster, policy: 'round_robin' })
    }
  })

  test('a request that is near to none goes anywhere, and its header passes', async () => {
    const workers = new Set<string | null>()
    const everybody = ['adder', 'clerk', 'coder']
    const asksOnce = async () => {
      const given = { 'x-semantic-cluster-id': 'given', 'x-vllm-router-cluster': 'given' }
      const { cluster, worker, id } = await chat(fleet, RECIPE, {}, given)
      expect(cluster).toBeNull()
      const { headers } = fleet.call(id)
      expect([headers['x-semantic-cluster-id'], headers['x-vllm-router-cluster']]).toEqual(['given', undefined])
      workers.add(worker)
      return everybody.every((name) => workers.has(name))
    }
    await until(asksOnce, HEALS_MS, () => `only ${[...workers].join(', ')} got some`)
  })

  test('the newest message of the user counts', async () => {
    const messages = [
      { role: 'system', content: MATHS },
      { role: 'user', content: MATHS },
      { role: 'assistant', content: MATHS },
      { role: 'user', content: [{ type: 'text', text: CODE }] },
    ]
    expect((await chat(fleet, '', { messages })).cluster).toBe('code')
  })

  test.each([
    ['/v1/completions', { model: 'm', prompt: CODE, max_tokens: 2 }],
    ['/v1/messages', { model: 'm', max_tokens: 2, messages: [{ role: 'user', content: CODE }] }],
    ['/v1/responses', { model: 'm', input: CODE, max_output_tokens: 16 }],
    ['/v1/embeddings', { model: 'm', input: [CODE] }],
    ['/rerank', { model: 'm', query: CODE, documents: ['a', 'b'] }],
  ])('%s has clusters too', async (path, body) => {
    const answer = await postJson(fleet.url + path, body)
    expect(answer.headers.get('x-vllm-router-cluster'), answer.text).toBe('code')
  })

  test('a cluster whose workers are drained is passed over', async () => {
    await postJson(`${fleet.url}/admin/drain`, { url: fleet.worker('coder').url, timeout_secs: 0 })
    try {
      await until(
        async () => (await chat(fleet, CODE)).worker !== 'coder',
        HEALS_MS,
        () => 'it is never drained',
      )
      expect((await chat(fleet, CODE)).cluster).toBeNull()
    } finally {
      await postJson(`${fleet.url}/admin/undrain`, { url: fleet.worker('coder').url })
    }
    await until(
      async () => (await chat(fleet, CODE)).cluster === 'code',
      HEALS_MS,
      () => 'it never comes back',
    )
  })

  test('examples are asked for once, a text that comes again not at all, with the key and the model', async () => {
    const text = `${CODE}, please`
    for (let round = 0; round < 3; round += 1) await chat(fleet, text)
    const texts = embeddings().texts()
    expect(texts.filter((each) => each === text)).toHaveLength(1)
    for (const example of Object.values(EXAMPLES).flat())
      expect(texts.filter((each) => each === example)).toHaveLength(1)
    const questions = embeddings().questions()
    expect(new Set(questions.map(({ key }) => key))).toEqual(new Set(['Bearer sk-embeddings']))
    expect(new Set(questions.map(({ body }) => body['model']))).toEqual(new Set(['hashed']))
  })
}

function within(fleet: Fleet): void {
  test('the policy chooses within the cluster: its workers take turns, streams or not', async () => {
    const chosen: (string | null)[] = []
    while (chosen.length < 10) {
      const { cluster, worker } = await chat(fleet, LETTER, { stream: chosen.length % 4 < 2 })
      expect(cluster).toBe('letters')
      chosen.push(worker)
    }
    // Isolates lease turns in blocks, so the rotation may jump once where one block ends and the next begins.
    for (const name of ['adder', 'clerk']) {
      expect(chosen.filter((worker) => worker === name).length, chosen.join(' ')).toBeGreaterThanOrEqual(4)
    }
  })
}

function explained(fleet: Fleet): void {
  test('a dry run and a record say which cluster and how near', async () => {
    const request = { model: 'm', messages: [{ role: 'user', content: CODE }] }
    const dry = await postJson(`${fleet.url}/admin/explain`, { body: request })
    expect(dry.json().record).toMatchObject({ method: 'cluster', cluster: 'code', worker: 'coder' })
    expect(dry.text).toMatch(/within the cluster `code`/)
    const { answer, id } = await chat(fleet, PROOF)
    const record = await recordOf(fleet, id)
    const ranked = (record['clusters'] as { ranked: { name: string; similarity: number }[] }).ranked
    expect(ranked.map(({ name }) => name).slice(0, 2)).toEqual(['proofs', 'maths'])
    const told = await ask(`${fleet.url}/admin/explain/${answer.headers.get('x-vllm-router-decision-id')}`)
    expect(told.text).toMatch(/`proofs` had nobody for it/)
    expect(told.text).not.toContain('rigorous')
  })
}

function otherModel(fleet: Fleet, embeddings: Ask): void {
  test('vectors of another length are told, and the examples computed anew', async () => {
    embeddings().resize(192)
    // From here on as base64, which is what some servers give unasked.
    embeddings().encodeAsBase64()
    const { cluster, id } = await chat(fleet, `${CODE} again`)
    expect(cluster).toBeNull()
    expect(await recordOf(fleet, id)).toMatchObject({
      steps: expect.arrayContaining([expect.objectContaining({ step: 'clusters', outcome: 'dimension_mismatch' })]),
    })
    await fleet.router.told(/"event":"embeddings".*192 numbers/)
    await until(
      async () => (await chat(fleet, `${CODE} again`)).cluster === 'code',
      HEALS_MS,
      () => 'never healed',
    )
    expect(await stats(fleet)).toMatchObject({ state: 'ready', dimensions: 192, why: null })
  })
}

/** What is kept by objects between isolates, test/workerd/reference-vectors.test.ts has; a local workerd forgets at its end. */
function begunLater(runtime: RuntimeName, fleet: Fleet, embeddings: Ask): void {
  test('a process that begins later asks for no example', async () => {
    const ending = '.vectors.json'
    const read = () => readFile(fleet.router.configPath + ending, 'utf8').catch(() => '')
    // Those of the length that the server has by now: 192 numbers of four bytes.
    await until(
      async () => /"vector":"[^"]{1024}"/.test(await read()),
      HEALS_MS,
      () => 'no vectors were kept',
    )
    expect(await read()).not.toContain(EXAMPLES.code[0])
    const config = await readFile(fleet.router.configPath, 'utf8')
    const later = await launchRouter(runtime, { config, besides: { [ending]: await read() } })
    try {
      const asked = embeddings().texts().length
      const body = { model: 'm', messages: [{ role: 'user', content: `${CODE}, later` }], max_tokens: 2 }
      const answer = await postJson(later.url + CHAT, body)
      expect(clusterOf(answer)).toBe('code')
      expect(embeddings().texts().slice(asked)).toEqual([`${CODE}, later`])
    } finally {
      await later.stop()
    }
  })
}

function troubled(fleet: Fleet, embeddings: Ask): void {
  test.each([
    ['never', 'timeout'],
    ['status-500', 'unreachable'],
    ['bad-json', 'bad_answer'],
    ['wrong-count', 'bad_answer'],
  ] as const)('a server that answers %s costs a request its cluster, and nothing else', async (behaviour, outcome) => {
    embeddings().behave(behaviour)
    const { cluster, id } = await chat(fleet, `${CODE}, ${behaviour} ${outcome}`)
    expect(cluster).toBeNull()
    const { steps } = await recordOf(fleet, id)
    expect(steps).toEqual([expect.objectContaining({ step: 'embedding', outcome })])
    // Texts that are known need no server.
    expect((await chat(fleet, `${CODE} again`)).cluster).toBe('code')
    embeddings().behave('well')
    expect((await chat(fleet, `${CODE}, ${behaviour} ${outcome}`)).cluster).toBe('code')
  })
}

/** The last, as whoever has failed is left alone for a while. */
function retried(fleet: Fleet): void {
  test('a retry stays in the cluster while it has somebody, and goes on when not', async () => {
    const fail = (name: WorkerName, faults: object) => postJson(`${fleet.worker(name).url}/sim/faults`, faults)
    const failing = { status: 503, path: CHAT }
    try {
      await fail('adder', failing)
      for (let round = 0; round < 3; round += 1) {
        expect(await chat(fleet, LETTER)).toMatchObject({ cluster: 'letters', worker: 'clerk' })
      }
      await fail('clerk', failing)
      expect(await chat(fleet, LETTER)).toMatchObject({ cluster: null, worker: 'coder' })
    } finally {
      for (const name of ['adder', 'clerk'] as const) await fail(name, [])
    }
  })
}

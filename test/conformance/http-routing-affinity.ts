// consistent_hash over HTTP: where the key comes from, that it sticks, and what happens when its worker is out or full.

import { describe, expect, test } from 'vitest'
import { type RuntimeName, until } from '../support/launch.ts'
import { type RouteOptions, type RoutingBench, routingBench, tally, type WorkerName } from './routing-bench.ts'

/** Every place a key may come from, best first, with a request that has it there. */
const SOURCES: readonly (readonly [string, (key: string) => RouteOptions])[] = [
  ['header:x-semantic-cluster-id', (key) => ({ headers: { 'x-semantic-cluster-id': key } })],
  ['header:x-session-id', (key) => ({ headers: { 'x-session-id': key } })],
  ['header:x-user-id', (key) => ({ headers: { 'x-user-id': key } })],
  ['header:x-tenant-id', (key) => ({ headers: { 'x-tenant-id': key } })],
  ['header:x-correlation-id', (key) => ({ headers: { 'x-correlation-id': key } })],
  ['body:session_params.session_id', (key) => ({ body: { session_params: { session_id: key } } })],
  ['body:user', (key) => ({ body: { user: key } })],
  ['body:session_id', (key) => ({ body: { session_id: key } })],
  ['body:user_id', (key) => ({ body: { user_id: key } })],
  ['prompt', (key) => ({ prompt: `${key}: tell me more` })],
]

const KEYS = Array.from({ length: 8 }, (_, index) => `key-${index}`)

export function affinityRouting(runtime: RuntimeName): void {
  describe('consistent_hash', () => {
    const bench = routingBench(runtime, { policy: 'consistent_hash' })
    keySources(bench)
    workersOut(bench)

    test('one hot key does not sink its worker', async () => {
      const headers = { 'x-session-id': 'hot' }
      const { release } = await bench.occupy(30, { headers })
      // 1.25 times a third of what is in flight, rounded up.
      expect(Math.max(...bench.running())).toBeLessThanOrEqual(13)
      const { candidates } = await bench.route({ headers })
      expect(candidates.some(({ veto }) => veto === 'over_load_bound')).toBe(true)
      await release()
    })
  })
}

function keySources(bench: RoutingBench): void {
  test.each(SOURCES)('%s: a key keeps its worker, keys are spread, other headers do not matter', async (source, of) => {
    const homes = new Map<string, string>()
    const ask = async (key: string, round: number) => {
      const options = of(key)
      const headers = { ...options.headers, 'x-request-id': `${source.replaceAll(/\W/g, '-')}-${key}-${round}` }
      const { worker, record, status } = await bench.route({ ...options, headers })
      expect(status).toBe(200)
      expect(record['affinity']).toMatchObject({ source, hash: expect.stringMatching(/^[0-9a-f]{16}$/) })
      expect(JSON.stringify(record['affinity'])).not.toContain(key)
      expect(homes.get(key) ?? worker).toBe(worker)
      homes.set(key, worker)
    }
    for (const round of [1, 2, 3])
      for (const pair of pairsOf(KEYS)) await Promise.all(pair.map((key) => ask(key, round)))
    expect(new Set(homes.values()).size).toBeGreaterThan(1)
  })

  test('the best source counts, whatever the others say', async () => {
    for (let best = SOURCES.length - 1; best >= 0; best--) {
      const all = SOURCES.slice(best).map(([source, of]) => of(`${source} of ${best}`))
      const options: RouteOptions = {
        headers: Object.assign({}, ...all.map(({ headers }) => headers)),
        body: Object.assign({}, ...all.map(({ body }) => body)),
      }
      expect((await bench.route(options)).record['affinity']).toMatchObject({ source: SOURCES[best]?.[0] })
    }
  })

  test('a session id in the text of a prompt is no key', async () => {
    const { record } = await bench.route({ prompt: 'ignore this: "session_id": "key-1", "user": "key-2"' })
    expect(record['affinity']).toMatchObject({ source: 'prompt' })
  })

  test('a conversation stays where it began', async () => {
    const conversation = [
      { role: 'system', content: 'You are terse.' },
      { role: 'user', content: 'first question' },
      { role: 'assistant', content: 'first answer' },
      { role: 'user', content: 'second question' },
    ]
    const begun = await bench.route({ body: { messages: conversation.slice(0, 2) } })
    const gone = await bench.route({ body: { messages: conversation } })
    expect(gone.record['affinity']).toEqual(begun.record['affinity'])
    expect(gone.worker).toBe(begun.worker)
  })
}

function workersOut(bench: RoutingBench): void {
  test('a worker that is out is skipped, and its keys come back to it', async () => {
    const keyed = KEYS.map((key) => ({ headers: { 'x-session-id': key } }))
    const home = async () => bench.routeMany(keyed.length, (index) => keyed[index] ?? {})
    const before = await home()
    const [out] = Object.entries(tally(before)).sort(([, left], [, right]) => right - left)[0] ?? ['a']
    const worker = bench.fleet.worker(out as WorkerName)
    await worker.setFaults({ refuse: true })
    try {
      // Requests that find out are sent to another worker, so none fails. One more may pass on an open connection.
      let during: string[] = []
      await until(
        async () => !(during = await home()).includes(out),
        5_000,
        () => 'it was not skipped',
      )
      for (const [index, name] of before.entries()) if (name !== out) expect(during[index]).toBe(name)
      const { candidates } = await bench.route(keyed[0])
      expect(candidates.find(({ worker: id }) => id === out)?.veto).toMatch(/^(suspect|down)$/)
    } finally {
      await worker.setFaults([])
    }
    await until(
      async () => (await home()).join() === before.join(),
      5_000,
      () => 'the keys did not come back',
    )
  })
}

// Two at a time: with at most two in flight no worker is over its bound.
function pairsOf(keys: readonly string[]): (readonly string[])[] {
  return keys.flatMap((_, at) => (at % 2 === 0 ? [keys.slice(at, at + 2)] : []))
}

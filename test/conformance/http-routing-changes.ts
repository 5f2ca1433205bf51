// A fleet that changes while the router runs: workers that die, come back, or start late.

import { describe, expect, test } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { fetchWhole } from '../support/http-client.ts'
import { freePort, type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { parseEvents } from './dialect.ts'

export function fleetChanges(runtime: RuntimeName): void {
  describe('a fleet that changes', () => {
    let latePort = 0
    const fleet = liveFleet<'a' | 'b'>(runtime, {
      workers: { a: { models: ['m', 'only-a'] }, b: { models: ['m'] } },
      config: async (urls) => {
        latePort = await freePort()
        const late = { id: 'late', url: `http://127.0.0.1:${latePort}` }
        return { workers: [...Object.entries(urls).map(([id, url]) => ({ id, url })), late], policy: 'round_robin' }
      },
    })
    const ask = async (model: string) => {
      const messages = [{ role: 'user', content: 'hello' }]
      const { status, headers, text } = await fetchWhole(`${fleet.url}/v1/chat/completions`, { model, messages })
      return { status, worker: headers['x-vllm-router-worker'], retryAfter: headers['retry-after'], text }
    }
    const listed = async () => (await fetchWhole(`${fleet.url}/v1/models`, null)).text

    test('a worker that starts late is found, and so are its models', async () => {
      expect(await ask('late-model')).toMatchObject({ status: 404 })
      expect(await listed()).not.toContain('late-model')
      const late = await startSimulatedWorker({ port: latePort, models: ['late-model'] })
      await until(
        async () => (await ask('late-model')).status === 200,
        5_000,
        () => 'it was not found',
      )
      expect(await listed()).toContain('late-model')
      await late.close()
      // Its model is known by now, so this is not a 404 any more.
      await until(
        async () => (await ask('late-model')).status === 503,
        5_000,
        () => 'it did not go',
      )
    })

    test('one that dies fails nobody, is skipped, and comes back', async () => {
      const { port } = fleet.worker('a')
      await fleet.worker('a').close()
      for (let index = 0; index < 12; index++) expect(await ask('m')).toMatchObject({ status: 200, worker: 'b' })
      // Where a refused connection can't be told from a broken one, it takes a probe to be sure.
      let gone = await ask('only-a')
      await until(
        async () => (gone = await ask('only-a')).status === 503,
        5_000,
        () => `still ${gone.status}`,
      )
      expect(gone.retryAfter).toMatch(/^\d+$/)
      expect(JSON.parse(gone.text).error).toMatchObject({ code: 'no_worker' })
      await fleet.router.record((record) => /"(?:down|suspect)"/.test(JSON.stringify(record['candidates'] ?? [])))

      const again = await startSimulatedWorker({ port, models: ['m', 'only-a'] })
      await until(
        async () => (await ask('m')).worker === 'a',
        5_000,
        () => 'it did not come back',
      )
      expect(await ask('only-a')).toMatchObject({ status: 200, worker: 'a' })
      await diesInMidStream(again)
    })

    async function diesInMidStream(worker: StartedWorker): Promise<void> {
      await worker.setFaults({ stall_mid_stream: { after_events: 2 } })
      const body = { model: 'only-a', messages: [{ role: 'user', content: 'hello' }], stream: true }
      const answer = fetchWhole(`${fleet.url}/v1/chat/completions`, body)
      await until(
        () => worker.state().running === 1,
        5_000,
        () => 'the stream did not begin',
      )
      await worker.close()
      const { status, bytes } = await answer
      expect(status).toBe(200)
      expect(parseEvents(bytes).at(-1)?.data).toContain('"error"')
      expect((await ask('m')).status).toBe(200)
    }
  })
}

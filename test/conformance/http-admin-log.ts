// What a reload changes about the decision log of a process: everything but its file.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { chatBody, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

export function adminLogConformance(runtime: RuntimeName): void {
  describe(`a reload and the decision log on ${runtime}`, () => {
    let directory = ''
    const path = (name = 'decisions.jsonl') => join(directory, name)
    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m'] } },
      async config(urls) {
        directory = await mkdtemp(join(tmpdir(), 'vllm-edge-router-log-'))
        return config(urls.a, { export_path: path(), export_interval_secs: 3_600 })
      },
    })
    afterAll(() => rm(directory, { recursive: true, force: true }))
    const admin = adminClient(() => fleet.url, null)

    const config = (url: string, log: object) => {
      return { workers: [{ id: 'a', url }], decision_log: log, disable_circuit_breaker: true }
    }
    const written = async () => (await readFile(path(), 'utf8')).split('\n').filter((line) => line !== '')
    async function reload(log: object) {
      await writeFile(fleet.router.configPath, JSON.stringify(config(fleet.worker('a').url, log)))
      const reloaded = await admin.post('/admin/reload')
      expect(reloaded.status, reloaded.text).toBe(200)
      return reloaded.json()
    }
    async function chat(requestId: string): Promise<void> {
      const { status } = await postJson(`${fleet.url}/v1/chat/completions`, chatBody('m'), {
        'x-request-id': requestId,
      })
      expect(status).toBe(200)
      // Its record is made as the answer ends, which the client may see first.
      await fleet.router.record((record) => record['request_id'] === requestId)
    }

    test('its interval, what is sampled and what of a request is kept follow at once', async () => {
      await chat('before')
      expect(await written()).toEqual([])
      const settings = { export_path: path(), export_interval_secs: 0.1 }
      expect(await reload(settings)).toMatchObject({ changed: ['decision_log'], needs_restart: [] })
      await chat('after')
      await until(
        async () => (await written()).length === 2,
        10_000,
        () => 'the interval is the old one',
      )
      await reload({ ...settings, include_request_text: true })
      await chat('with-text')
      await until(
        async () => (await written()).length === 3,
        10_000,
        () => 'the log has stopped',
      )
      expect((await written()).at(-1)).toContain('"request_text"')
      // Too small a share for any of them.
      await reload({ ...settings, export_sample: 1e-9 })
      for (let at = 0; at < 5; at += 1) await chat(`sampled-${at}`)
      await reload(settings)
      await chat('last')
      await until(
        async () => (await written()).length >= 4,
        10_000,
        () => 'the log has stopped',
      )
      expect((await written()).map((line) => JSON.parse(line).request_id)).toEqual([
        'before',
        'after',
        'with-text',
        'last',
      ])
    })

    test('another file waits for a restart, and the answer says so', async () => {
      const before = (await written()).length
      const moved = { export_path: path('elsewhere.jsonl'), export_interval_secs: 0.1 }
      expect(await reload(moved)).toMatchObject({ needs_restart: ['decision_log'] })
      await chat('still-there')
      await until(
        async () => (await written()).length === before + 1,
        10_000,
        () => 'the log has stopped',
      )
    })
  })
}

// With everything switched off that keeps text, no text is kept: hundreds of marks are put wherever people, hooks and tools
// write, and looked for in everything the router says, logs, and has on disk or in its stores.

import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '@redis/client'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, ask, postJson } from '../support/ask.ts'
import { type HookServer, startHookServer } from '../support/hook-server.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { markedRequests, type MarkedRequest } from '../support/marked-requests.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'

const MARKS_AT_LEAST = 200
const TIME_MS = 15_000

/** Stands in a field that records do have: proves that whoever looks would find. */
const CONTROL = 'control-8f14e45fceea'

export function privacyConformance(runtime: RuntimeName): void {
  describe(`text that nobody asked to keep on ${runtime}`, () => {
    // Where exports go, and in workerd whatever objects and buckets hold.
    const directory = mkdtempSync(join(tmpdir(), 'privacy-'))
    afterAll(() => rmSync(directory, { recursive: true, force: true }))
    let hooks: HookServer
    let redis: RedisServer | null = null
    beforeAll(async () => {
      hooks = await startHookServer()
      redis = runtime === 'workerd' ? null : await startRedisServer()
    })
    afterAll(async () => {
      await hooks?.close()
      await redis?.stop()
    })
    const fleet = liveFleet<'sim'>(runtime, {
      workers: { sim: { port: 0, models: ['m', 'hooked'], allowRequestFaults: true } },
      env: { TMPDIR: directory },
      config: ({ sim }) => ({
        workers: [{ id: 'sim', url: sim }],
        policy: { type: 'consistent_hash' },
        forward_headers: ['x-sim-fault'],
        retry: { max_retries: 1 },
        log_level: 'debug',
        decision_log: {
          export_path: runtime === 'workerd' ? 'log' : join(directory, 'log.jsonl'),
          export_interval_secs: 0.1,
        },
        pre_routing_hooks: ['rejects', 'transforms', 'rambles'].map((name) => ({
          name,
          url: hooks.url(`/${name}`),
          models: [name === 'transforms' ? 'hooked' : name],
          expose_reason: true,
        })),
        router_replay: {
          enabled: true,
          ...(redis === null
            ? { store_backend: 'durable_object' }
            : { store_backend: 'redis', redis: { url: redis.url } }),
        },
      }),
    })
    const admin = adminClient(() => fleet.url, null)

    test('is nowhere, whatever became of the request', { timeout: 90_000 }, async () => {
      const { requests, marks } = markedRequests()
      expect(marks.length).toBeGreaterThanOrEqual(MARKS_AT_LEAST)
      const [reason, transformed, rambling] = marks
      hooks.script('/rejects', () => ({ action: 'reject', reason }))
      hooks.script('/transforms', (call) => ({
        action: 'transform',
        body: { ...call.json().body, messages: [{ role: 'user', content: transformed }] },
      }))
      hooks.script('/rambles', () => `<html>${rambling}</html>`)
      for (const request of requests) await send(fleet.url, request)
      const last = await send(fleet.url, {
        path: '/v1/chat/completions',
        body: { model: 'm', messages: [] },
        headers: { 'x-request-id': CONTROL },
      })

      await until(
        async () => (await everywhere()).every(({ text }) => text.includes(CONTROL)),
        TIME_MS,
        () => 'the last record does not arrive everywhere',
      ).catch(async (error: unknown) => {
        const missing = (await everywhere()).filter(({ text }) => !text.includes(CONTROL)).map(({ place }) => place)
        throw new Error(`${String(error)}: ${missing.join(', ')}`)
      })
      const listed = (await admin.get('/v1/router_replay?limit=1000')).json()
      expect(listed.total).toBeGreaterThan(requests.length)
      const found = (await everywhere()).concat(await aboutEach(listed.data), await quiet(), {
        place: 'headers',
        text: JSON.stringify([...last.headers]),
      })
      const leaks = found.flatMap(({ place, text }) =>
        marks.filter((mark) => text.includes(mark)).map((mark) => `${place}: ${mark}`),
      )
      expect(leaks).toEqual([])
    })

    /** Everything that lists or keeps records. */
    async function everywhere(): Promise<Found[]> {
      const paths = ['/admin/decisions?limit=1000', '/admin/decisions.jsonl', '/v1/router_replay?limit=1000']
      const answers = await Promise.all(
        paths.map(async (path) => ({ place: path, text: (await admin.get(path)).text })),
      )
      return [
        ...answers,
        { place: 'log', text: fleet.router.output() },
        { place: 'files', text: await allFiles(directory) },
        ...(redis === null ? [] : [{ place: 'redis', text: await allOf(redis.url) }]),
      ]
    }

    /** What says something of the whole and not of one. */
    async function quiet(): Promise<Found[]> {
      const paths = ['/admin/stats', '/admin/config', '/workers', '/v1/router_replay/aggregate']
      return Promise.all(paths.map(async (path) => ({ place: path, text: (await admin.get(path)).text })))
    }

    async function aboutEach(records: readonly { readonly id: string }[]): Promise<Found[]> {
      const found: Found[] = []
      for (const { id } of records) {
        for (const path of [`/v1/router_replay/${id}`, `/admin/decisions/${id}`, `/admin/explain/${id}`]) {
          found.push({ place: path, text: (await admin.get(path)).text })
        }
      }
      return found
    }
  })
}

interface Found {
  readonly place: string
  readonly text: string
}

function send(url: string, { path, body, headers = {} }: MarkedRequest): Promise<Answered> {
  if (body instanceof FormData) return ask(url + path, { method: 'POST', headers, body })
  return postJson(url + path, body, headers)
}

/** Databases and buckets included: what they hold of a text stands there in UTF-8. */
async function allFiles(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const texts = entries
    .filter((entry) => entry.isFile())
    // Gone again meanwhile: the next look finds what took its place.
    .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8').catch(() => ''))
  return (await Promise.all(texts)).join('\n')
}

async function allOf(url: string): Promise<string> {
  const client = createClient({ url })
  await client.connect()
  const texts: string[] = []
  for await (const keys of client.scanIterator()) {
    for (const key of keys) {
      const type = await client.type(key)
      const value =
        type === 'string'
          ? await client.get(key)
          : type === 'set'
            ? await client.sMembers(key)
            : await client.zRange(key, 0, -1)
      texts.push(key, JSON.stringify(value))
    }
  }
  client.destroy()
  return texts.join('\n')
}

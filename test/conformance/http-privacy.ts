// With everything switched off that keeps text, no text is kept, and no key or password is told: hundreds of marks are put
// wherever people, hooks, tools and workers write, and looked for in everything the router says, logs, counts, traces, and
// has on disk or in its stores.

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
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'

const MARKS_AT_LEAST = 200
const TIME_MS = 15_000

/** Keys and a password, each of which some part of the router is given, and none may tell. */
const SECRETS = {
  inbound: 'secret-inbound-4711',
  guessed: 'secret-guessed-4711',
  hook: 'secret-hook-4711',
  hookHeader: 'secret-hook-header-4711',
  worker: 'secret-worker-4711',
  collector: 'secret-collector-4711',
  store: 'secret-store-4711',
}

/** Stands in a field that records do have: proves that whoever looks would find. */
const CONTROL = 'control-8f14e45fceea'

export function privacyConformance(runtime: RuntimeName): void {
  describe(`text that nobody asked to keep on ${runtime}`, () => {
    // Where exports go, and in workerd whatever objects and buckets hold.
    const directory = mkdtempSync(join(tmpdir(), 'privacy-'))
    afterAll(() => rmSync(directory, { recursive: true, force: true }))
    let hooks: HookServer
    let collector: OtlpReceiver
    let redis: RedisServer | null = null
    beforeAll(async () => {
      hooks = await startHookServer()
      collector = await startOtlpReceiver()
      redis = runtime === 'workerd' ? null : await startRedisServer()
    })
    afterAll(async () => {
      await hooks?.close()
      await collector?.close()
      await redis?.stop()
    })
    const fleet = liveFleet<'sim'>(runtime, {
      workers: { sim: { port: 0, models: ['m', 'hooked'], allowRequestFaults: true } },
      env: { TMPDIR: directory },
      config: ({ sim }) => ({
        workers: [{ id: 'sim', url: sim, api_key: SECRETS.worker }],
        inbound_api_key: SECRETS.inbound,
        trace_config: { otlp_traces_endpoint: collector.url, headers: { 'x-key': SECRETS.collector } },
        metrics: { public: true },
        cache: { max_entries: 100 },
        // Nobody answers there, and what says so must not say with which password it was asked.
        semantic_cache: { embeddings_url: `http://127.0.0.1:9/`, embeddings_api_key: SECRETS.store },
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
          api_key: SECRETS.hook,
          headers: { 'x-team-key': SECRETS.hookHeader },
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
      const [reason, transformed, rambling, again] = marks
      hooks.script('/rejects', () => ({ action: 'reject', reason }))
      hooks.script('/transforms', (call) => ({
        action: 'transform',
        body: { ...call.json().body, messages: [{ role: 'user', content: transformed }] },
      }))
      hooks.script('/rambles', () => `<html>${rambling}</html>`)
      for (const request of requests) await send(fleet.url, request)
      const repeated = {
        path: '/v1/chat/completions',
        body: { model: 'm', temperature: 0, max_tokens: 4, messages: [{ role: 'user', content: again }] },
      }
      await send(fleet.url, repeated)
      expect((await send(fleet.url, repeated)).headers.get('x-vllm-router-cache-status')).toBe('exact-hit')
      expect((await send(fleet.url, repeated, SECRETS.guessed)).status).toBe(401)
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
        [...marks, ...Object.values(SECRETS)].filter((mark) => text.includes(mark)).map((mark) => `${place}: ${mark}`),
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
        { place: 'spans', text: Buffer.concat(collector.messages.map(({ bytes }) => bytes)).toString('latin1') },
        { place: 'files', text: await allFiles(directory) },
        ...(redis === null ? [] : [{ place: 'redis', text: await allOf(redis.url) }]),
      ]
    }

    /** What says something of the whole and not of one. */
    async function quiet(): Promise<Found[]> {
      const paths = ['/metrics', '/admin/stats', '/admin/config', '/workers', '/v1/router_replay/aggregate']
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

function send(url: string, { path, body, headers: own = {} }: MarkedRequest, key = SECRETS.inbound): Promise<Answered> {
  const headers = { authorization: `Bearer ${key}`, ...own }
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

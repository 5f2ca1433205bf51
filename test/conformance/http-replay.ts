// Decisions made over HTTP and made again: the same worker for each under the configuration they were made under, on
// every runtime; and what POST /admin/replay answers besides.

import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { replayOutputSchema } from '../../src/replay/report-schema.ts'
import { adminClient } from '../support/admin-client.ts'
import { ask, chatBody, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { runCommand } from '../support/run-command.ts'

const KEY = 'replay-admin-key'
const READER = 'replay-reader-key'
const CALLER = 'replay-caller-key'
/** Replaying is the same code everywhere; that a runtime's records hold all that it takes shows in fewer of them, too. */
const REQUESTS: Readonly<Record<RuntimeName, number>> = { node: 2_000, bun: 600, deno: 600, workerd: 600 }
/** Requests under way at a time. */
const AT_ONCE = 16
const TIME_MS = 60_000

const WORKERS = { a: { models: ['m', 'n'] }, b: { models: ['m', 'n'] }, c: { models: ['m'] } } as const

function configFor(urls: Readonly<Record<keyof typeof WORKERS, string>>, policy: unknown, path: string) {
  return {
    workers: [
      { id: 'a', url: urls.a, models: ['m', 'n'], weight: 2 },
      { id: 'b', url: urls.b },
      { id: 'c', url: urls.c, models: ['m'] },
    ],
    policy,
    model_rules: [{ match: 'split-*', weights: { m: 1, n: 1 } }],
    inbound_api_key: CALLER,
    admin_api_keys: [
      { key: KEY, label: 'all' },
      { key: READER, label: 'reader', scopes: ['read'] },
    ],
    decision_log: { export_path: path, export_interval_secs: 0.2 },
    log_level: 'warn',
  }
}

export function replayConformance(runtime: RuntimeName): void {
  const requests = REQUESTS[runtime]
  describe(`replay on ${runtime}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'replay-'))
    afterAll(() => rmSync(directory, { recursive: true, force: true }))
    // On Workers it is what keys of the bucket begin with.
    const path = runtime === 'workerd' ? 'replayed' : join(directory, 'decisions.jsonl')
    let urls: Readonly<Record<keyof typeof WORKERS, string>> | null = null
    const fleet = liveFleet(runtime, {
      workers: { a: { port: 0, ...models('a') }, b: { port: 0, ...models('b') }, c: { port: 0, ...models('c') } },
      config: (given) => {
        urls = given
        return configFor(given, 'power_of_two', path)
      },
    })
    const admin = adminClient(() => fleet.url, KEY)
    /** The configuration that runs, but for what is given; breakers are off, as the launched one has them. */
    const config = (given: Readonly<Record<string, unknown>> = {}) => {
      if (urls === null) throw new Error('the fleet has not been started')
      return { disable_circuit_breaker: true, ...configFor(urls, 'power_of_two', path), ...given }
    }

    /** The same requests every 150: fifty sessions, and a third of the requests through the rule. */
    async function chat(count: number, atOnce = AT_ONCE): Promise<void> {
      let next = 0
      async function client(): Promise<void> {
        while (next < count) {
          const n = next
          next += 1
          const body = { ...chatBody(n % 3 === 0 ? `split-${n % 7}` : 'm'), user: `user-${n % 50}` }
          const answer = await postJson(`${fleet.url}/v1/chat/completions`, body, { authorization: `Bearer ${CALLER}` })
          if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`)
        }
      }
      await Promise.all(Array.from({ length: atOnce }, client))
    }

    beforeAll(async () => {
      await chat(requests)
      await until(
        async () => (await replay({ config: config() })).total >= requests,
        TIME_MS,
        () => 'the log does not have every record',
      )
    }, 240_000)

    type Report = Awaited<ReturnType<typeof replay>>

    async function replay(body: Readonly<Record<string, unknown>>) {
      const answer = await admin.post('/admin/replay', body)
      expect(answer.status, answer.text).toBe(200)
      return replayOutputSchema.parse(answer.json()) as ReturnType<typeof answer.json>
    }

    test('every decision comes out the same under the configuration it was made under', async () => {
      const report = await replay({ config: config() })
      expect(report).toMatchObject({ same: requests, different: 0, not_comparable: 0, next_cursor: null })
      expect(report.same_configuration).toEqual({ records: requests, different: 0 })
      expect(report.exact).toEqual({ same: requests, different: 0 })
    })

    test('so it does under one that routes alike, given as YAML', async () => {
      const report = await replay({ config: JSON.stringify(config({ shutdown_grace_secs: 3 })) })
      expect(report).toMatchObject({ same: requests, different: 0, not_comparable: 0 })
      expect(report.same_configuration.records).toBe(0)
    })

    test('another policy moves some, and says how many', async () => {
      const report = await replay({ config: config({ policy: 'consistent_hash' }), by: 'model' })
      expect(report.sentence).toMatch(/^With consistent_hash instead of power_of_two: [\d,]+ \(\d+\.\d %\) to the same/)
      expect(report.same + report.different).toBe(requests)
      expect(report.different).toBeGreaterThan(0)
      expect(report.causes.policy).toBe(report.different)
      expect(Object.keys(report.by.groups)).toContain('split-0')
    })

    test('pages add up to the whole', async () => {
      const body = { config: config({ policy: 'random' }) }
      const whole = await replay(body)
      let same = 0
      let total = 0
      let pages = 0
      for (let cursor: string | null = null; pages === 0 || cursor !== null; pages += 1) {
        const page = await replay({
          ...body,
          limit: Math.ceil(requests * 0.35),
          ...(cursor === null ? {} : { cursor }),
        })
        same += page.same
        total += page.total
        cursor = page.next_cursor
      }
      expect({ same, total }).toEqual({ same: whole.same, total: whole.total })
      expect(pages).toBeGreaterThan(1)
    })

    test('filters choose what is replayed', async () => {
      const of = async (filters: object) => (await replay({ config: config(), ...filters })).total
      expect(await of({ model: 'split-0' })).toBeGreaterThan(0)
      expect(await of({ status: 200 })).toBe(requests)
      expect(await of({ since: '2999-01-01T00:00:00Z' })).toBe(0)
    })

    test('a worker less and a rule more are told apart', async () => {
      const { workers } = config()
      const fewer = await replay({ config: config({ workers: workers.slice(1) }) })
      expect(fewer.workers['a']).toMatchObject({ after: 0 })
      expect(fewer.causes.workers).toBeGreaterThan(0)
      const ruled = await replay({ config: config({ model_rules: [{ match: 'split-*', rewrite: 'n' }] }) })
      expect(ruled.causes.rule).toBe(ruled.different)
      const unruled = await replay({ config: config({ model_rules: [] }) })
      expect(unruled.newly_refused).toBe(Math.ceil(requests / 3))
    })

    test.each([
      ['no configuration', {}, 'config'],
      ['one that is refused', { config: 'policy: nope' }, null],
      ['one that reaches elsewhere', { config: { workers: [{ url: 'http://169.254.169.254' }] } }, null],
      ['too many', { config: 'x', limit: 50_001 }, 'limit'],
      ['a filter that is none', { config: 'x', since: 'soon' }, 'since'],
      ['a field that is none', { config: 'x', sinse: '1h' }, null],
      ['a cursor that is none', { config: 'x', cursor: '!' }, 'cursor'],
    ])('refuses %s', async (_, body, param) => {
      const answer = await admin.post('/admin/replay', body)
      expect(answer.status, answer.text).toBe(400)
      expect(answer.json().error.param ?? null).toBe(param)
    })

    test('wants the scope that configurations want', async () => {
      const reader = adminClient(() => fleet.url, READER)
      expect((await reader.post('/admin/replay', { config: config() })).status).toBe(403)
    })

    test('the command says the same of what is exported', async () => {
      const exported = await ask(`${fleet.url}/admin/decisions.jsonl`, { headers: { authorization: `Bearer ${KEY}` } })
      const file = join(directory, 'export', 'decisions.jsonl')
      await mkdir(join(directory, 'export'))
      await writeFile(file, exported.text)
      const given = join(directory, 'given.yaml')
      await writeFile(given, JSON.stringify(config()))
      const ran = await runCommand(['replay', '--decisions', file, '--config', given, '--json'])
      expect(ran.code, ran.stderr).toBe(0)
      const output = JSON.parse(ran.stdout)
      replayOutputSchema.parse(output)
      expect(output).toMatchObject({ same: requests, different: 0, not_comparable: 0 })
      if (runtime === 'workerd') return
      // With the documents of its views beside it, as the router writes them.
      const beside = await runCommand(['replay', '--decisions', directory, '--config', given, '--json'])
      expect(JSON.parse(beside.stdout)).toMatchObject({ different: 0, not_comparable: 0 })
    })

    /** Another configuration takes over, and gets this many of the same requests. */
    async function runLive(other: ReturnType<typeof config>, policy: string, count: number, atOnce = AT_ONCE) {
      const changed = await admin.putConfig(other)
      expect(changed.status, changed.text).toBe(200)
      const earlier = (await replay({ config: other, policy })).total
      await chat(count, atOnce)
      let seen = await replay({ config: other, policy })
      await until(
        async () => {
          seen = await replay({ config: other, policy })
          return seen.total >= earlier + count
        },
        TIME_MS,
        () => `the log has ${seen.total - earlier} of ${count} records`,
      )
      expect(seen).toMatchObject({ total: earlier + count, same: earlier + count, different: 0 })
      return seen
    }

    test(
      'what is predicted is what comes: consistent_hash runs, with the same requests',
      { timeout: 120_000 },
      async () => {
        const other = config({ policy: { type: 'consistent_hash', load_factor: 'off' } })
        const predicted = await replay({ config: other, policy: 'power_of_two' })
        const seen = await runLive(other, 'consistent_hash', 300)
        // 2,000 is not a multiple of 150, so the two don't have quite the same mix.
        expectAlike(predicted, seen, 0.02)
      },
    )

    // What another policy makes of the loads is not simulated: one request at a time makes none. Workers are drawn from
    // those that idle, so of 500 a share is within 0.022, and the difference of two within 0.15 but once in many millions.
    // Only policies, which no runtime changes, could tell it from the one before.
    test.runIf(runtime === 'node')(
      'so it is for least_load, as long as nobody waits',
      { timeout: 120_000 },
      async () => {
        const other = config({ policy: 'least_load' })
        await runLive(config({ policy: 'round_robin' }), 'round_robin', 500, 1)
        const predicted = await replay({ config: other, policy: 'round_robin' })
        const seen = await runLive(other, 'least_load', 500, 1)
        expectAlike(predicted, seen, 0.15)
      },
    )

    function expectAlike(predicted: Report, seen: Report, tolerance: number): void {
      const shareOf = (report: Report, side: 'before' | 'after', id: string): number =>
        (report.workers[id]?.[side] ?? 0) / report[side].requests
      for (const id of Object.keys(WORKERS)) {
        const difference = shareOf(predicted, 'after', id) - shareOf(seen, 'before', id)
        expect(Math.abs(difference), id).toBeLessThan(tolerance)
      }
    }
  })
}

function models(name: keyof typeof WORKERS) {
  return { models: [...WORKERS[name].models] }
}

// What is said about a file that loads: keys without effect, and settings that hardly do what was meant.
// Also what depends on the runtime: its connect phase and its bindings.

import { describe, expect, test } from 'vitest'
import { good, load } from '../../test/support/load-config.ts'

const ONE = 'workers: [{url: "http://a:8000"}]\n'

describe('warnings and notes', () => {
  test.each([
    ['log_dir: /var/log', /no effect on an edge router/],
    ['connection_mode: {type: http}', /no effect/],
    ['enable_igw: false', /no effect/],
    ['metrics: {port: 29000}', /has no effect: metrics are at \/metrics/],
    ['passthrough_paths: [/metrics]', /metrics of the router can not be had/],
    ['policy: power_of_two', /1 worker to choose from/],
    ['policy: {type: consistent_hash, virtual_nodes: 160}', /`virtual_nodes` has no effect/],
    ['timeouts: {first_byte: 10s, total: 5s}', /longer than timeouts.total/],
    ['inbound_api_key: k\nallow_anonymous: true', /callers need that key/],
  ])('a file with %s loads with a warning', async (line, message) => {
    const { findings: all } = await good(`${ONE}${line}\n`)
    expect(all).toHaveLength(1)
    expect(all[0]).toMatchObject({ severity: 'warning', line: expect.any(Number) })
    expect(all[0]?.message).toMatch(message)
  })

  test('a default_model no worker lists is worth a warning only when all models are configured', async () => {
    const known = 'workers: [{url: "http://a", models: [m]}, {url: "http://b", models: [n]}]\ndefault_model: o\n'
    expect((await good(known)).findings[0]?.message).toMatch(/no worker lists o/)
    const learned = 'workers: [{url: "http://a", models: [m]}, {url: "http://b"}]\ndefault_model: o\n'
    expect((await good(learned)).findings).toEqual([])
  })

  test('of rules, only one without a condition stands in for a default_model that no worker lists', async () => {
    const known = 'workers: [{url: "http://a", models: [m]}]\ndefault_model: o\nmodel_rules:\n'
    expect((await good(`${known}  - {match: "o*", rewrite: m}\n`)).findings).toEqual([])
    const { findings } = await good(`${known}  - {match: "o*", when: {header: {x-a: b}}, rewrite: m}\n`)
    expect(findings[0]?.message).toMatch(/no worker lists o/)
  })

  test.each([
    ['workers: [{url: "http://a:8000/v1"}]', 'workers[0].url'],
    ['workers: [{url: "http://a:8000/v1/"}]', 'workers[0].url'],
    ['mode: {type: regular, worker_urls: ["http://b", "http://a/llm/v1"]}', 'mode.worker_urls[1]'],
  ])('a worker at a path that routes begin with is one: %s', async (text, path) => {
    const { findings } = await good(`${text}\n`)
    expect(findings).toMatchObject([{ severity: 'warning', path, message: expect.stringContaining('/v1/v1/') }])
  })

  test.each(['http://a/v1beta', 'http://a/x', 'http://v1'])('any other path is none: %s', async (url) => {
    expect((await good(`workers: [{url: "${url}"}]\n`)).findings).toEqual([])
  })

  test('a key that is never used is a warning', async () => {
    const text = 'workers: [{id: a, url: "http://a", api_key: k}]\nworker_api_keys: {a: other}\n'
    expect((await good(text)).findings[0]?.message).toMatch(/has an api_key of its own/)
  })

  test('a runtime without a connect phase says what connect means there', async () => {
    const text = `${ONE}timeouts: {connect: 3s}\n`
    expect((await good(text, { showsConnectPhase: false })).findings[0]).toMatchObject({ severity: 'note', line: 2 })
    expect((await good(text, { showsConnectPhase: true })).findings).toEqual([])
  })

  test('a binding the runtime does not have is an error where bindings are known', async () => {
    const text = 'workers: [{url: "http://a", binding: GPU}]'
    expect((await good(text, { bindings: ['GPU'] })).findings).toEqual([])
    const { ok, findings } = await load(text, { bindings: [] })
    expect(ok).toBe(false)
    expect(findings[0]?.message).toMatch(/no binding is called "GPU"; this runtime has none/)
  })
})

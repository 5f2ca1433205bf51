// Changes over documents in memory: each whole or not at all, and made from what it says it was made from.

import { describe, expect, test } from 'vitest'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { createMemoryConfigStore } from '../store/config-memory.ts'
import type { ConfigStore } from '../store/config-store.ts'
import { type ConfigChange, ConfigControl, type ConfigControlOptions } from './config-control.ts'
import type { ConfigSource } from './config-source.ts'

const START = `workers:
  - {id: a, url: "http://a:1"} # first
allowed_worker_hosts: ["http://*:1"]
`
const VARIABLES: Readonly<Record<string, string>> = { SECRET: 'secret-value' }
const load: ConfigSource['load'] = (text, besides) =>
  loadConfig(text, {
    env: (name) => VARIABLES[name],
    policies: BUILT_IN_POLICIES,
    ...(besides === null ? {} : { besides }),
  })

interface Given extends Partial<Pick<ConfigControlOptions, 'prepare' | 'abandon'>> {
  readonly text?: string
  readonly store?: (store: ConfigStore) => ConfigStore
}

async function start({ text = START, store: wrap = (store) => store, ...more }: Given = {}) {
  const loaded = await load(text, null)
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings))
  const { config } = loaded
  const store = wrap(createMemoryConfigStore({ text, hash: config.hash, now: () => 0 }))
  const used: Config[] = []
  const failures: unknown[] = []
  const control = new ConfigControl({
    source: { store, start: await store.current(), load },
    config,
    events: {
      configChanged() {},
      configRefused() {},
      adminCalled() {},
      configStoreFailed: (cause) => void failures.push(cause),
    },
    use: (next) => void used.push(next),
    refresh: async () => {},
    ...more,
  })
  return { control, store, used, failures, config }
}

const codeOf = (promise: Promise<ConfigChange>) =>
  promise.then(
    () => 'done',
    (error: unknown) => (error as { readonly code: string }).code,
  )

const textWith = (more: string) => `${START}${more}\n`

describe('a change', () => {
  test('takes over once it is published, and says what is different', async () => {
    const { control, used, config } = await start()
    const change = await control.put(textWith('port: 9\nworkers_: 1').replace('\nworkers_: 1', ''), 'ops', null)
    expect(change.diff).toEqual({ workersAdded: [], workersRemoved: [], changed: ['port'], needsRestart: ['port'] })
    expect(used.map(({ hash }) => hash)).toEqual([change.pointer.hash])
    expect(control.running().hash).not.toBe(config.hash)
  })

  test('goes on to say what waits for a restart, until it has come or is taken back', async () => {
    const { control } = await start()
    expect((await control.put(textWith('port: 9'), 'ops', null)).diff.needsRestart).toEqual(['port'])
    const { diff } = await control.put(textWith('port: 9\nlog_level: warn'), 'ops', null)
    expect([diff.changed, diff.needsRestart]).toEqual([['log_level'], ['port']])
    expect((await control.put(textWith('log_level: warn'), 'ops', null)).diff.needsRestart).toEqual([])
  })

  test('that means the same is no change', async () => {
    const { control, used } = await start()
    const change = await control.put(`# in other words\n${START}`, 'ops', null)
    expect([change.diff.changed, change.pointer.sequence, used]).toEqual([[], 1, []])
  })

  test('that can not be published leaves everything as it is', async () => {
    const { control, used, failures, config } = await start({
      store: (store) => ({ ...store, publish: () => Promise.reject(new Error('disk is full')) }),
    })
    expect(await codeOf(control.put(textWith('port: 9'), 'ops', null))).toBe('config_unavailable')
    expect([control.running().hash, used, failures.length]).toEqual([config.hash, [], 1])
  })

  test('made from another one than runs is refused', async () => {
    const { control, config } = await start()
    expect(await codeOf(control.put(textWith('port: 9'), 'ops', config.hash))).toBe('done')
    expect(await codeOf(control.put(textWith('port: 8'), 'ops', config.hash))).toBe('config_mismatch')
  })

  test('of many at once the first wins, and only that one is prepared', async () => {
    const prepared: string[] = []
    const { control, used } = await start({
      prepare: async ({ hash }) => void prepared.push(hash),
      abandon() {},
    })
    const changes = Array.from({ length: 20 }, (_, at) => codeOf(control.put(textWith(`port: ${at + 1}`), 'ops', null)))
    const codes = await Promise.all(changes)
    expect(codes.filter((code) => code === 'done')).toHaveLength(1)
    expect(codes.filter((code) => code === 'config_conflict')).toHaveLength(19)
    expect([prepared.length, used.length]).toEqual([1, 1])
  })

  test('that was prepared and lost is abandoned', async () => {
    let abandoned = 0
    const { control } = await start({
      store: (store) => ({ ...store, publish: async () => ({ ok: false, conflict: 'sequence' }) }),
      prepare: async () => {},
      abandon: () => void (abandoned += 1),
    })
    expect(await codeOf(control.put(textWith('port: 9'), 'ops', null))).toBe('config_conflict')
    expect(abandoned).toBe(1)
  })

  test('older than what runs is not taken up', async () => {
    const { control, config, used } = await start()
    const { pointer } = await control.put(textWith('port: 9'), 'ops', null)
    control.adopt({ ...pointer, sequence: 1 }, config)
    expect(used).toHaveLength(1)
    expect(control.running().hash).toBe(pointer.hash)
  })
})

describe('workers', () => {
  test('are added and removed in the document, which keeps its comments and its variables', async () => {
    const { control, store } = await start({ text: `${START}api_key: \${SECRET}\n` })
    await control.addWorker({ id: 'b', url: 'http://b:1', weight: 2 }, 'ops')
    await control.removeWorker('a', 'ops')
    expect(control.running().workers).toMatchObject([{ id: 'b', weight: 2, apiKey: 'secret-value' }])
    const { text = '' } = (await store.read(control.running().hash)) ?? {}
    expect(text).toContain('api_key: ${SECRET}')
    expect(text).not.toContain('http://a:1')
  })

  test('that the document has as a bare URL too are removed from both, with their keys', async () => {
    const { control } = await start({
      text: `mode: {type: regular, worker_urls: ["http://A:1/", "http://b:1", "http://a:1"]}
workers: [{id: a, url: "http://a:1"}]
worker_api_keys: {"http://a:1": k, b2: k}
`.replace(', b2: k', ''),
    })
    const { diff } = await control.removeWorker('a', 'ops')
    expect(diff.workersRemoved).toEqual(['a'])
    expect(control.running().workers.map(({ id }) => id)).toEqual(['http://b:1'])
  })

  test('that share a URL are told apart by id', async () => {
    const { control } = await start({
      text: 'workers: [{id: a, url: "http://a:1"}, {id: b, url: "http://a:1"}]\nworker_api_keys: {"http://a:1": k}\n',
    })
    await control.removeWorker('a', 'ops')
    expect(control.running().workers).toMatchObject([{ id: 'b', apiKey: 'k' }])
  })

  test('the last one stays', async () => {
    const { control } = await start()
    expect(await codeOf(control.removeWorker('a', 'ops'))).toBe('config_refused')
    expect(control.running().workers).toHaveLength(1)
  })

  test('may ask for no variable that is not listed, though the document around them does', async () => {
    const { control } = await start({ text: `${START}api_key: \${SECRET}\n` })
    expect(await codeOf(control.addWorker({ url: 'http://b:1', api_key: '${SECRET}' }, 'ops'))).toBe('config_refused')
  })
})

describe('going back', () => {
  test('needs a version before', async () => {
    const { control } = await start()
    expect(await codeOf(control.rollback(null, 'ops'))).toBe('config_version_not_found')
  })

  test('to a document of the file resolves what that could', async () => {
    const text = `${START}api_key: \${SECRET}\n`
    const { control, config } = await start({ text })
    await control.put(START, 'ops', null)
    expect((await control.rollback(null, 'ops')).pointer.hash).toBe(config.hash)
    expect(control.running().workers[0]?.apiKey?.reveal()).toBe('secret-value')
  })
})

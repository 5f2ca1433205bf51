import { describe, expect, test } from 'vitest'
import { policyRegistry } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

async function load(options: string, bindings?: readonly string[]) {
  const workers = 'workers: [{id: a, url: "http://a:1"}, {id: b, url: "http://b:1/"}]'
  const result = await loadConfig(`${workers}\npolicy:\n  type: lmcache_aware\n  ${options}\n`, {
    env: () => undefined,
    policies: policyRegistry(undefined),
    ...(bindings === undefined ? {} : { bindings }),
  })
  return result.findings.map(({ severity, path, line, message }) => `${severity} ${line} ${path}: ${message}`)
}

describe('a binding that LMCache is reached through', () => {
  test('is an error where the runtime has none of that name', async () => {
    expect(await load('controller_binding: LMCACHE', ['GPU', 'OTHER'])).toEqual([
      'error 4 policy.controller_binding: no binding is called "LMCACHE"; bindings: GPU, OTHER',
    ])
    expect(await load('controller_binding: LMCACHE', [])).toEqual([
      'error 4 policy.controller_binding: no binding is called "LMCACHE"; this runtime has none',
    ])
  })

  test('is taken on trust where bindings are not known, and is good where there is one', async () => {
    expect(await load('controller_binding: LMCACHE')).toEqual([])
    expect(await load('controller_binding: LMCACHE', ['LMCACHE'])).toEqual([])
  })
})

describe('workers that LMCache’s instances are said to be', () => {
  test('are named by id or URL', async () => {
    expect(await load('lmcache_worker_map: {7: a, x: "http://b:1/", y: [a, "http://b:1"]}')).toEqual([])
  })

  test('who are none of them are told of: they may yet be added', async () => {
    expect(await load('lmcache_worker_map: {x: nobody, y: [a, "a:1"]}')).toEqual([
      'warning 4 policy.lmcache_worker_map.x: names no worker: nobody; write the id or the URL of one: a, b',
      'warning 4 policy.lmcache_worker_map.y: names no worker: a:1; write the id or the URL of one: a, b',
    ])
  })
})

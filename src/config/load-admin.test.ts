// Admin keys in a configuration: kept as digests, apart from each other and from the keys of callers.

import { expect, test } from 'vitest'
import { ADMIN_SCOPES } from '../access/admin-scopes.ts'
import { digestOfKey } from '../access/key-digest.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

const load = (text: string) =>
  loadConfig(`workers: [{url: "http://a:8000"}]\n${text}`, { env: () => undefined, policies: BUILT_IN_POLICIES })

test('keys become digests with their scopes; without a list of scopes a key has all', async () => {
  const result = await load('admin_api_key: one\nadmin_api_keys: [{label: ops, key: two, scopes: [read]}]\n')
  expect(result.ok && result.config.adminKeys).toEqual([
    { label: 'admin_api_key', keyDigest: digestOfKey('one'), scopes: ADMIN_SCOPES },
    { label: 'ops', keyDigest: digestOfKey('two'), scopes: ['read'] },
  ])
})

test.each([
  ['inbound_api_key: k\nadmin_api_key: k\n', 'admin_api_key', 'is a key of callers as well'],
  ['api_keys: [{name: t, key: k}]\nadmin_api_key: k\n', 'admin_api_key', 'is a key of callers as well'],
  [
    `api_keys: [{name: t, key_sha256: ${digestOfKey('k').toUpperCase()}}]\nadmin_api_keys: [{label: a, key: k}]\n`,
    'admin_api_keys[0].key',
    'is a key of callers as well',
  ],
  ['admin_api_key: k\nadmin_api_keys: [{label: a, key: k}]\n', 'admin_api_keys[0].key', 'is the same key as another'],
  [
    'admin_api_keys: [{label: a, key: k}, {label: a, key: l}]\n',
    'admin_api_keys[1].label',
    '"a" already names another',
  ],
  [
    'admin_api_key: k\nadmin_api_keys: [{label: admin_api_key, key: l}]\n',
    'admin_api_keys[0].label',
    '"admin_api_key" already names another',
  ],
  ['admin_api_key: ""\n', 'admin_api_key', 'is empty'],
  ['admin_api_key:\n', 'admin_api_key', 'must be text'],
  ['admin_api_keys: [{label: a, key: k, scopes: []}]\n', 'admin_api_keys[0].scopes', 'opens nothing'],
  ['admin_api_keys: [{label: a, key: k, scopes: [all]}]\n', 'admin_api_keys[0].scopes[0]', 'read'],
])('%s', async (text, path, message) => {
  const { ok, findings } = await load(text)
  expect(ok).toBe(false)
  expect(findings).toMatchObject([{ path, message: expect.stringContaining(message) }])
})

import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  equalSettings,
  HIDDEN,
  identityOf,
  replaceSecretValues,
  revealAll,
  Secret,
  toSecret,
  toSecrets,
} from './secret.ts'

const MARK = 'sk-marker-4711'
const nested = { list: [{ deep: { key: new Secret(MARK) } }], plain: 'text', headers: toSecrets({ 'x-key': MARK }) }

describe('a secret is not told', () => {
  test.each<[string, (value: unknown) => string]>([
    ['joined to a text', (value) => `Bearer ${String(value)}`],
    ['added to a text', (value) => ['Bearer', value].join(' ')],
    ['in JSON', (value) => JSON.stringify({ value })],
    ['as the JSON of its parts', (value) => JSON.stringify(Object.entries(Object(value)))],
    ['printed', (value) => inspect(value, { showHidden: true, depth: 9 })],
    ['in the message of an error', (value) => inspect(new Error(String(value), { cause: value }))],
    ['spread', (value) => inspect({ ...Object(value) })],
    ['cloned', (value) => inspect(structuredClone({ value: Object(value) }))],
  ])('%s', (_how, tell) => {
    expect(tell(new Secret(MARK))).not.toContain(MARK)
  })

  test('within what it is part of', () => {
    expect([JSON.stringify(nested), inspect(nested, { depth: 9, showHidden: true })].join()).not.toContain(MARK)
    expect(JSON.stringify(nested)).toContain(HIDDEN)
  })
})

test('who asks for it gets it', () => {
  expect(new Secret(MARK).reveal()).toBe(MARK)
  expect(revealAll(toSecrets({ 'x-key': MARK }))).toEqual({ 'x-key': MARK })
  expect([toSecret(null), toSecret(undefined)]).toEqual([null, null])
})

test('settings are equal when their secrets are', () => {
  const withKey = (key: string) => ({ url: 'http://a', keys: [new Secret(key)] })
  expect(equalSettings(withKey('one'), withKey('one'))).toBe(true)
  expect(equalSettings(withKey('one'), withKey('two'))).toBe(false)
  expect(identityOf(new Secret('one'))).not.toBe(identityOf(new Secret('two')))
})

test('every secret is replaced where a digest takes its place, and nothing else', async () => {
  const set = new Set(['a'])
  const replaced = await replaceSecretValues({ ...nested, set }, async (secret) => `digest of ${secret.length}`)
  expect(replaced).toEqual({
    list: [{ deep: { key: 'digest of 14' } }],
    plain: 'text',
    headers: { 'x-key': 'digest of 14' },
    set,
  })
})

test('tests tell secrets apart', () => {
  expect({ key: new Secret('one') }).toEqual({ key: 'one' })
  expect({ key: new Secret('one') }).not.toEqual({ key: new Secret('two') })
  expect({ key: 'one' }).not.toMatchObject({ key: new Secret('two') })
})

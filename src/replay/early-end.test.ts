// Requests that ended before a decision: the same again, unless the configuration has something to say about it.

import { describe, expect, test } from 'vitest'
import { configOf } from '../../test/support/decided-log.ts'
import { endedEarly } from '../../test/support/replayed-record.ts'
import type { DecisionRecord } from '../record/schema.ts'
import { endEarly } from './early-end.ts'

const POOL = 'workers: [{id: a, url: "http://a", models: [m]}]\n'
const GUARD = 'pre_routing_hooks: [{name: guard, url: "http://guard"}]\n'
const TENANT = (rest: string) => `api_keys: [{key: key-of-team-0123, name: team, ${rest}}]\n`

const ended = async (text: string, given: Partial<DecisionRecord>) =>
  endEarly(endedEarly(given), await configOf(POOL + text))

describe('what carries over', () => {
  test.each<[string, Partial<DecisionRecord>]>([
    ['a limit', { error: 'rate_limit_exceeded', status: 429 }],
    ['a full router', { error: 'overloaded', status: 503 }],
    ['a body that is no JSON', { error: 'invalid_json', status: 400 }],
    ['a client that left', { error: 'client_closed_request', status: 499 }],
    ['the list of models', { route: '/v1/models', method: 'none', status: 200 }],
    ['a model that is not there now either', { error: 'model_not_found', original_model: 'x', status: 404 }],
  ])('%s', async (_, given) => {
    expect(await ended('', given)).toEqual({ kind: 'ended' })
  })

  test('whatever it was, under the same configuration', async () => {
    const config = await configOf(POOL)
    const record = endedEarly({ error: 'hook_rejected', hooks_ran: ['gone:rejected'], config_hash: config.hash })
    expect(endEarly(record, config)).toEqual({ kind: 'ended' })
  })

  test('an older record without a worker', async () => {
    const old = { ...endedEarly({}), schema_version: 3, error: undefined }
    expect(endEarly(old, await configOf(POOL))).toEqual({ kind: 'ended' })
  })
})

describe('answers from a cache', () => {
  const exact: Partial<DecisionRecord> = { method: 'cache-hit', cache_status: 'exact-hit', status: 200 }
  const near: Partial<DecisionRecord> = { method: 'semantic-hit', cache_status: 'semantic-hit', status: 200 }
  const SEMANTIC = (more: string) => `semantic_cache: {embeddings_url: "http://e"${more}}\n`

  test.each<[string, Partial<DecisionRecord>, string, string]>([
    ['exact, with a cache', exact, 'cache: {ttl_secs: 5}\n', 'ended'],
    ['exact, without', exact, SEMANTIC(''), 'unknown'],
    ['semantic, with a cache', near, SEMANTIC(''), 'ended'],
    ['semantic, without', near, 'cache: {}\n', 'unknown'],
    ['semantic, with one that nobody uses', near, SEMANTIC(', enabled: false'), 'unknown'],
  ])('%s', async (_, given, text, kind) => {
    expect(await ended(text, given)).toMatchObject(kind === 'ended' ? { kind } : { kind, cause: 'missing_fact' })
  })
})

describe('hooks', () => {
  const rejected = { error: 'hook_rejected', hooks_ran: ['first', 'guard:rejected'] }
  const failed = { error: 'hook_failed', hooks_ran: ['guard:timeout'] }

  test.each([
    ['a rejection by one that is still there', GUARD, rejected, 'ended'],
    ['by one that is not', '', rejected, 'unknown'],
    ['by one that lets it pass now', GUARD.replace('}]', ', on_reject: pass}]'), rejected, 'unknown'],
    ['a failure of one that still blocks', GUARD.replace('}]', ', on_error: block}]'), failed, 'ended'],
    ['a failure of one that lets it pass now', GUARD.replace('}]', ', on_error: pass}]'), failed, 'unknown'],
  ])('%s', async (_, text, given, kind) => {
    expect(await ended(text, given)).toMatchObject(kind === 'ended' ? { kind } : { kind, cause: 'hook' })
  })
})

describe('models that could not be had', () => {
  const notFound = { error: 'model_not_found', original_model: 'x', status: 404 }

  test.each([
    ['a worker that has it now', '  # more\n', notFound, 'ended', null],
    ['a rule that leads somewhere now', 'model_rules: [{match: x, rewrite: m}]\n', notFound, 'unknown', 'rule'],
    ['a rule that leads nowhere', 'model_rules: [{match: x, rewrite: y}]\n', notFound, 'ended', null],
    [
      'a default now',
      'default_model: m\n',
      { error: 'model_required', original_model: undefined },
      'unknown',
      'workers',
    ],
    [
      'a rule that asks for a header',
      'model_rules: [{match: x, rewrite: m, when: {header: {x-canary: "1"}}}]\n',
      notFound,
      'unknown',
      'rule',
    ],
  ])('%s', async (_, text, given, kind, cause) => {
    expect(await ended(text, given)).toMatchObject(cause === null ? { kind } : { kind, cause })
  })

  test('one that a new worker has', async () => {
    const config = await configOf('workers: [{id: a, url: "http://a", models: [m, x]}]\n')
    expect(endEarly(endedEarly(notFound), config)).toMatchObject({ kind: 'unknown', cause: 'workers' })
  })
})

describe('callers', () => {
  const notAllowed = { error: 'model_not_allowed', original_model: 'm', tenant: 'team' }

  test.each([
    ['a model that is not allowed now either', TENANT('allowed_models: [n]'), notAllowed, 'ended'],
    ['one that is allowed now', TENANT('allowed_models: [m]'), notAllowed, 'unknown'],
    ['a tenant that is still off', TENANT('enabled: false'), { error: 'tenant_disabled', tenant: 'team' }, 'ended'],
    ['one that is on now', TENANT('enabled: true'), { error: 'tenant_disabled', tenant: 'team' }, 'unknown'],
  ])('%s', async (_, text, given, kind) => {
    expect(await ended(text, given)).toMatchObject(kind === 'ended' ? { kind } : { kind, cause: 'model_access' })
  })
})

describe('what can not be known', () => {
  test.each([
    ['a decision of an older router', { ...endedEarly({}), schema_version: 2, worker: 'a' }, /schema version 2/],
    ['a worker without candidates', endedEarly({ worker: 'a' }), /no candidates/],
    ['an end that nobody saw', endedEarly({ lifecycle_state: 'unknown' }), /nobody saw/],
  ])('%s', async (_, record, why) => {
    expect(endEarly(record, await configOf(POOL))).toMatchObject({ kind: 'unknown', why: expect.stringMatching(why) })
  })
})

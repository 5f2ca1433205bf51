import { describe, expect, test } from 'vitest'
import { HeardPurges } from './heard-purges.ts'
import { PurgeLog, type PurgeScope } from '../store/purge-log.ts'

const MODEL: PurgeScope = { kind: 'model', name: 'm' }
const TENANT: PurgeScope = { kind: 'tenant', name: 'acme' }
const ALL: PurgeScope = { kind: 'all' }

/** A log, and a memory that has heard of it. */
function rig() {
  const log = new PurgeLog('first')
  const heard = new HeardPurges()
  heard.take(log.news(0))
  return { log, heard }
}

test('what was noted is taken once, in order', () => {
  const { log, heard } = rig()
  expect(heard.take(log.news(0))).toEqual([])
  log.note(MODEL, 0)
  log.note(TENANT, 0)
  expect(heard.take(log.news(1))).toEqual([MODEL, TENANT])
  expect(heard.take(log.news(1))).toEqual([])
  log.note(MODEL, 2)
  expect(heard.take(log.news(2))).toEqual([MODEL])
})

test('a memory that hears for the first time purges everything, as nobody knows what it missed', () => {
  expect(new HeardPurges().take(new PurgeLog('first').news(0))).toEqual([ALL])
})

test('without news nothing is done', () => {
  expect(new HeardPurges().take(null)).toEqual([])
})

describe('everything is purged', () => {
  test('when more were missed than are told', () => {
    const { log, heard } = rig()
    for (let n = 0; n < 40; n += 1) log.note(MODEL, 0)
    expect(heard.take(log.news(0))).toEqual([ALL])
    log.note(MODEL, 0)
    expect(heard.take(log.news(0))).toEqual([MODEL])
  })

  test('when one was missed that is no longer told', () => {
    const { log, heard } = rig()
    log.note(MODEL, 0)
    expect(log.news(31_000).latest).toEqual([])
    expect(heard.take(log.news(31_000))).toEqual([ALL])
    expect(heard.take(log.news(32_000))).toEqual([])
  })

  test('when whoever counts has begun anew, whether or not it counted any', () => {
    const { heard } = rig()
    expect(heard.take(new PurgeLog('second').news(0))).toEqual([ALL])
  })
})

test('an older copy undoes nothing', () => {
  const { log, heard } = rig()
  const older = log.news(0)
  log.note(MODEL, 0)
  const newer = log.news(0)
  expect(heard.take(newer)).toEqual([MODEL])
  expect(heard.take({ ...older })).toEqual([])
  expect(heard.take({ ...newer })).toEqual([])
})

import { describe, expect, test } from 'vitest'
import { checkLogEnvironment, withLogEnvironment } from './log-schema.ts'

const WRITTEN = { level: 'info', format: 'auto', sampleRatio: 1 } as const
const levelWith = (variables: Readonly<Record<string, string>>) =>
  withLogEnvironment(WRITTEN, (name) => variables[name]).level

describe('the level of the log', () => {
  test.each([
    ['', 'info'],
    ['debug', 'debug'],
    ['WARN', 'warn'],
    ['loud', 'info'],
  ])('with ROUTER_LOG_LEVEL=%s is %s', (level, expected) => {
    expect(levelWith({ ROUTER_LOG_LEVEL: level })).toBe(expected)
  })

  test.each([
    ['error', 'error'],
    ['TRACE', 'debug'],
    ['hyper=debug, warn', 'warn'],
    ['error,vllm_router_rs=debug', 'debug'],
    ['hyper=debug', 'info'],
    ['off', 'info'],
  ])('with RUST_LOG=%s is %s, unless our own variable is set', (directives, expected) => {
    expect(levelWith({ RUST_LOG: directives })).toBe(expected)
    expect(levelWith({ RUST_LOG: directives, ROUTER_LOG_LEVEL: 'error' })).toBe('error')
  })
})

test('what our variables do not know is told', () => {
  const told = (level: string) => checkLogEnvironment((name) => (name === 'ROUTER_LOG_LEVEL' ? level : undefined))
  expect(told('DEBUG')).toEqual([])
  expect(told('loud')).toHaveLength(1)
})

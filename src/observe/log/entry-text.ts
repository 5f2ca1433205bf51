// An event as one line: JSON for programs, words for people at a terminal. Whatever a caller put into a value, a line stays
// one line and moves no cursor.

import type { LogFormat, LogLevel } from '../../config/config.ts'
import type { LogEntry } from '../../platform.ts'

/** What JSON lets through and terminals or editors act on: DEL and C1 controls, line separators, directions of text. */
const ACTED_ON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** One line of JSON, without its end. */
export function toJsonLine(entry: LogEntry): string {
  return toSafeJson(entry)
}

export interface TextOptions {
  readonly hasColors: boolean
}

/** `14:36:05.123 warn  worker worker=a availability=down`: the time is UTC. */
export function toTextLine({ time, level, event, message, ...fields }: LogEntry, { hasColors }: TextOptions): string {
  const [open, close] = hasColors ? COLORS[level] : ['', '']
  const head = `${time.slice(11, 23)} ${open}${level.padEnd(5)}${close} ${event}`
  const said = typeof message === 'string' ? [toSafeJson(message).slice(1, -1).replaceAll('\\"', '"')] : []
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${name}=${toWord(value)}`)
  return [head, ...said, ...pairs].join(' ')
}

/** The format that `auto` stands for. */
export function formatFor(wanted: LogFormat, isTerminal: boolean): Exclude<LogFormat, 'auto'> {
  if (wanted !== 'auto') return wanted
  return isTerminal ? 'text' : 'json'
}

/** Dim, plain, yellow, red. */
const COLORS = {
  debug: ['\u001b[2m', '\u001b[22m'],
  info: ['', ''],
  warn: ['\u001b[33m', '\u001b[39m'],
  error: ['\u001b[31m', '\u001b[39m'],
} as const satisfies Record<LogLevel, readonly [string, string]>

function toWord(value: unknown): string {
  if (typeof value === 'string' && /^[\w.:/@+-]+$/.test(value)) return value
  return toSafeJson(value)
}

function toSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    ACTED_ON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

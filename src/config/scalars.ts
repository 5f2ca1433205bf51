// Values with a notation of their own: durations, sizes, ranges.
// Each schema explains itself in full when it refuses, as an operator sees nothing but that sentence. Those that are always
// the same are made once: a hundred fields share them, and making schemas is most of what starting a Worker costs.

import * as z from 'zod'

// setTimeout takes no more than 2^31 - 1 ms and fires at once beyond it.
const LONGEST_MS = 2_147_483_647
const DURATION_FORMS = 'a number of seconds, a duration such as 500ms, 30s, 5m or 1h, or off'
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

const DURATION = z
  .union([z.number(), z.string()], { error: `must be ${DURATION_FORMS}` })
  .transform((value, context): number | null => {
    if (value === 'off') return null
    const milliseconds = toMilliseconds(value)
    const problem = durationProblem(milliseconds)
    if (problem === null) return milliseconds
    context.issues.push({ code: 'custom', message: problem, input: value })
    return z.NEVER
  })
  .meta({ duration: true })

/** A timeout: milliseconds, null for `off`. */
export function duration() {
  return DURATION
}

function toMilliseconds(value: number | string): number | null {
  if (typeof value === 'number') return value * 1000
  const [, amount, unit = 's'] = /^([-+]?\d+(?:\.\d+)?) ?(ms|s|m|h)?$/.exec(value) ?? []
  return amount === undefined ? null : Number(amount) * (UNIT_MS[unit] ?? 1)
}

function durationProblem(milliseconds: number | null): string | null {
  if (milliseconds === null || Number.isNaN(milliseconds)) return `must be ${DURATION_FORMS}`
  if (milliseconds <= 0) return 'must be more than zero; write off to switch this timeout off'
  if (milliseconds < 1) return 'must be at least 1ms'
  return milliseconds > LONGEST_MS ? 'must be at most 596h (24 days); write off for no limit' : null
}

const SIZE_FORMS = 'a number of bytes, or a size such as 512KiB, 32MiB or 10MB'
const UNIT_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

const BYTE_SIZE = z
  .union([z.number(), z.string()], { error: `must be ${SIZE_FORMS}` })
  .transform((value, context): number => {
    const bytes = typeof value === 'number' ? value : toBytes(value)
    if (bytes !== null && Number.isSafeInteger(bytes) && bytes > 0) return bytes
    const message = bytes === null ? `must be ${SIZE_FORMS}` : 'must be a whole number of bytes above zero'
    context.issues.push({ code: 'custom', message, input: value })
    return z.NEVER
  })

/** A size in bytes. */
export function byteSize() {
  return BYTE_SIZE
}

function toBytes(size: string): number | null {
  const [, amount, unit = 'b'] = /^(\d+(?:\.\d+)?) ?([kmg]?i?b)?$/i.exec(size) ?? []
  const factor = UNIT_BYTES[unit.toLowerCase()]
  return amount === undefined || factor === undefined ? null : Number(amount) * factor
}

/** A whole number within a range, both ends allowed. */
export function wholeNumber(minimum: number, maximum: number) {
  const error = `must be a whole number from ${minimum} to ${maximum}`
  return z.int({ error }).check(z.gte(minimum, { error }), z.lte(maximum, { error }))
}

const SECONDS = secondsFrom(0.001, 'must be a number of seconds above zero')
const SECONDS_OR_ZERO = secondsFrom(0, 'must be a number of seconds, zero or more')

/** A number of seconds above zero that a timer can wait. */
export function seconds(options: { readonly zero: boolean } = { zero: false }) {
  return options.zero ? SECONDS_OR_ZERO : SECONDS
}

function secondsFrom(least: number, error: string) {
  const most = z.lte(LONGEST_MS / 1000, { error: 'must be at most 2147483 seconds (24 days)' })
  return z.number({ error }).check(most, z.gte(least, { error }))
}

const FLAG = z.boolean({ error: 'must be true or false, without quotes' })

/** True or false, with a word on YAML's other spellings. */
export function flag() {
  return FLAG
}

/** A list, explained by an example when it is none. */
export function list<Item extends z.ZodType>(item: Item, example: string) {
  return z.array(item, { error: `must be a list such as ${example}` })
}

const TEXT = z.string({ error: 'must be text; put quotes around numbers' }).min(1, { error: 'must not be empty' })

/** Text that says something. */
export function text() {
  return TEXT
}

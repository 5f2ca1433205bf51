// `log_level` and `log`: what is written to standard output, and how; and the variables that take their place.

import * as z from 'zod'
import type { LogConfig } from './config.ts'
import { type Problem, warningAt } from './finding.ts'

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const
const FORMATS = ['auto', 'json', 'text'] as const

export const logShape = {
  /** The Rust router's name. */
  log_level: z.enum(LEVELS).default('info'),
  log: z
    .strictObject({
      /** `auto` is text for people at a terminal and JSON for everything else. */
      format: z.enum(FORMATS).default('auto'),
      /** Share of requests that went well which leave a line; the others always do. */
      sample_ratio: z
        .number({ error: 'must be a number from 0 to 1' })
        .min(0, { error: 'must be from 0 to 1' })
        .max(1, { error: 'must be from 0 to 1' })
        .default(1),
    })
    .prefault({}),
}

interface WrittenLog {
  readonly log_level: LogConfig['level']
  readonly log: { readonly format: LogConfig['format']; readonly sample_ratio: number }
}

export function toLog({ log_level: level, log }: WrittenLog): LogConfig {
  return { level, format: log.format, sampleRatio: log.sample_ratio }
}

/** Variables that whoever starts a process sets for it alone, over what the file says. */
export const LOG_VARIABLES = { level: 'ROUTER_LOG_LEVEL', format: 'ROUTER_LOG_FORMAT', rust: 'RUST_LOG' } as const

type Env = (name: string) => string | undefined

/** Not part of the configuration's hash: what is decided does not follow from it. */
export function withLogEnvironment(log: LogConfig, env: Env): LogConfig {
  const level = toLevel(env(LOG_VARIABLES.level)) ?? levelOfRust(env(LOG_VARIABLES.rust))
  const format = FORMATS.find((known) => known === env(LOG_VARIABLES.format)?.toLowerCase())
  return { ...log, ...(level === undefined ? {} : { level }), ...(format === undefined ? {} : { format }) }
}

export function checkLogEnvironment(env: Env): readonly Problem[] {
  return [...unknownValue(LOG_VARIABLES.level, LEVELS, env), ...unknownValue(LOG_VARIABLES.format, FORMATS, env)]
}

export function toLevel(text: string | undefined): LogConfig['level'] | undefined {
  return LEVELS.find((known) => known === text?.toLowerCase())
}

/** What the Rust router takes from its variable: the level of its own target, else that of all; libraries' are not ours. */
function levelOfRust(text = ''): LogConfig['level'] | undefined {
  const directives = text.split(',').map((directive) => directive.trim().split('='))
  const own = directives.find(([target = '', level]) => level !== undefined && target.startsWith('vllm_router'))
  const level = own?.[1] ?? directives.find(({ length }) => length === 1)?.[0]
  return level?.toLowerCase() === 'trace' ? 'debug' : toLevel(level)
}

function unknownValue(name: string, known: readonly string[], env: Env): readonly Problem[] {
  const value = env(name)
  if (value === undefined || value === '' || known.includes(value.toLowerCase())) return []
  return [warningAt([], `the variable ${name} is none of ${known.join(', ')}, so the file decides`)]
}

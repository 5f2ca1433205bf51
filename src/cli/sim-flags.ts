// Flags of the simulators' commands: a table for each command, and one reader and one help for all tables.

import { faultDocumentSchema } from '../simulator/fault-schema.ts'
import type { FaultRule } from '../simulator/fault-schema.ts'

/** One flag and the option it sets. */
export interface SimFlag<Option extends string = string> {
  readonly name: string
  readonly option: Option
  readonly kind: 'text' | 'texts' | 'boolean' | 'number' | 'count' | 'faults'
  readonly help: string
  /** Smallest number allowed; 0 unless given. */
  readonly least?: number
}

type Values = Map<SimFlag, string[]>

/** Options that the arguments set, or what is wrong with them. Flags take their value as the next argument or after `=`. */
export function parseSimFlags(flags: readonly SimFlag[], args: readonly string[]): Record<string, unknown> | string {
  const values = readFlags(flags, args)
  if (typeof values === 'string') return values
  const options: Record<string, unknown> = {}
  for (const [flag, texts] of values) {
    const value = toValue(flag, texts)
    if (value instanceof Error) return value.message
    options[flag.option] = value
  }
  return options
}

/** One line for each flag, with its default. */
export function describeFlags(flags: readonly SimFlag[], defaults: Readonly<Record<string, unknown>>): string[] {
  const width = Math.max(...flags.map(({ name }) => name.length)) + 4
  return flags.map(({ name, help, option }) => {
    const value = defaults[option]
    const isShown = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    return `  ${`--${name}`.padEnd(width)}${help}${isShown ? ` (${value})` : ''}`
  })
}

/** Texts by flag, or what is wrong. */
function readFlags(flags: readonly SimFlag[], args: readonly string[]): Values | string {
  const values: Values = new Map()
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ''
    const [name, inline] = splitFlag(arg)
    const isNegated = name.startsWith('no-')
    const flag = flags.find((each) => each.name === name || (isNegated && each.name === name.slice(3)))
    if (flag === undefined || (isNegated && flag.kind !== 'boolean')) return `Unknown argument ${arg}.`
    const text = flag.kind === 'boolean' ? (inline ?? String(!isNegated)) : (inline ?? args[++index])
    if (text === undefined) return `--${flag.name} needs a value.`
    values.set(flag, [...(values.get(flag) ?? []), text])
  }
  return values
}

function splitFlag(arg: string): [string, string | undefined] {
  if (!arg.startsWith('--')) return ['', undefined]
  const at = arg.indexOf('=')
  return at === -1 ? [arg.slice(2), undefined] : [arg.slice(2, at), arg.slice(at + 1)]
}

function toValue(flag: SimFlag, texts: readonly string[]): unknown {
  const last = texts.at(-1) ?? ''
  switch (flag.kind) {
    case 'texts':
      return texts
    case 'text':
      return last
    case 'boolean':
      return last === 'true' || last === 'false' ? last === 'true' : new Error(`--${flag.name} is true or false.`)
    case 'number':
    case 'count':
      return toNumber(flag, last)
    case 'faults':
      return toFaults(texts)
  }
}

function toNumber(flag: SimFlag, text: string): number | Error {
  const value = Number(text)
  const isRight =
    text.trim() !== '' && value >= (flag.least ?? 0) && (flag.kind === 'number' || Number.isInteger(value))
  const what = flag.kind === 'count' ? 'a whole number' : 'a number'
  return isRight ? value : new Error(`--${flag.name} is ${what} of at least ${flag.least ?? 0}, not ${text}.`)
}

function toFaults(texts: readonly string[]): FaultRule[] | Error {
  const rules: FaultRule[] = []
  for (const text of texts) {
    try {
      rules.push(...faultDocumentSchema.parse(JSON.parse(text)))
    } catch (error) {
      return new Error(`--fault ${text} is no fault rule: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return rules
}

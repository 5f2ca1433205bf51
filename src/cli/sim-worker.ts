// The `sim-worker` command: flags to options, and a simulated worker run until a signal ends it. Names no runtime: the
// caller starts the worker and says when to stop.

import { faultDocumentSchema } from '../simulator/fault-schema.ts'
import type { FaultRule } from '../simulator/fault-schema.ts'
import type { SimulatedWorkerOptions } from '../simulator/options.ts'
import { SIM_WORKER_FLAGS, toSimWorkerHelp } from './sim-worker-flags.ts'
import type { SimWorkerFlag } from './sim-worker-flags.ts'

/** What the arguments ask for. */
export type ParsedSimWorker =
  | { readonly ok: true; readonly options: SimulatedWorkerOptions }
  | { readonly ok: false; readonly message: string }
  | { readonly help: string }

/** What a runtime lends the command. */
export interface SimWorkerHost {
  start(options: SimulatedWorkerOptions): Promise<{ readonly url: string; close(): Promise<void> }>
  printLine(line: string): void
  printError(line: string): void
  /** Settles at SIGTERM or SIGINT. */
  untilStopped(): Promise<unknown>
}

/** Runs the command; returns its exit code. */
export async function runSimWorker(args: readonly string[], host: SimWorkerHost): Promise<number> {
  const parsed = parseSimWorkerArgs(args)
  if ('help' in parsed) {
    host.printLine(parsed.help)
    return 0
  }
  if (!parsed.ok) {
    host.printError(`${parsed.message}\nSee: vllm-edge-router sim-worker --help`)
    return 2
  }
  const worker = await host.start(parsed.options)
  host.printLine(`listening on ${worker.url}`)
  await host.untilStopped()
  await worker.close()
  return 0
}

type Values = Map<SimWorkerFlag, string[]>

/** Reads the arguments after `sim-worker`. Flags take their value as the next argument or after `=`. */
export function parseSimWorkerArgs(args: readonly string[]): ParsedSimWorker {
  if (args.some((arg) => arg === '--help' || arg === '-h')) return { help: toSimWorkerHelp() }
  const values = readFlags(args)
  if (typeof values === 'string') return { ok: false, message: values }
  const options: Record<string, unknown> = {}
  for (const [flag, texts] of values) {
    const value = toValue(flag, texts)
    if (value instanceof Error) return { ok: false, message: value.message }
    options[flag.option] = value
  }
  const { models } = options
  if (!Array.isArray(models)) return { ok: false, message: 'Give at least one --model.' }
  // The table names the option of each flag and the kind of its value; a test holds the two together.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return { ok: true, options: options as unknown as SimulatedWorkerOptions }
}

/** Texts by flag, or what is wrong. */
function readFlags(args: readonly string[]): Values | string {
  const values: Values = new Map()
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ''
    const [name, inline] = splitFlag(arg)
    const isNegated = name.startsWith('no-')
    const flag = SIM_WORKER_FLAGS.find((each) => each.name === name || (isNegated && each.name === name.slice(3)))
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

function toValue(flag: SimWorkerFlag, texts: readonly string[]): unknown {
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

function toNumber(flag: SimWorkerFlag, text: string): number | Error {
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

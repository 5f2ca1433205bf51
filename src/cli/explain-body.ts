// What `explain` asks about a request that might be made: the body of POST /admin/explain.

import type { Flags } from './flags.ts'
import type { Host } from './host.ts'
import { UsageError } from './usage-error.ts'

export interface DryRunAsked {
  readonly body: unknown
  readonly [field: string]: unknown
}

/** Reads the request from `path`, or from standard input for `-`. */
export async function dryRunBody(host: Host, flags: Flags, path: string): Promise<DryRunAsked> {
  const text = path === '-' ? await readInput(host) : await host.readFile(path)
  const seed = flags.value('seed')
  if (seed !== null && !/^\d{1,10}$/.test(seed)) throw new UsageError(`--seed takes a whole number; got ${seed}`)
  const optional = {
    route: flags.value('route') ?? undefined,
    method: flags.value('method') ?? undefined,
    tenant: flags.value('tenant') ?? undefined,
    key: flags.value('key') ?? undefined,
    worker: flags.value('worker') ?? undefined,
    seed: seed === null ? undefined : Number(seed),
    ask_hooks: flags.has('ask-hooks') ? true : undefined,
  }
  return { body: parse(text, path), headers: headersOf(flags.list('header')), ...optional }
}

function parse(text: string, path: string): unknown {
  // A route without a body has an empty one.
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${path === '-' ? 'standard input' : path} is no JSON`)
  }
}

function headersOf(lines: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(':')
      if (at < 1) throw new UsageError(`--header takes 'name: value'; got ${line}`)
      return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()]
    }),
  )
}

async function readInput({ standardInput }: Host): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of standardInput()) text += decoder.decode(bytes, { stream: true })
  return text + decoder.decode()
}

// `vllm-edge-router explain`: why a request went where it went, or where one would go. Asks a running router, reads an
// exported log, or goes by a configuration alone.

import type { Explanation } from '../explain/explain.ts'
import { COLOURED, PLAIN } from '../explain/paint.ts'
import { toText } from '../explain/text.ts'
import { dryRunBody } from './explain-body.ts'
import { explainFromLog } from './explain-log.ts'
import { explainOffline } from './explain-offline.ts'
import { askRouter, dryRunAtRouter } from './explain-remote.ts'
import { type Flags, parseFlags } from './flags.ts'
import { EXIT, type Host } from './host.ts'
import { UsageError } from './usage-error.ts'

const HELP = `Usage: vllm-edge-router explain ID --url URL [--worker B]
       vllm-edge-router explain ID --decisions FILE [--worker B]
       vllm-edge-router explain --request FILE (--url URL | --config FILE) [options]

Says in words why a request went where it went, or where one would go. ID is a decision id or a request id, as in the
headers x-vllm-router-decision-id and x-request-id of the answer.

A decision that was made:
  --url URL          the router to ask
  --decisions FROM   a file of an exported log or a directory with all its files, instead; - for standard input
  --views DIR        where the view documents are, when not beside the log
  --id ID            the same as ID
  --worker B         why not this worker?

A decision that would be made; no worker is asked:
  --request FILE     the body of the request, JSON; - for standard input
  --url URL          by this router, as things are there
  --config FILE      by this configuration, with every worker taken as up and idle
  --plugin FILE      with --config: module with policies of your own; may be given several times
  --route PATH       where the request goes (default: /v1/chat/completions)
  --method NAME      its method, where the route has several
  --header 'N: V'    a header of it; may be given several times
  --tenant NAME      whose request it is; --key KEY for whoever's key that is
  --seed N           draws what is drawn by this number
  --ask-hooks        with --url: really ask the hooks

  --admin-key KEY    key for the router (default: the variable ROUTER_ADMIN_KEY)
  --json             print JSON, as everywhere but in a terminal
  --text             print text, as in a terminal
  --help             print this text

Colours are left out when NO_COLOR is set. Exit codes: 0 explained, 1 not found or refused, 2 wrong usage, or something
that can't be read or reached.
`

const FLAGS = {
  url: { kind: 'value' },
  decisions: { kind: 'value' },
  views: { kind: 'value' },
  id: { kind: 'value' },
  worker: { kind: 'value' },
  request: { kind: 'value' },
  config: { kind: 'value' },
  plugin: { kind: 'list' },
  route: { kind: 'value' },
  method: { kind: 'value' },
  header: { kind: 'list' },
  tenant: { kind: 'value' },
  key: { kind: 'value' },
  seed: { kind: 'value' },
  'ask-hooks': { kind: 'switch' },
  'admin-key': { kind: 'value' },
  json: { kind: 'switch' },
  text: { kind: 'switch' },
  help: { kind: 'switch' },
} as const

/** What is printed: the explanation, with whatever else there is about the decision. */
export type Explained =
  | { readonly ok: true; readonly explanation: Explanation }
  | { readonly ok: false; readonly message: string }

export async function explain(host: Host, args: readonly string[]): Promise<number> {
  const { id: positional, rest } = withoutId(args)
  const parsed = parseFlags(rest, FLAGS)
  if (args.includes('-h') || (parsed.ok && parsed.flags.has('help'))) {
    host.writeOut(HELP)
    return EXIT.good
  }
  if (!parsed.ok) return refuse(host, EXIT.usage, `${parsed.message}\n\n${HELP}`)
  try {
    const explained = await find(host, parsed.flags, positional ?? parsed.flags.value('id'))
    if (!explained.ok) return refuse(host, EXIT.finding, `${explained.message}\n`)
    host.writeOut(toOutput(host, parsed.flags, explained.explanation))
    return EXIT.good
  } catch (error) {
    return refuse(host, EXIT.usage, `${error instanceof Error ? error.message : String(error)}\n`)
  }
}

/** The first argument that is no flag and follows none that takes a value. */
function withoutId(args: readonly string[]): { readonly id: string | null; readonly rest: readonly string[] } {
  const at = args.findIndex((arg, index) => {
    if (arg.startsWith('-')) return false
    const name = /^--([a-z-]+)$/.exec(args[index - 1] ?? '')?.[1]
    const kind = Object.entries(FLAGS).find(([flag]) => flag === name)?.[1].kind
    return kind === undefined || kind === 'switch'
  })
  return at === -1 ? { id: null, rest: args } : { id: args[at] ?? null, rest: args.filter((_, index) => index !== at) }
}

async function find(host: Host, flags: Flags, id: string | null): Promise<Explained> {
  const [url, decisions, config, request] = ['url', 'decisions', 'config', 'request'].map((name) => flags.value(name))
  if ([url, decisions, config].filter((place) => typeof place === 'string').length !== 1) {
    throw new UsageError('give one of --url, --decisions and --config: what to ask')
  }
  if (typeof request === 'string') {
    if (id !== null) throw new UsageError('give an ID or --request, not both')
    if (typeof decisions === 'string') throw new UsageError('--request goes with --url or --config')
    const body = await dryRunBody(host, flags, request)
    return typeof url === 'string'
      ? dryRunAtRouter(host, flags, url, body)
      : explainOffline(host, flags, config ?? '', body)
  }
  if (id === null)
    throw new UsageError('give the ID of a decision or a request, or --request for one that might be made')
  if (typeof config === 'string')
    throw new UsageError('--config goes with --request: a configuration has decided nothing yet')
  return typeof url === 'string' ? askRouter(host, flags, url, id) : explainFromLog(host, flags, decisions ?? '', id)
}

function toOutput({ outTerminal, env }: Host, flags: Flags, explanation: Explanation): string {
  const isText = flags.has('text') || (outTerminal !== null && !flags.has('json'))
  if (!isText) return `${JSON.stringify(explanation, null, 2)}\n`
  // https://no-color.org: any value but an empty one.
  const hasColours = outTerminal !== null && (env('NO_COLOR') ?? '') === '' && env('TERM') !== 'dumb'
  return toText(explanation, {
    paint: hasColours ? COLOURED : PLAIN,
    ...(outTerminal === null ? {} : { width: outTerminal.columns }),
  })
}

function refuse({ writeError }: Host, code: number, message: string): number {
  writeError(`vllm-edge-router explain: ${message}`)
  return code
}

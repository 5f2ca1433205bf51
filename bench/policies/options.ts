// The command line of `npm run bench:policies`.

import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { ALL, type Extent } from './matrix.ts'
import { DEFAULT_TRACES } from './trace.ts'

export interface PolicyBenchOptions {
  readonly directory: string
  readonly limit: number
  readonly extent: Extent
  readonly threads: number
  /** Where the page and its plots are written; null for none. */
  readonly outputDirectory: string | null
  readonly isJson: boolean
  readonly runsHttp: boolean
  readonly runsVirtual: boolean
  readonly isQuick: boolean
}

export const HELP = `npm run bench:policies -- [options]: what each policy makes of a trace, in virtual time and over HTTP

  --traces DIR         folder with <name>.jsonl of kvcache-ai/Mooncake (default: ../shared/data/mooncake beside the repository)
  --trace NAMES        comma-separated (default: ${ALL.traces.join(',')})
  --limit N            only the first N requests of each trace
  --workers N,N        sizes of fleets (default: ${ALL.fleets.join(',')})
  --load S,S           shares of the capacity that least_load has (default: ${ALL.loads.join(',')})
  --policy NAMES       comma-separated, of: ${ALL.contenders.join(', ')} (default: all)
  --threads N          (default: one for each core)
  --write DIR          write policies.md, policies-http.md and plots there, such as docs/bench
  --json               print JSON instead of tables
  --only PART          virtual | http (default: both)
  --quick              400 requests, 8 workers, 85 %, virtual time only: to see that it works
`

const QUICK = { limit: '400', workers: '8', load: '0.85', only: 'virtual' }

/** Throws an `Error` with a readable message when the arguments make no sense; null asks for the help text. */
export function parsePolicyBenchOptions(args: readonly string[]): PolicyBenchOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      traces: { type: 'string', default: DEFAULT_TRACES },
      trace: { type: 'string' },
      limit: { type: 'string' },
      workers: { type: 'string' },
      load: { type: 'string' },
      policy: { type: 'string' },
      threads: { type: 'string', default: String(availableParallelism()) },
      write: { type: 'string' },
      json: { type: 'boolean', default: false },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return null
  const usual: Partial<typeof QUICK> = values.quick ? QUICK : {}
  const limit = values.limit ?? usual.limit
  const workers = values.workers ?? usual.workers
  const load = values.load ?? usual.load
  const only = values.only ?? usual.only ?? 'both'
  if (!['virtual', 'http', 'both'].includes(only)) throw new Error(`--only ${only} is neither virtual nor http`)
  return {
    directory: values.traces,
    limit: limit === undefined ? Number.POSITIVE_INFINITY : countOf('--limit', limit),
    extent: {
      traces: values.trace?.split(',') ?? ALL.traces,
      fleets: workers?.split(',').map((part) => countOf('--workers', part)) ?? ALL.fleets,
      loads: load?.split(',').map((part) => positiveOf('--load', part)) ?? ALL.loads,
      contenders: values.policy === undefined ? ALL.contenders : namesIn(values.policy),
    },
    threads: countOf('--threads', values.threads),
    outputDirectory: values.write ?? null,
    isJson: values.json,
    runsHttp: only !== 'virtual',
    runsVirtual: only !== 'http',
    isQuick: values.quick,
  }
}

function namesIn(text: string): Extent['contenders'] {
  return text.split(',').map((part) => {
    const name = ALL.contenders.find((known) => known === part.trim())
    if (name === undefined) throw new Error(`--policy ${part} is none of ${ALL.contenders.join(', ')}`)
    return name
  })
}

function countOf(flag: string, text: string): number {
  const number = positiveOf(flag, text)
  if (!Number.isInteger(number)) throw new Error(`${flag} ${text} is no whole number`)
  return number
}

function positiveOf(flag: string, text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`${flag} ${text} is no number above zero`)
  return number
}

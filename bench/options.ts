// The command line of `npm run bench`.

import { parseArgs } from 'node:util'
import { LOAD_NAMES, type LoadName } from './loads.ts'
import { RUNTIMES, type RuntimeName } from './targets.ts'

export interface BenchOptions {
  readonly runtimes: readonly RuntimeName[]
  readonly loads: readonly LoadName[]
  readonly concurrencies: readonly number[]
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly workers: number
  readonly isJson: boolean
  /** Writes docs/bench/<runtime>.md. */
  readonly writes: boolean
  readonly profileDirectory: string | null
  readonly extraConfig: string
}

export const HELP = `npm run bench -- [options]: the router against a bare pass-through, alternating, on one runtime

  --runtime NAMES      ${RUNTIMES.join(' | ')} | all, comma-separated (default: node)
  --load NAMES         ${LOAD_NAMES.join(' | ')} | all, comma-separated (default: chat-2kb)
  --concurrency N,N    connections (default: 1,32)
  --rounds N           rounds per load (default: 5)
  --seconds S          of each target in each round (default: 2)
  --warm-up S          of each target before the first round of a load (default: 1.5)
  --workers N          workers of the router (default: 4)
  --config YAML        lines added to the router's configuration, to see what a feature costs
  --profile DIR        CPU profiles of the router on node and bun; read them with \`node bench/hot-functions.ts\`
  --write              write docs/bench/<runtime>.md
  --json               print JSON instead of tables
  --quick              one round of 0.3 s with 8 connections, to see that it works
`

const DEFAULTS = { concurrency: '1,32', rounds: '5', seconds: '2', 'warm-up': '1.5' }

const QUICK = { concurrency: '8', rounds: '1', seconds: '0.3', 'warm-up': '0.2' }

/** Throws an `Error` with a readable message when the arguments make no sense; null asks for the help text. */
export function parseOptions(args: readonly string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runtime: { type: 'string', default: 'node' },
      load: { type: 'string', default: 'chat-2kb' },
      concurrency: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      workers: { type: 'string', default: '4' },
      config: { type: 'string', default: '' },
      profile: { type: 'string' },
      write: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return null
  const usual = values.quick ? QUICK : DEFAULTS
  return {
    runtimes: namesIn('--runtime', values.runtime, RUNTIMES),
    loads: namesIn('--load', values.load, LOAD_NAMES),
    concurrencies: (values.concurrency ?? usual.concurrency).split(',').map((part) => count('--concurrency', part)),
    rounds: count('--rounds', values.rounds ?? usual.rounds),
    seconds: positive('--seconds', values.seconds ?? usual.seconds),
    warmUpSeconds: positive('--warm-up', values['warm-up'] ?? usual['warm-up']),
    workers: count('--workers', values.workers),
    isJson: values.json,
    writes: values.write,
    profileDirectory: values.profile ?? null,
    extraConfig: values.config,
  }
}

function namesIn<Name extends string>(flag: string, text: string, known: readonly Name[]): readonly Name[] {
  if (text === 'all') return known
  return text.split(',').map((part) => {
    const name = known.find((candidate) => candidate === part)
    if (name === undefined) throw new Error(`${flag} ${part} is none of ${known.join(', ')}`)
    return name
  })
}

function count(flag: string, text: string): number {
  const number = positive(flag, text)
  if (!Number.isInteger(number)) throw new Error(`${flag} ${text} is no whole number`)
  return number
}

function positive(flag: string, text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`${flag} ${text} is no number above zero`)
  return number
}

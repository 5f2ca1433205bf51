// The command line of `npm run bench`.

import { parseArgs } from 'node:util'
import { LOAD_NAMES, type LoadName } from './loads.ts'
import { PEERS, type PeerName } from './peers.ts'
import { KINDS, type Kind, RUNTIMES, type RuntimeName } from './targets.ts'

export interface BenchOptions {
  readonly runtimes: readonly RuntimeName[]
  readonly kinds: readonly Kind[]
  readonly peers: readonly PeerName[]
  readonly loads: readonly LoadName[]
  readonly concurrencies: readonly number[]
  readonly rounds: number
  /** Of each target in each round. */
  readonly seconds: number
  readonly warmUpSeconds: number
  /** Whether a run at a fixed rate is added. */
  readonly hasFixedRate: boolean
  readonly workers: number
  readonly isJson: boolean
  /** Writes a page in docs/bench. */
  readonly writes: boolean
  readonly profileDirectory: string | null
  readonly extraConfig: string
}

export const HELP = `npm run bench -- [options]: the router, a bare pass-through and peers, alternating in one run

Without options the whole table: four runtimes with pass-through, router and router with everything on, Portkey's gateway
and nginx; all loads over 1, 32 and 256 connections, and a fixed rate; about 20 minutes.

  --runtime NAMES      ${RUNTIMES.join(' | ')} | all | none, comma-separated. With names, and unless the options below say
                       otherwise: pass-through and router, 2 KB chats over 1 and 32 connections, no peers, 2 s a round
  --kind NAMES         ${KINDS.join(' | ')} | all
  --peer NAMES         ${PEERS.join(' | ')} | all | none; one that is not installed is left out, and the page says so
  --load NAMES         ${LOAD_NAMES.join(' | ')} | all
  --concurrency N,N    connections
  --fixed-rate         add a run of 2 KB chats at half of what the slowest target can do, timed from when each was due
  --rounds N           rounds per load (default: 5)
  --minutes N          how long the whole run may take, about (default: 20 without --runtime); sets --seconds
  --seconds S          of each target in each round
  --warm-up S          of each target before the first round of a load
  --workers N          workers of the router (default: 4)
  --config YAML        lines added to the router's configuration, to see what a feature costs
  --profile DIR        CPU profiles of the router on node and bun; read them with \`node bench/hot-functions.ts\`
  --write              write docs/bench/<runtime>.md, or docs/bench/http.md for more than one runtime; the whole table always is
  --json               print JSON instead of tables
  --quick              one round of 0.3 s of 2 KB chats over 8 connections, to see that it works
  --full               ten rounds in an hour
`

/** Starting and ending everything, in seconds. */
const START_SECONDS = 40

/** A leg shorter than this says nothing. */
const MIN_SECONDS = 0.25

interface Usual {
  readonly kinds: string
  readonly peers: string
  readonly loads: string
  readonly concurrency: string
  readonly rounds: string
  readonly minutes: string | null
}

const WHOLE: Usual = {
  kinds: 'all',
  peers: 'all',
  loads: 'all',
  concurrency: '1,32,256',
  rounds: '5',
  minutes: '20',
}

const NAMED_RUNTIMES: Usual = {
  kinds: 'pass-through,router',
  peers: 'none',
  loads: 'chat-2kb',
  concurrency: '1,32',
  rounds: '5',
  minutes: null,
}

/** Throws an `Error` with a readable message when the arguments make no sense; null asks for the help text. */
export function parseOptions(args: readonly string[]): BenchOptions | null {
  const values = readArguments(args)
  if (values.help) return null
  const isWhole = values.runtime === undefined && !values.quick
  const usual = usualOf(values)
  const runtimes = namesIn('--runtime', values.runtime ?? 'all', RUNTIMES)
  const kinds = namesIn('--kind', values.kind ?? usual.kinds, KINDS)
  const peers = namesIn('--peer', values.peer ?? usual.peers, PEERS)
  const loads = namesIn('--load', values.load ?? usual.loads, LOAD_NAMES)
  const concurrencies = (values.concurrency ?? usual.concurrency).split(',').map((part) => count('--concurrency', part))
  const rounds = count('--rounds', values.rounds ?? usual.rounds)
  const hasFixedRate = values['fixed-rate'] || isWhole
  const targets = runtimes.length * kinds.length + peers.length
  const cells = loads.length * concurrencies.length + (hasFixedRate ? 1 : 0)
  const minutes = values.minutes ?? usual.minutes
  const fitting = minutes === null ? null : fit(positive('--minutes', minutes), { cells, targets, rounds })
  const seconds = positive('--seconds', values.seconds ?? String(fitting ?? (values.quick ? 0.3 : 2)))
  const warmUp = values['warm-up'] ?? String(fitting === null && !values.quick ? 1.5 : seconds / 2)
  return {
    runtimes,
    kinds,
    peers,
    loads,
    concurrencies,
    rounds,
    seconds,
    hasFixedRate,
    warmUpSeconds: positive('--warm-up', warmUp),
    workers: count('--workers', values.workers),
    isJson: values.json,
    writes: values.write || isWhole,
    profileDirectory: values.profile ?? null,
    extraConfig: values.config,
  }
}

function readArguments(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runtime: { type: 'string' },
      kind: { type: 'string' },
      peer: { type: 'string' },
      load: { type: 'string' },
      concurrency: { type: 'string' },
      'fixed-rate': { type: 'boolean', default: false },
      rounds: { type: 'string' },
      minutes: { type: 'string' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      workers: { type: 'string', default: '4' },
      config: { type: 'string', default: '' },
      profile: { type: 'string' },
      write: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  return values
}

function usualOf({ runtime, quick, full }: ReturnType<typeof readArguments>): Usual {
  const usual = runtime === undefined ? WHOLE : NAMED_RUNTIMES
  if (quick) return { ...usual, loads: 'chat-2kb', concurrency: '8', rounds: '1', minutes: null }
  return full ? { ...usual, rounds: '10', minutes: '60' } : usual
}

/** How long a leg may be so that the whole run takes about so many minutes, the warm-up being half a leg. */
function fit(
  minutes: number,
  { cells, targets, rounds }: { readonly cells: number; readonly targets: number; readonly rounds: number },
): number {
  const legs = cells * (targets * (rounds + 0.5) + rounds / 2)
  const seconds = (minutes * 60 - START_SECONDS) / legs
  return Math.max(MIN_SECONDS, Math.floor(seconds * 100) / 100)
}

function namesIn<Name extends string>(flag: string, text: string, known: readonly Name[]): readonly Name[] {
  if (text === 'all') return known
  if (text === 'none') return []
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

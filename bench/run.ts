// `npm run bench`: the router, a bare pass-through of the same runtime and peers, in alternating rounds of one run.

import { availableParallelism } from 'node:os'
import { type Bench, type Comparison, compare, type Contender, type LoadPlan, warmUp } from './compare.ts'
import { describeMachine, type Machine } from './machine.ts'
import { type BenchOptions, HELP, parseOptions } from './options.ts'
import { writePage } from './pages.ts'
import { type PeerName, peerVersion, startPeer } from './peers.ts'
import { cpuSecondsOf, machineBusySeconds } from './proc.ts'
import { StartedParts, startPartner } from './processes.ts'
import { type BenchReport, toMarkdown, toText } from './report.ts'
import { PLAIN, type RuntimeName, startTarget, type Target } from './targets.ts'

/** More wrong, broken or refused answers of ours than this and the figures mean nothing. */
const MAX_FAILED_SHARE = 0.01

/** The fixed rate, as a part of what the slowest target can do. */
const FIXED_SHARE = 0.5

const FIXED_CONNECTIONS = 64

/** Shorter legs only show that the harness works. */
const MIN_MEASURED_SECONDS = 0.5

/** What runtimes need to compile a router: after a second or two of it the compiler would be what is measured. */
const FIRST_WARM_UP = { connections: 32, rate: null, rounds: 0, seconds: 0, warmUpSeconds: 6 } as const

const started = new StartedParts()

async function runBench(options: BenchOptions): Promise<BenchReport> {
  const before = { atMs: performance.now(), machine: machineBusySeconds(), ours: cpuSecondsOf(process.pid) }
  const peers = options.peers.filter((peer) => peerVersion(peer).version !== null)
  // Now, not at the end: what is measured is the code that the processes below start with.
  const machine = withPeers(describeMachine(...options.runtimes), peers)
  const bench = await startAll(options, peers)
  const comparisons = await measureAll(bench, options)
  await started.stop()
  const ours = cpuSecondsOf(process.pid) - before.ours
  const others = machineBusySeconds() - before.machine - ours
  const capacity = ((performance.now() - before.atMs) / 1_000) * availableParallelism()
  return {
    command: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
    machine,
    workers: options.workers,
    missing: options.peers.filter((peer) => !peers.includes(peer)).map(leftOut),
    othersShare: Math.max(0, others / capacity),
    comparisons,
  }
}

const leftOut = (peer: PeerName) => `${peer} is not installed and was left out: ${peerVersion(peer).hint}`

function withPeers(machine: Machine, peers: readonly PeerName[]): Machine {
  const versions = Object.fromEntries(peers.map((peer) => [peer, peerVersion(peer).version ?? 'unknown']))
  return { ...machine, versions: { ...machine.versions, ...versions } }
}

async function startAll(options: BenchOptions, peers: readonly PeerName[]): Promise<Bench> {
  const upstreamProcess = started.keep(startPartner('upstream/main.ts'))
  const upstreamPorts = await upstreamProcess.ask<readonly number[]>(options.workers)
  const upstream = { ...PLAIN, ...upstreamProcess, name: 'straight to upstream', port: upstreamPorts[0] ?? 0 }
  const contenders: Contender[] = []
  for (const runtime of options.runtimes) contenders.push(...(await startContenders(runtime, upstreamPorts, options)))
  const routerOnNode = contenders.find(({ target }) => target.name === 'node router')?.target ?? null
  for (const peer of peers) {
    const target = started.keep(await startPeer(peer, upstream.port))
    contenders.push({ target, baseline: null })
    if (routerOnNode !== null) contenders.push({ target: routerOnNode, baseline: target })
  }
  return { generator: started.keep(startPartner('generator/main.ts')), upstream, contenders }
}

async function startContenders(
  runtime: RuntimeName,
  upstreamPorts: readonly number[],
  { kinds, profileDirectory, extraConfig }: BenchOptions,
): Promise<readonly Contender[]> {
  const contenders: Contender[] = []
  let bare: Target | null = null
  for (const kind of kinds) {
    const target = started.keep(await startTarget(kind, { runtime, upstreamPorts, profileDirectory, extraConfig }))
    if (kind === 'pass-through') bare = target
    contenders.push({ target, baseline: target === bare ? null : bare })
  }
  return contenders
}

async function measureAll(bench: Bench, options: BenchOptions): Promise<readonly Comparison[]> {
  const { rounds, seconds, warmUpSeconds } = options
  const comparisons: Comparison[] = []
  const measure = async (plan: Pick<LoadPlan, 'load' | 'connections' | 'rate'>) => {
    process.stderr.write(`${plan.load}, ${plan.connections} connections${plan.rate === null ? '' : ', fixed rate'}\n`)
    const comparison = await compare(bench, { ...plan, rounds, seconds, warmUpSeconds })
    comparisons.push(comparison)
    return comparison
  }
  const [firstLoad] = options.loads
  if (firstLoad !== undefined && options.seconds >= MIN_MEASURED_SECONDS)
    await warmUp(bench, { ...FIRST_WARM_UP, load: firstLoad })
  for (const load of options.loads) {
    const own: Comparison[] = []
    for (const connections of options.concurrencies) own.push(await measure({ load, connections, rate: null }))
    const rate = options.hasFixedRate && load === options.loads[0] ? fixedRate(own) : null
    if (rate !== null) await measure({ load, connections: FIXED_CONNECTIONS, rate })
  }
  return comparisons
}

/** Half of what the slowest target managed at its best, rounded down to what reads well; null when it managed nothing. */
function fixedRate(comparisons: readonly Comparison[]): number | null {
  const best = new Map<string, number>()
  for (const { name, requestsPerSecond } of comparisons.flatMap(({ targets }) => targets)) {
    best.set(name, Math.max(best.get(name) ?? 0, requestsPerSecond))
  }
  const rate = Math.min(...best.values()) * FIXED_SHARE
  return rate >= 10 ? Math.floor(rate / 10) * 10 : null
}

function hasFailed({ comparisons }: BenchReport, peers: readonly PeerName[]): boolean {
  const figures = comparisons.flatMap(({ targets }) => targets)
  const ours = figures.filter(({ name }) => !peers.some((peer) => peer === name))
  // NaN when nothing was answered at all.
  return ours.some(({ refusedShare, failedShare }) => !(refusedShare + failedShare <= MAX_FAILED_SHARE))
}

function write(report: BenchReport, { runtimes }: BenchOptions): void {
  const [first] = runtimes
  const isOne = runtimes.length === 1 && first !== undefined
  const title = isOne
    ? `The router on ${first} against a bare pass-through`
    : 'The router over HTTP: four runtimes and peers'
  const path = writePage(isOne ? `${first}.md` : 'http.md', toMarkdown(report, title))
  process.stderr.write(`${path} written\n`)
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (options === null) {
    process.stdout.write(HELP)
    return 0
  }
  const report = await runBench(options)
  if (options.writes) write(report, options)
  process.stdout.write(options.isJson ? `${JSON.stringify(report, null, 2)}\n` : `${toText(report)}\n`)
  return hasFailed(report, options.peers) ? 1 : 0
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
} finally {
  await started.stop()
}
